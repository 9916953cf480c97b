"""GitLab by its published description: what it is asked is what it takes."""

from __future__ import annotations

import httpx2
import pytest
from tests.support import published

from hanbae.forges import connections, gitlab, protocol
from hanbae.results import merge_requests

LIST = "GET /projects/{id}/merge_requests"
NOTES = "GET /projects/{id}/merge_requests/{noteable_id}/notes"
OF_COMMIT = "GET /projects/{id}/repository/commits/{sha}/merge_requests"
STATUS = "POST /projects/{id}/statuses/{sha}"
APPROVALS = "GET /projects/{id}/merge_requests/{merge_request_iid}/approvals"
VERSIONS = "GET /projects/{id}/merge_requests/{merge_request_iid}/versions"
DRAFT = protocol.Draft("hanbae/dev-to-staging", "release", "Title", "Body")
HEAD = "b" * 40


@pytest.fixture
def described() -> published.Described:
    return published.Described.read("gitlab", "/api/v4")


@pytest.fixture
def forge(described: published.Described) -> gitlab.GitLab:
    return gitlab.GitLab(described.connection("gitlab", "https://gitlab.com"), "shop/group/backend")


async def test_a_merge_request_is_looked_for_opened_and_changed(
    forge: gitlab.GitLab, described: published.Described
) -> None:
    request = await forge.opened(DRAFT.source, DRAFT.target)
    assert request is not None
    assert (request.number, request.head, request.author) == (7, HEAD, "ann")
    assert await forge.open(DRAFT) == request
    assert await forge.edit(request, DRAFT) == request
    bodies = [body for _, body in described.requests if body is not None]
    assert bodies[0]["description"] == bodies[1]["description"] == "Body"
    assert bodies[0]["source_branch"] == DRAFT.source


async def test_a_merge_request_of_a_fork_is_another(
    forge: gitlab.GitLab, described: published.Described
) -> None:
    own = described.operations[LIST]["answer"][0]
    described.answers[LIST] = [{**own, "source_project_id": 9}]
    assert await forge.opened(DRAFT.source, DRAFT.target) is None


async def test_approvals_count_from_when_the_newest_commits_came(forge: gitlab.GitLab) -> None:
    request = merge_requests.MergeRequest(7, "", DRAFT.source, DRAFT.target, HEAD, "ann")
    assert await forge.approvals(request) == (merge_requests.Approval("ben", HEAD),)


async def test_what_is_said_of_a_commit_is_cut_to_what_gitlab_takes(
    forge: gitlab.GitLab, described: published.Described
) -> None:
    await forge.report(HEAD, merge_requests.Status("hanbae/set", "success", "x" * 300))
    await forge.report(HEAD, merge_requests.Status("hanbae/gates", "failure", "1 of 3"))
    assert described.requests == [
        (STATUS, {"name": "hanbae/set", "state": "success", "description": "x" * 255}),
        (STATUS, {"name": "hanbae/gates", "state": "failed", "description": "1 of 3"}),
    ]


REQUEST = merge_requests.MergeRequest(7, "", DRAFT.source, DRAFT.target, HEAD, "ann")


async def test_our_note_is_changed_and_nobody_elses(
    forge: gitlab.GitLab, described: published.Described
) -> None:
    (own,) = described.operations[NOTES]["answer"]
    theirs = {**own, "id": 301, "author": {"id": 2, "username": "eve"}}
    nobodys = {**own, "id": 300, "author": None}  # whose account was deleted
    described.answers[NOTES] = [nobodys, theirs, own]
    await forge.comment(REQUEST, "text", mark="<!-- m -->")
    assert described.requests[-1] == (f"PUT {NOTES[4:]}/{{note_id}}", {"body": "text"})
    assert described.paths[-1].endswith("/notes/302")
    described.answers[NOTES] = [nobodys, theirs]
    await forge.comment(REQUEST, "text", mark="<!-- m -->")
    assert (f"POST {NOTES[4:]}", {"body": "text"}) in described.requests


