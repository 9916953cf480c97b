"""GitHub by its published description: what it is asked is what it takes, and its own examples are understood."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest
from tests.support import published

from hanbae import masking
from hanbae.forges import connections, github, logins, protocol
from hanbae.results import merge_requests

PULL = "GET /repos/{owner}/{repo}/pulls"
REVIEWS = "GET /repos/{owner}/{repo}/pulls/{pull_number}/reviews"
PERMISSION = "GET /repos/{owner}/{repo}/collaborators/{username}/permission"
OF_COMMIT = "GET /repos/{owner}/{repo}/commits/{commit_sha}/pulls"
COMMENTS = "GET /repos/{owner}/{repo}/issues/{issue_number}/comments"
DELETE = "DELETE /repos/{owner}/{repo}/issues/comments/{comment_id}"
DRAFT = protocol.Draft("new-topic", "master", "Title", "Body")
HEAD = "6dcb09b5b57875f334f61aebed695e2e4193db5e"


@pytest.fixture
def described() -> published.Described:
    return published.Described.read("github", "")


@pytest.fixture
def forge(described: published.Described) -> github.GitHub:
    return github.GitHub(
        described.connection("github", "https://github.com"), "octocat/Hello-World"
    )


async def test_a_pull_request_is_looked_for_opened_and_changed(
    forge: github.GitHub, described: published.Described
) -> None:
    assert await forge.username() == "octocat"
    request = await forge.opened("new-topic", "master")
    assert request is not None
    assert (request.number, request.head, request.author) == (1347, HEAD, "octocat")
    assert await forge.opened("new-topic", "another") is None
    assert (await forge.open(DRAFT)).number == 1347
    await forge.edit(request, DRAFT)
    bodies = [body for _, body in described.requests if body is not None]
    assert bodies == [
        {"title": "Title", "body": "Body", "head": "new-topic", "base": "master"},
        {"title": "Title", "body": "Body"},
    ]


async def test_a_pull_request_of_a_fork_is_another(
    forge: github.GitHub, described: published.Described
) -> None:
    pull = dict(described.operations[PULL]["answer"][0])
    pull["head"] = {**pull["head"], "repo": {"id": 7, "full_name": "eve/Hello-World"}}
    described.answers[PULL] = [pull]
    assert await forge.opened("new-topic", "master") is None


async def test_what_is_said_of_a_commit_and_beside_a_pull_request(
    forge: github.GitHub, described: published.Described
) -> None:
    request = merge_requests.MergeRequest(1347, "", "new-topic", "master", HEAD, "octocat")
    await forge.report(HEAD, merge_requests.Status("hanbae/set", "failure", "x" * 300))
    await forge.comment(request, "text", mark="<!-- m -->")
    await forge.comment(request, "text", mark="Me too")
    names = [name for name, _ in described.requests]
    assert names[0] == "POST /repos/{owner}/{repo}/statuses/{sha}"
    assert len(described.requests[0][1]["description"]) == 140
    assert "POST /repos/{owner}/{repo}/issues/{issue_number}/comments" in names
    assert names[-1] == "PATCH /repos/{owner}/{repo}/issues/comments/{comment_id}"


async def test_a_list_without_pages_is_asked_for_no_more_often_than_it_takes_to_see_that(
    forge: github.GitHub, described: published.Described
) -> None:
    request = merge_requests.MergeRequest(1347, "", "new-topic", "master", HEAD, "octocat")
    (own,) = described.operations[COMMENTS]["answer"]
    others = [{**own, "id": number, "body": "x"} for number in range(2, 3 + connections.PAGE)]
    described.answers[COMMENTS] = [*others, own]  # as Gitea has them, whatever page is asked for
    await forge.comment(request, "text", mark="Me too")
    assert [name for name, _ in described.requests].count(COMMENTS) == 2
    assert described.paths[-1].endswith("/comments/1")


async def test_of_comments_that_two_have_posted_at_once_the_oldest_stays(
    forge: github.GitHub, described: published.Described
) -> None:
    request = merge_requests.MergeRequest(1347, "", "new-topic", "master", HEAD, "octocat")
    (own,) = described.operations[COMMENTS]["answer"]
    theirs = {**own, "id": 3, "user": {"login": "eve"}}
    before, after = [theirs], [{**own, "id": 5}, theirs, {**own, "id": 4}]
    described.turns[COMMENTS] = [before, after]
    described.answers[f"POST {COMMENTS[4:]}"] = {**own, "id": 5}
    described.answers[DELETE] = httpx2.Response(404, json={"message": "Not Found"})
    await forge.comment(request, "Me too, again", mark="Me too")
    issues = "/repos/octocat/Hello-World/issues"
    names = [name.partition(" ")[0] for name, _ in described.requests]
    assert list(zip(names, described.paths, strict=True))[1:] == [
        ("GET", f"{issues}/1347/comments"),
        ("POST", f"{issues}/1347/comments"),
        ("GET", f"{issues}/1347/comments"),
        ("PATCH", f"{issues}/comments/4"),
        ("DELETE", f"{issues}/comments/5"),
    ]
    assert described.requests[-2][1] == {"body": "Me too, again"}


def review(state: str, user: str) -> dict[str, Any]:
    return {"state": state, "commit_id": HEAD, "user": {"login": user}}


async def test_approvals_of_those_who_may_write_count_and_only_their_last_word(
    forge: github.GitHub, described: published.Described
) -> None:
    request = merge_requests.MergeRequest(1347, "", "new-topic", "master", HEAD, "octocat")
    assert [approval.by for approval in await forge.approvals(request)] == ["octocat"]
    described.answers[REVIEWS] = [
        review("APPROVED", "ben"),
        review("APPROVED", "cho"),
        review("CHANGES_REQUESTED", "cho"),
        review("COMMENTED", "ben"),
        review("DISMISSED", "dae"),
    ]
    assert await forge.approvals(request) == (merge_requests.Approval("ben", HEAD),)
    described.answers[PERMISSION] = {"permission": "read", "role_name": "read", "user": None}
    assert await forge.approvals(request) == ()


async def test_the_pull_request_of_a_merged_commit(
    forge: github.GitHub, described: published.Described
) -> None:
    merged = "e5bd3914e2e596debea16f433f57875b5b90bcd6"
    request = await forge.merged_by(merged, "master")
    assert request is not None
    assert request.merged == merged
    assert await forge.merged_by(merged, "release") is None
    assert await forge.merged_by(HEAD, "master") is None
    described.answers[OF_COMMIT] = [
        {**described.operations[PULL]["answer"][0], "merged_at": None, "merge_commit_sha": merged}
    ]
    assert await forge.merged_by(merged, "master") is None, "it is only tried out"


@pytest.mark.parametrize(
    ("url", "api"),
    [
        ("https://github.com", "https://api.github.com"),
        ("https://shop.ghe.com", "https://api.shop.ghe.com"),
        ("https://git.example.com", "https://git.example.com/api/v3"),
    ],
)
def test_the_address_of_its_api(url: str, api: str) -> None:
    assert github.api(logins.Login("github", url, masking.Masked(b"t"), "T")) == api
