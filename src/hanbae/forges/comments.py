"""One comment of ours on a merge request, also where two runs write it in the same moment.

A forge posts whatever it is asked to: of two runs that look and then post, both post. So whoever has posted looks
again, and of the comments that are there the oldest stays. It is the same one for all who look.
"""

from __future__ import annotations

import contextlib
from typing import Final, Protocol

from msgspec import Struct

from hanbae import errors
from hanbae.forges import connections
from hanbae.streams import backoffs

_ATTEMPTS: Final = 5
"""Gitea fails with HTTP 500 where somebody else changes the comment in the same moment."""


class Comment(Protocol):
    """A comment as a forge describes it."""

    @property
    def id(self) -> int:
        """Its number; a later comment has a higher one."""

    @property
    def body(self) -> str | None:
        """Markdown."""

    @property
    def by(self) -> str:
        """Who has written it; empty where the account is gone."""


class _Posted(Struct):
    id: int


class Thread(Struct, frozen=True):
    """The comments on one merge request.

    Attributes:
        connection: The forge.
        kind: What a comment is there.
        path: Where they are listed and posted, below the address of the API.
        entries: The path of a comment, up to its number.
        change: The HTTP method that changes one.
        size: What the query calls the size of a page.
    """

    connection: connections.Connection
    kind: type[Comment]
    path: str
    entries: str
    change: str
    size: str

    async def put(self, text: str, *, mark: str, own: str) -> None:
        """Have one comment of ours: posted, or the oldest one changed; any others of ours are deleted.

        Args:
            text: Markdown that holds the mark.
            mark: By this our comments are known.
            own: Our name; with the same mark, those of others stay.

        Raises:
            hanbae.errors.Error: As for :meth:`hanbae.forges.connections.Connection.ask`.
        """
        body, attempts = {"body": text}, backoffs.Attempts(_ATTEMPTS)
        async for _ in attempts:
            numbers, posted = await self._numbers(mark, own), 0
            if not numbers:
                posted = (await self.connection.ask("POST", self.path, _Posted, body=body)).id
                numbers = await self._numbers(mark, own) | {posted}
            oldest, *others = sorted(numbers)
            try:
                if oldest != posted:
                    await self.connection.ask(
                        self.change, f"{self.entries}/{oldest}", dict, body=body
                    )
            except (connections.Missing, errors.Unreachable) as error:
                attempts.failed(error)
                continue
            for number in others:
                with contextlib.suppress(connections.Missing):  # the other run has deleted it
                    await self.connection.delete(f"{self.entries}/{number}")
            return
        raise attempts.error

    async def _numbers(self, mark: str, own: str) -> set[int]:
        """The numbers of our comments."""
        listed = self.connection.pages(self.path, self.kind, params={}, size=self.size)
        return {
            comment.id
            async for comment in listed
            if mark in (comment.body or "") and comment.by == own
        }