async def test_our_note_is_found_behind_a_page_of_others(
    forge: gitlab.GitLab, described: published.Described
) -> None:
    (own,) = described.operations[NOTES]["answer"]
    others = [{**own, "id": number, "body": "x"} for number in range(connections.PAGE)]
    described.pages[NOTES] = [others, [own]]
    await forge.comment(REQUEST, "text", mark="<!-- m -->")
    assert [name for name, _ in described.requests][-3:] == [
        NOTES,
        NOTES,
        f"PUT {NOTES[4:]}/{{note_id}}",
    ]


async def test_our_note_is_found_behind_a_page_from_which_notes_are_left_out(
    forge: gitlab.GitLab, described: published.Described
) -> None:
    (own,) = described.operations[NOTES]["answer"]
    links = {"link": '<https://forge.example.com/api/v4/x?page=2>; rel="next"'}
    for others in ([{**own, "id": 1, "body": "x"}], []):
        described.pages[NOTES] = [httpx2.Response(200, json=others, headers=links), [own]]
        await forge.comment(REQUEST, "text", mark="<!-- m -->")
        assert described.paths[-1].endswith("/notes/302")


async def test_of_notes_that_two_have_posted_at_once_the_oldest_stays(
    forge: gitlab.GitLab, described: published.Described
) -> None:
    (own,) = described.operations[NOTES]["answer"]
    theirs = {**own, "id": 301, "author": {"id": 2, "username": "eve"}}
    described.turns[NOTES] = [[theirs], [{**own, "id": 303}, own, theirs]]  # the newest first
    await forge.comment(REQUEST, "text", mark="<!-- m -->")
    assert described.requests[2:] == [
        (f"POST {NOTES[4:]}", {"body": "text"}),
        (NOTES, None),
        (f"DELETE {NOTES[4:]}/{{note_id}}", None),
    ]
    assert described.paths[-1].endswith("/notes/303")


@pytest.mark.parametrize("field", ["merge_commit_sha", "squash_commit_sha", "sha"])
async def test_the_merge_request_of_a_merged_commit_however_it_was_merged(
    forge: gitlab.GitLab, described: published.Described, field: str
) -> None:
    merged = "c" * 40
    entry = {**described.operations[LIST]["answer"][0], "state": "merged", field: merged}
    described.answers[OF_COMMIT] = [entry]
    brought = await forge.merged_by(merged, "release")
    assert brought is not None
    assert (brought.number, brought.merged) == (7, merged)
    assert await forge.merged_by(merged, "main") is None
    described.answers[OF_COMMIT] = [{**entry, "state": "opened"}]
    assert await forge.merged_by(merged, "release") is None


@pytest.mark.parametrize(
    ("approved", "head", "counts"),
    [
        ("2026-11-28T10:00:00Z", HEAD, True),
        ("2026-11-28T08:00:00Z", HEAD, False),  # before the newest commits came
        (None, HEAD, False),  # of a GitLab that does not say
        ("2026-11-28T10:00:00Z", "d" * 40, False),  # somebody pushes while it is read
    ],
)
async def test_an_approval_counts_at_the_exact_head(
    forge: gitlab.GitLab,
    described: published.Described,
    approved: str | None,
    head: str,
    *,
    counts: bool,
) -> None:
    described.answers[APPROVALS] = {
        "approved_by": [{"user": {"username": "ben"}, "approved_at": approved}]
    }
    described.answers[VERSIONS] = [
        {"id": 1, "head_commit_sha": "a" * 40, "created_at": "2026-11-28T07:00:00Z"},
        {"id": 2, "head_commit_sha": head, "created_at": "2026-11-28T09:00:00Z"},
    ]
    approvals = await forge.approvals(REQUEST)
    assert (merge_requests.Approval("ben", HEAD) in approvals) is counts


async def test_a_merge_request_without_versions_has_no_approvals(
    forge: gitlab.GitLab, described: published.Described
) -> None:
    described.answers[VERSIONS] = []
    assert await forge.approvals(REQUEST) == ()
