"""hanbae's words to a forge, and a real Gitea's answers."""

from __future__ import annotations

import asyncio
import urllib.error
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.support import giteas, ports

from hanbae import errors
from hanbae.forges import choosing, protocol
from hanbae.results import merge_requests
from hanbae.sandbox import demo_repository

pytestmark = pytest.mark.timeout(300)


class Shop:
    """A repository at the forge with its branches, and a clone of it."""

    def __init__(self, forge: giteas.Gitea, name: str, clone: Path) -> None:
        self.forge = forge
        self.project = f"ann/{name}"
        self.clone = clone
        url = forge.repository("ann", name, "ben", "cho")
        demo_repository.git(clone.parent, "init", "-q", "-b", "main", str(clone))
        demo_repository.git(clone, "remote", "add", "origin", url)
        self.commit("main", "The shop")
        forge.until_filled(self.project)

    def commit(self, branch: str, message: str) -> str:
        """A commit on top of what is checked out, pushed as a branch."""
        demo_repository.git(self.clone, "commit", "-q", "--allow-empty", "-m", message)
        (self.clone / "file").write_text(message)
        demo_repository.git(self.clone, "add", "file")
        demo_repository.git(self.clone, "commit", "-q", "-m", message)
        demo_repository.git(self.clone, "push", "-q", "origin", f"HEAD:refs/heads/{branch}")
        return demo_repository.git(self.clone, "rev-parse", "HEAD")

    @asynccontextmanager
    async def as_user(self, name: str, token: str = "") -> AsyncIterator[protocol.Forge]:
        """The forge as hanbae has it for a user."""
        variables = {
            "GITEA_SERVER_URL": self.forge.url,
            "GITEA_SERVER_TOKEN": token or self.forge.tokens[name],
        }
        url = self.forge.remote("ann", self.project)
        async with choosing.connect(url, variables) as connection:
            assert connection is not None
            yield connection


@pytest.fixture
def shop(gitea: giteas.Gitea, tmp_path: Path, request: pytest.FixtureRequest) -> Shop:
    return Shop(gitea, f"shop-{request.node.name[5:30]}".strip("-_"), tmp_path / "clone")


DRAFT = protocol.Draft("hanbae/next", "main", "Promote the set", "What is in it")


async def test_a_merge_request_is_opened_once_and_changed_after_that(shop: Shop) -> None:
    head = shop.commit(DRAFT.source, "Change")
    async with shop.as_user("ann") as forge:
        assert await forge.username() == "ann"
        assert await forge.opened(DRAFT.source, DRAFT.target) is None
        request = await forge.open(DRAFT)
        assert (request.head, request.author, request.merged) == (head, "ann", "")
        assert await forge.opened(DRAFT.source, DRAFT.target) == request
        with pytest.raises(errors.Refused) as refused:
            await forge.open(DRAFT)
        assert "already exists" in str(refused.value)
        other = protocol.Draft(DRAFT.source, DRAFT.target, "Another title", "Another body")
        assert (await forge.edit(request, other)).number == request.number
    shown = shop.forge.ask("GET", f"repos/{shop.project}/pulls/{request.number}", by="ann")
    assert (shown["title"], shown["body"]) == ("Another title", "Another body")
    assert request.url == shown["html_url"]


async def test_a_branch_of_a_fork_with_the_same_name_is_another(shop: Shop) -> None:
    shop.forge.ask(
        "PUT", f"repos/{shop.project}/collaborators/eve", {"permission": "read"}, by="ann"
    )
    shop.forge.ask("POST", f"repos/{shop.project}/forks", {"name": "fork"}, by="eve")
    fork = shop.forge.remote("eve", "eve/fork")
    demo_repository.git(shop.clone, "remote", "add", "fork", fork)
    shop.commit("elsewhere", "Hostile")
    demo_repository.git(shop.clone, "push", "-q", "fork", f"HEAD:refs/heads/{DRAFT.source}")
    shop.forge.request(shop.project, f"eve:{DRAFT.source}", DRAFT.target, by="eve")
    async with shop.as_user("ann") as forge:
        assert await forge.opened(DRAFT.source, DRAFT.target) is None
    shop.forge.ask("DELETE", "repos/eve/fork", by="eve")


async def test_approvals_are_the_last_words_of_those_who_may_write(shop: Shop) -> None:
    shop.forge.ask(
        "PUT", f"repos/{shop.project}/collaborators/eve", {"permission": "read"}, by="ann"
    )
    head = shop.commit(DRAFT.source, "Change")
    async with shop.as_user("ann") as forge:
        request = await forge.open(DRAFT)
        for name in ("ben", "cho", "eve"):
            shop.forge.review(shop.project, request.number, "APPROVED", by=name)
        shop.forge.review(shop.project, request.number, "COMMENT", by="ben")
        shop.forge.review(shop.project, request.number, "REQUEST_CHANGES", by="cho")
        assert await forge.approvals(request) == (merge_requests.Approval("ben", head),)
        shop.commit(DRAFT.source, "Later")
        later = await forge.opened(DRAFT.source, DRAFT.target)
        assert later is not None
        assert later.head != head
        assert await forge.approvals(later) == (merge_requests.Approval("ben", head),)


