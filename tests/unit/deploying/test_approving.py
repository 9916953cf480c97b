"""Whose approval counts at GitHub and at GitLab: of the very head that was merged, and of somebody else."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support import published

from hanbae.deploying import approving
from hanbae.forges import github, gitlab, protocol
from hanbae.results import merge_requests

HEAD, FORMER = "b" * 40, "a" * 40
REQUEST = merge_requests.MergeRequest(7, "", "hanbae/dev-to-staging", "release", HEAD, "Ann")


def at_github(reviews: list[tuple[str, str, str]]) -> protocol.Forge:
    described = published.Described.read("github", "")
    described.answers["GET /repos/{owner}/{repo}/pulls/{pull_number}/reviews"] = [
        {"state": state, "commit_id": commit, "user": {"login": login}}
        for login, state, commit in reviews
    ]
    permission: dict[str, Any] = {"permission": "write", "role_name": "write", "user": None}
    described.answers["GET /repos/{owner}/{repo}/collaborators/{username}/permission"] = permission
    connection = described.connection("github", "https://github.com")
    return github.GitHub(connection, "shop/backend")


def at_gitlab(reviews: list[tuple[str, str, str]]) -> protocol.Forge:
    """At GitLab, what was approved before the newest commits came was approved of the former head."""
    described = published.Described.read("gitlab", "/api/v4")
    base = "GET /projects/{id}/merge_requests/{merge_request_iid}"
    moments = {HEAD: "2026-11-28T10:00:00Z", FORMER: "2026-11-28T08:00:00Z"}
    described.answers[f"{base}/approvals"] = {
        "approved_by": [
            {"user": {"username": login}, "approved_at": moments[commit]}
            for login, state, commit in reviews
            if state == "APPROVED"
        ]
    }
    described.answers[f"{base}/versions"] = [
        {"id": 2, "head_commit_sha": HEAD, "created_at": "2026-11-28T09:00:00Z"},
        {"id": 1, "head_commit_sha": FORMER, "created_at": "2026-11-28T07:00:00Z"},
    ]
    connection = described.connection("gitlab", "https://gitlab.com")
    return gitlab.GitLab(connection, "shop/backend")


@pytest.mark.parametrize("forge", [at_github, at_gitlab], ids=["github", "gitlab"])
@pytest.mark.parametrize(
    ("reviews", "givers"),
    [
        ([("ben", "APPROVED", HEAD)], ["ben"]),
        ([("ben", "APPROVED", FORMER)], []),
        ([("ben", "APPROVED", FORMER), ("cho", "APPROVED", HEAD)], ["cho"]),
        ([("ann", "APPROVED", HEAD)], []),  # the author, however their name is written
        ([("DEPLOYER", "APPROVED", HEAD)], []),
        ([("ben", "CHANGES_REQUESTED", HEAD)], []),
    ],
    ids=["of the head", "of the one before", "of both", "author", "deployer", "changes"],
)
async def test_an_approval_is_of_the_exact_head_and_of_somebody_else(
    forge: Any, reviews: list[tuple[str, str, str]], givers: list[str]
) -> None:
    heads = frozenset({HEAD})
    assert await approving._givers(forge(reviews), REQUEST, heads, "deployer") == givers
