"""What hanbae asks of a forge, whichever it is.

Everything may be asked again: what was done by an exchange that broke off is found and brought up to date, so that a
command that was killed is simply run once more.
"""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct

from hanbae.results import merge_requests


class Draft(Struct, frozen=True):
    """What a merge request is to say.

    Attributes:
        source: The branch that is merged.
        target: The branch that it is merged into.
        title: One line.
        body: Markdown.
    """

    source: str
    target: str
    title: str
    body: str


class Forge(Protocol):
    """One repository of a forge, as one user. Every method raises `hanbae.errors.Unreachable` and its kin."""

    @property
    def url(self) -> str:
        """The repository's page."""

    async def username(self) -> str:
        """Who the token belongs to."""

    async def opened(self, source: str, target: str) -> merge_requests.MergeRequest | None:
        """The open merge request of one branch into another, or None."""

    async def open(self, draft: Draft) -> merge_requests.MergeRequest:
        """Open a merge request.

        Raises:
            hanbae.errors.Refused: The forge does not want it; in its words.
        """

    async def edit(
        self, request: merge_requests.MergeRequest, draft: Draft
    ) -> merge_requests.MergeRequest:
        """Give a merge request another title and body."""

    async def merged_by(self, commit: str, target: str) -> merge_requests.MergeRequest | None:
        """The merge request by which a commit came to be in a branch, or None."""

    async def approvals(
        self, request: merge_requests.MergeRequest
    ) -> tuple[merge_requests.Approval, ...]:
        """Who approves a merge request: each once, those that have taken it back left out."""

    async def report(self, commit: str, status: merge_requests.Status) -> None:
        """Say something of a commit; what was said under the same name before no longer counts."""

    async def comment(self, request: merge_requests.MergeRequest, text: str, *, mark: str) -> None:
        """Have one comment of ours on a merge request.

        Args:
            request: The merge request.
            text: Markdown that holds the mark.
            mark: By this a comment of the same user is found again, and changed.
        """