async def test_a_merged_commit_leads_back_to_its_merge_request(shop: Shop) -> None:
    head = shop.commit(DRAFT.source, "Change")
    async with shop.as_user("ann") as forge:
        request = await forge.open(DRAFT)
        merged = shop.forge.merge(shop.project, request.number, by="ben")
        assert merged != head
        assert await forge.opened(DRAFT.source, DRAFT.target) is None
        brought = await forge.merged_by(merged, "main")
        assert brought is not None
        assert (brought.number, brought.head, brought.merged) == (request.number, head, merged)
        assert await forge.merged_by(merged, "release") is None
        demo_repository.git(shop.clone, "fetch", "-q", "origin", "main")
        demo_repository.git(shop.clone, "checkout", "-q", "FETCH_HEAD")
        pushed = shop.commit("main", "Past everybody")
        assert await forge.merged_by(pushed, "main") is None


async def test_what_is_said_twice_stands_there_once(shop: Shop) -> None:
    head = shop.commit(DRAFT.source, "Change")
    async with shop.as_user("ann") as forge:
        request = await forge.open(DRAFT)
        for state, text in (("failure", "1 of 3"), ("success", "3 of 3")):
            await forge.report(head, merge_requests.Status("hanbae/gates", state, text))  # type: ignore[arg-type]
            await forge.comment(
                request, f"<!-- hanbae:plan -->\n{text}", mark="<!-- hanbae:plan -->"
            )
    shop.forge.ask(
        "POST",
        f"repos/{shop.project}/issues/{request.number}/comments",
        {"body": "Fine."},
        by="ben",
    )
    path = f"repos/{shop.project}/issues/{request.number}/comments"
    bodies = [entry["body"] for entry in shop.forge.ask("GET", path, by="ann")]
    assert bodies == ["<!-- hanbae:plan -->\n3 of 3", "Fine."]
    combined = shop.forge.ask("GET", f"repos/{shop.project}/commits/{head}/status", by="ann")
    assert [(entry["context"], entry["status"]) for entry in combined["statuses"]] == [
        ("hanbae/gates", "success")
    ]


async def test_who_comments_at_once_leaves_one_comment(shop: Shop) -> None:
    shop.commit(DRAFT.source, "Change")
    mark = "<!-- hanbae:plan -->"
    texts = [f"{mark}\n{number}" for number in range(4)]
    async with shop.as_user("ann") as forge:
        request = await forge.open(DRAFT)
        path = f"repos/{shop.project}/issues/{request.number}/comments"
        for _ in ("posted", "changed"):
            await asyncio.gather(*(forge.comment(request, text, mark=mark) for text in texts))
            (comment,) = shop.forge.ask("GET", path, by="ann")
            assert comment["body"] in texts


async def test_a_comment_with_our_mark_that_is_somebody_elses_stays_theirs(shop: Shop) -> None:
    shop.commit(DRAFT.source, "Change")
    async with shop.as_user("ann") as forge:
        request = await forge.open(DRAFT)
        path = f"repos/{shop.project}/issues/{request.number}/comments"
        shop.forge.ask("POST", path, {"body": "theirs <!-- m -->"}, by="ben")
        await forge.comment(request, "ours <!-- m -->", mark="<!-- m -->")
    bodies = [entry["body"] for entry in shop.forge.ask("GET", path, by="ann")]
    assert bodies == ["theirs <!-- m -->", "ours <!-- m -->"]


async def test_a_token_that_is_none_is_named_by_its_source_alone(shop: Shop) -> None:
    async with shop.as_user("ann", token="not-a-token-at-all") as forge:
        with pytest.raises(errors.Forbidden) as refused:
            await forge.username()
    assert "GITEA_SERVER_TOKEN" in str(refused.value)
    assert "not-a-token-at-all" not in str(refused.value)


async def test_a_repository_that_is_not_shown_is_missing(shop: Shop) -> None:
    async with shop.as_user("eve") as connection:
        with pytest.raises(errors.Refused) as missing:
            await connection.opened("a", "b")
    assert missing.value.text.id == "forge.missing"


async def test_a_forge_that_is_away_is_unreachable(shop: Shop) -> None:
    url = f"http://127.0.0.1:{ports.reserve()}"
    variables = {"GITEA_SERVER_URL": url, "GITEA_TOKEN": "t0ken"}
    async with choosing.connect(f"{url}/{shop.project}.git", variables) as forge:
        assert forge is not None
        with pytest.raises(errors.Unreachable) as away:
            await forge.username()
    assert away.value.text.id == "forge.unreachable"


def test_the_tests_own_forge_protects_branches(shop: Shop) -> None:
    shop.forge.protect(shop.project, "main", approvals=1)
    shop.commit(DRAFT.source, "Change")
    number = shop.forge.request(shop.project, DRAFT.source, "main", by="ann")
    with pytest.raises(urllib.error.HTTPError):
        shop.forge.merge(shop.project, number, by="ann")
    shop.forge.review(shop.project, number, "APPROVED", by="ben")
    assert shop.forge.merge(shop.project, number, by="ann")
