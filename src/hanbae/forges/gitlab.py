"""GitLab."""

from __future__ import annotations

import contextlib
from datetime import datetime
from typing import Final
from urllib.parse import quote

from msgspec import Struct

from hanbae.forges import comments, connections, protocol
from hanbae.results import merge_requests

_LONGEST_STATUS: Final = 255
_SIZE: Final = "per_page"
_STATES: Final = {"success": "success", "failure": "failed"}


class _User(Struct):
    username: str


class _MergeRequest(Struct):
    iid: int
    web_url: str
    source_branch: str
    target_branch: str
    source_project_id: int | None = None
    target_project_id: int = 0
    sha: str | None = None
    author: _User | None = None
    state: str = ""
    merge_commit_sha: str | None = None
    squash_commit_sha: str | None = None

    def request(self, merged: str = "") -> merge_requests.MergeRequest:
        return merge_requests.MergeRequest(
            self.iid,
            self.web_url,
            self.source_branch,
            self.target_branch,
            self.sha or "",
            self.author.username if self.author else "",
            merged,
        )


class _ApprovedBy(Struct):
    user: _User
    approved_at: datetime | None = None


class _Approvals(Struct):
    approved_by: list[_ApprovedBy] = []


class _Version(Struct):
    head_commit_sha: str
    created_at: datetime


class _Note(Struct):
    id: int
    body: str
    author: _User | None = None

    @property
    def by(self) -> str:
        return self.author.username if self.author else ""


class GitLab:
    """A project of GitLab's.

    Args:
        connection: The forge.
        project: The project's path.
    """

    def __init__(self, connection: connections.Connection, project: str) -> None:
        self._connection = connection
        self._project = project
        self._base = f"projects/{quote(project, safe='')}"

    @property
    def url(self) -> str:
        """The project's page."""
        return f"{self._connection.login.url}/{self._project}"

    async def username(self) -> str:
        """Who the token belongs to."""
        return (await self._connection.ask("GET", "user", _User)).username

    async def opened(self, source: str, target: str) -> merge_requests.MergeRequest | None:
        """The open merge request of one branch into another of the project; those from forks are others."""
        params = {"state": "opened", "source_branch": source, "target_branch": target}
        path = f"{self._base}/merge_requests"
        entries = self._connection.pages(path, _MergeRequest, params=params, size=_SIZE)
        async for entry in entries:
            if entry.source_project_id == entry.target_project_id:
                return entry.request()
        return None

    async def open(self, draft: protocol.Draft) -> merge_requests.MergeRequest:
        """Open a merge request; its branch goes when it is merged."""
        body = {
            "source_branch": draft.source,
            "target_branch": draft.target,
            "title": draft.title,
            "description": draft.body,
            "remove_source_branch": True,
        }
        path = f"{self._base}/merge_requests"
        return (await self._connection.ask("POST", path, _MergeRequest, body=body)).request()

    async def edit(
        self, request: merge_requests.MergeRequest, draft: protocol.Draft
    ) -> merge_requests.MergeRequest:
        """Give a merge request another title and body."""
        body = {"title": draft.title, "description": draft.body}
        path = f"{self._base}/merge_requests/{request.number}"
        return (await self._connection.ask("PUT", path, _MergeRequest, body=body)).request()

    async def merged_by(self, commit: str, target: str) -> merge_requests.MergeRequest | None:
        """The merge request by which a commit came to be in a branch."""
        path = f"{self._base}/repository/commits/{commit}/merge_requests"
        entries = self._connection.pages(path, _MergeRequest, params={}, size=_SIZE)
        with contextlib.suppress(connections.Missing):
            async for entry in entries:
                # A merge commit, a squashed one, or the head itself, where the branch was only moved on.
                brought = {entry.merge_commit_sha, entry.squash_commit_sha, entry.sha}
                if entry.state == "merged" and entry.target_branch == target and commit in brought:
                    return entry.request(commit)
        return None

    async def approvals(
        self, request: merge_requests.MergeRequest
    ) -> tuple[merge_requests.Approval, ...]:
        """Who approves it.

        GitLab does not say which head somebody has approved, but since when: who has done so before the newest commits
        came has not seen them.
        """
        path = f"{self._base}/merge_requests/{request.number}"
        answer = await self._connection.ask("GET", f"{path}/approvals", _Approvals)
        versions = await self._connection.ask("GET", f"{path}/versions", list[_Version])
        newest = max(versions, key=lambda version: version.created_at, default=None)
        if newest is None:
            return ()
        return tuple(
            merge_requests.Approval(entry.user.username, newest.head_commit_sha)
            for entry in answer.approved_by
            if entry.approved_at is not None and entry.approved_at >= newest.created_at
        )

    async def report(self, commit: str, status: merge_requests.Status) -> None:
        """Say something of a commit."""
        body = {
            "name": status.name,
            "state": _STATES[status.state],
            "description": status.text[:_LONGEST_STATUS],
        }
        await self._connection.ask("POST", f"{self._base}/statuses/{commit}", dict, body=body)

    async def comment(self, request: merge_requests.MergeRequest, text: str, *, mark: str) -> None:
        """Have one note of ours on a merge request."""
        path = f"{self._base}/merge_requests/{request.number}/notes"
        thread = comments.Thread(self._connection, _Note, path, path, "PUT", _SIZE)
        await thread.put(text, mark=mark, own=await self.username())
