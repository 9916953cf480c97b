"""What Gitea and GitHub have in common: one has taken the other's API for its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

from msgspec import Struct

from hanbae.forges import comments, connections, protocol
from hanbae.results import merge_requests

_LONGEST_STATUS: Final = 140
"""Characters of a sentence about a commit; GitHub takes no more."""


class _User(Struct):
    login: str


class _Repository(Struct):
    id: int


class _Branch(Struct):
    ref: str
    sha: str
    repo: _Repository | None = None


class Pull(Struct):
    """A pull request, as both describe it."""

    number: int
    html_url: str
    head: _Branch
    base: _Branch
    user: _User | None = None
    state: str = ""
    merged_at: str | None = None
    merge_commit_sha: str | None = None

    def is_of(self, source: str, target: str) -> bool:
        """Whether it is of one branch into another of the same repository: anybody can call a fork's branch so."""
        head, base = self.head.repo, self.base.repo
        own = head is not None and base is not None and head.id == base.id
        return own and (self.head.ref, self.base.ref) == (source, target)

    @property
    def request(self) -> merge_requests.MergeRequest:
        """In our words."""
        return merge_requests.MergeRequest(
            self.number,
            self.html_url,
            self.head.ref,
            self.base.ref,
            self.head.sha,
            self.user.login if self.user else "",
            (self.merge_commit_sha or "") if self.merged_at else "",
        )


class Review(Struct):
    """A review; `official` is Gitea's, and says whether the reviewer may write to the branch."""

    state: str
    commit_id: str | None = None
    user: _User | None = None
    dismissed: bool = False
    official: bool = False


class _Comment(Struct):
    id: int
    body: str | None = None
    user: _User | None = None

    @property
    def by(self) -> str:
        return self.user.login if self.user else ""


class Pulls:
    """A repository whose merge requests are pull requests.

    Args:
        connection: The forge.
        project: The repository's path.
    """

    def __init__(self, connection: connections.Connection, project: str) -> None:
        self._connection = connection
        self._project = project
        self._base = f"repos/{quote(project)}"
        self._size = "per_page"

    @property
    def url(self) -> str:
        """The repository's page."""
        return f"{self._connection.login.url}/{self._project}"

    async def username(self) -> str:
        """Who the token belongs to."""
        return (await self._connection.ask("GET", "user", _User)).login

    async def open(self, draft: protocol.Draft) -> merge_requests.MergeRequest:
        """Open a pull request."""
        body = {
            "title": draft.title,
            "body": draft.body,
            "head": draft.source,
            "base": draft.target,
        }
        return (await self._connection.ask("POST", f"{self._base}/pulls", Pull, body=body)).request

    async def edit(
        self, request: merge_requests.MergeRequest, draft: protocol.Draft
    ) -> merge_requests.MergeRequest:
        """Give a pull request another title and body."""
        path = f"{self._base}/pulls/{request.number}"
        body = {"title": draft.title, "body": draft.body}
        return (await self._connection.ask("PATCH", path, Pull, body=body)).request

    async def report(self, commit: str, status: merge_requests.Status) -> None:
        """Say something of a commit."""
        body = {
            "context": status.name,
            "state": status.state,
            "description": status.text[:_LONGEST_STATUS],
        }
        path = f"{self._base}/statuses/{commit}"
        await self._connection.ask("POST", path, dict, body=body)

    async def comment(self, request: merge_requests.MergeRequest, text: str, *, mark: str) -> None:
        """Have one comment of ours on a pull request."""
        thread = comments.Thread(
            self._connection,
            _Comment,
            f"{self._base}/issues/{request.number}/comments",
            f"{self._base}/issues/comments",
            "PATCH",
            self._size,
        )
        await thread.put(text, mark=mark, own=await self.username())

    async def _reviews(self, request: merge_requests.MergeRequest) -> tuple[Review, ...]:
        """The last word of each reviewer; a comment is none."""
        path = f"{self._base}/pulls/{request.number}/reviews"
        reviews = self._connection.pages(path, Review, params={}, size=self._size)
        return last_words([review async for review in reviews])


def last_words(reviews: Iterable[Review]) -> tuple[Review, ...]:
    """The reviews that count: of each reviewer the last that decides; a comment, or the wish for a review, does not."""
    by_user = {
        review.user.login: review
        for review in reviews
        if review.user is not None
        and review.state in {"APPROVED", "CHANGES_REQUESTED", "REQUEST_CHANGES", "DISMISSED"}
    }
    return tuple(by_user.values())
