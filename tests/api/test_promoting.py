"""A promotion on its way to a real Gitea: opened once, brought up to date, and gone on with wherever it was killed."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.support import giteas, ports

from hanbae import errors, workspaces
from hanbae.forges import choosing
from hanbae.forges import gitea as gitea_client
from hanbae.promoting import sending
from hanbae.repository import checkouts, drafts
from hanbae.results import merge_requests, previews, promotions
from hanbae.sandbox import demo_repository

pytestmark = pytest.mark.timeout(300)

BRANCH = "hanbae/dev-to-staging"
WORDS = sending.Words(
    "Promote dev",
    "What is in it",
    f"{sending.MARK}\nThe plan",
    (merge_requests.Status("hanbae/set", "success", "Proven"),),
)


class Shop:
    """The example at the forge, and a clone of it."""

    def __init__(self, forge: giteas.Gitea, name: str, folder: Path) -> None:
        self.forge, self.project, self.clone = forge, f"ann/{name}", folder / "clone"
        url = forge.repository("ann", name, "ben")
        demo_repository.create(demo_repository.example(), self.clone, folder / "remote.git")
        self.git("remote", "set-url", "origin", url)
        self.git("config", "user.name", "Ann")
        self.git("config", "user.email", "ann@example.com")
        self.git("push", "-q", "origin", "main:release")
        forge.until_filled(self.project)
        self.git("fetch", "-q", "origin")
        self.folder = folder

    def git(self, *words: str) -> str:
        return demo_repository.git(self.clone, *words)

    def promotion(self, text: str, *, trailer: str = sending.TRAILER) -> promotions.Promotion:
        """A promotion whose commit writes a text into a file."""
        kept = drafts.Drafts(self.clone)
        head = self.git("rev-parse", "origin/release")
        files = {"VERSION": (kept.content(text.encode()), 0o100644)}
        commit = kept.commit(files, f"Promote {text}\n\n{trailer}: {text}\n", (head,))
        proven = promotions.ProvenSet(text, "dev", head, ())
        comparison = previews.Comparison(head, commit, ())
        return promotions.Promotion(
            "dev", "staging", proven, head, commit, BRANCH, "release", (), (), 0, comparison, ()
        )  # fmt: skip

    async def send(
        self, promotion: promotions.Promotion, words: sending.Words = WORDS, **variables: str
    ) -> promotions.Promoted:
        login = {
            "GITEA_SERVER_URL": self.forge.url,
            "GITEA_TOKEN": self.forge.tokens["ann"],
            **variables,
        }
        with workspaces.opened(self.clone) as space:
            return await sending.send(space, promotion, words, login)

    def requests(self) -> list[dict[str, Any]]:
        path = f"repos/{self.project}/pulls?state=all"
        listed: list[dict[str, Any]] = self.forge.ask("GET", path, by="ann")
        return listed

    def comments(self) -> list[str]:
        path = f"repos/{self.project}/issues/1/comments"
        return [entry["body"] for entry in self.forge.ask("GET", path, by="ann")]

    def statuses(self, commit: str) -> list[str]:
        path = f"repos/{self.project}/commits/{commit}/statuses"
        return [entry["context"] for entry in self.forge.ask("GET", path, by="ann")]


@pytest.fixture
def shop(
    gitea: giteas.Gitea,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
) -> Shop:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return Shop(gitea, f"p-{abs(hash(request.node.name)) % 10**8}", tmp_path)


async def test_it_is_opened_and_then_brought_up_to_date(shop: Shop) -> None:
    first = shop.promotion("one")
    opened = await shop.send(first)
    assert opened.outcome == "opened"
    assert opened.request is not None
    assert (opened.request.head, opened.request.target) == (first.commit, "release")
    again = await shop.send(first)
    assert (again.outcome, again.request) == ("updated", opened.request)
    second = shop.promotion("two")
    words = msgspec.structs.replace(WORDS, title="Promote dev again", comment=f"{sending.MARK}\nB")
    updated = await shop.send(second, words)
    assert updated.outcome == "updated"
    (shown,) = shop.requests()
    assert (shown["title"], shown["head"]["sha"]) == ("Promote dev again", second.commit)
    assert shop.comments() == [f"{sending.MARK}\nB"]
    assert shop.statuses(second.commit) == ["hanbae/set"]


class Killed(BaseException):
    """What ends the process where it is."""


STEPS = {
    "push": (checkouts.Checkout, "push"),
    "open": (gitea_client.Gitea, "open"),
    "report": (gitea_client.Gitea, "report"),
    "comment": (gitea_client.Gitea, "comment"),
}


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("step", STEPS)
async def test_killed_at_each_step_it_is_gone_on_with(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, step: str, *, after: bool
) -> None:
    owner, name = STEPS[step]
    real = getattr(owner, name)

    def dying(*words: Any, **named: Any) -> Any:
        if not after:
            raise Killed
        outcome = real(*words, **named)

        async def awaited() -> None:
            await outcome
            raise Killed

        if asyncio.iscoroutine(outcome):
            return awaited()
        raise Killed

    promotion = shop.promotion("one")
    with monkeypatch.context() as patch:
        patch.setattr(owner, name, dying)
        with pytest.raises(Killed):
            await shop.send(promotion)
    promoted = await shop.send(promotion)
    assert promoted.request is not None
    assert len(shop.requests()) == 1
    assert shop.comments() == [WORDS.comment]
    assert set(shop.statuses(promotion.commit)) == {"hanbae/set"}


async def test_commits_of_others_on_the_branch_are_not_overwritten(shop: Shop) -> None:
    await shop.send(shop.promotion("one"))
    others = shop.promotion("by hand", trailer="By")
    shop.git("push", "-q", "--force", "origin", f"{others.commit}:refs/heads/{BRANCH}")
    with pytest.raises(errors.Refused) as refused:
        await shop.send(shop.promotion("two"))
    assert refused.value.text.id == "promotion.others-commits"
    assert shop.requests()[0]["head"]["sha"] == others.commit


async def test_a_second_promotion_in_the_same_moment_overwrites_nothing(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = shop.promotion("one"), shop.promotion("two")
    real = checkouts.Checkout.push

    def overtaken(
        self: checkouts.Checkout, remote: str, commit: str, *words: Any, **named: Any
    ) -> None:
        shop.git("push", "-q", "origin", f"{second.commit}:refs/heads/{BRANCH}")
        real(self, remote, commit, *words, **named)

    with monkeypatch.context() as patch:
        patch.setattr(checkouts.Checkout, "push", overtaken)
        with pytest.raises(errors.Refused) as refused:
            await shop.send(first)
    assert refused.value.text.id == "repository.overtaken"
    assert shop.git("ls-remote", "origin", f"refs/heads/{BRANCH}").startswith(second.commit)


async def test_two_at_once_open_one_merge_request(shop: Shop) -> None:
    promotion = shop.promotion("one")
    for promoted in await asyncio.gather(shop.send(promotion), shop.send(promotion)):
        assert isinstance(promoted, promotions.Promoted)
    assert [entry["number"] for entry in shop.requests() if entry["state"] == "open"] == [1]
    assert (await shop.send(promotion)).outcome == "updated"


async def test_without_a_login_the_branch_is_pushed(shop: Shop) -> None:
    promotion = shop.promotion("one")
    promoted = await shop.send(promotion, GITEA_SERVER_URL="")
    assert (promoted.outcome, promoted.request) == ("pushed", None)
    assert shop.git("ls-remote", "origin", f"refs/heads/{BRANCH}").startswith(promotion.commit)
    assert shop.requests() == []


async def test_a_forge_that_is_away_leaves_the_branch_for_the_next_time(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = f"http://127.0.0.1:{ports.reserve()}"
    promotion = shop.promotion("one")
    with monkeypatch.context() as patch:
        patch.setattr(choosing, "_api", lambda _: away)
        with pytest.raises(errors.Unreachable) as unreachable:
            await shop.send(promotion)
    assert unreachable.value.text.id == "forge.unreachable"
    assert shop.git("ls-remote", "origin", f"refs/heads/{BRANCH}").startswith(promotion.commit)
    assert (await shop.send(promotion)).outcome == "opened"


async def test_a_branch_that_the_remote_does_not_take_is_refused_in_its_words(shop: Shop) -> None:
    shop.forge.protect(shop.project, "hanbae/*")
    with pytest.raises(errors.Refused) as refused:
        await shop.send(shop.promotion("one"))
    assert refused.value.text.id == "repository.rejected"
    assert "protected branch" in refused.value.text.facts["reason"]


def test_a_pushed_password_is_in_no_message(shop: Shop) -> None:
    shop.git("remote", "set-url", "origin", "http://ann:s3cr3t-w0rd@127.0.0.1:1/ann/shop.git")
    with pytest.raises(errors.Unreachable) as away:
        checkouts.Checkout.open(shop.clone).push("origin", shop.promotion("x").commit, BRANCH)
    assert "s3cr3t-w0rd" not in str(away.value)
    assert os.environ.get("GITEA_TOKEN") is None
