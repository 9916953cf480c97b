"""GitLab by its published description: what it is asked is what it takes."""

from __future__ import annotations

import pytest
from tests.support import published

from hanbae.forges import gitlab, protocol
from hanbae.results import merge_requests

LIST = "GET /projects/{id}/merge_requests"
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
