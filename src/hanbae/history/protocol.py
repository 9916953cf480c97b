"""What a history needs of a database: queries, transactions that nobody interleaves, and who drives what now."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol, TypeVar

from hanbae import subjects

BUSY: Final = 30.0
"""Seconds to wait for another process that is writing, or for a server that is away."""

T = TypeVar("T")
Rows = Sequence[tuple[Any, ...]]
Execute = Callable[[str, Mapping[str, object]], Rows]
"""Runs one statement within a transaction; values are written ``:name``."""


class Database(Protocol):
    """A database with the table of events. Usable from several threads.

    Attributes:
        place: How messages name it.
        address: Its address, as the policy and commands have it.

    The failures of whatever is behind it are translated: see :class:`hanbae.history.stores.Store`.
    """

    place: subjects.Place
    address: str

    def rows(self, query: str, values: Mapping[str, object]) -> Rows:
        """What a query yields; values are written ``:name``."""

    def transaction(self, work: Callable[[Execute], T], *, deployment: str) -> T:
        """What `work` returns, once all that it has executed is on the disk.

        Args:
            work: Executes statements; run again from its beginning where the connection was lost, also after a commit
                of which nobody learned whether it was made.
            deployment: Nobody else is in a transaction on this deployment meanwhile.
        """

    def watching(self, deployment: str) -> AbstractContextManager[None]:
        """Mark a deployment as driven by this process; where that cannot be written, nothing is marked."""

    def is_watched(self, deployment: str) -> bool:
        """Whether a process that this database knows of drives a deployment."""

    def wait(self, seconds: float) -> None:
        """Return as soon as somebody has added an event, at the latest after so many seconds."""

    def close(self) -> None:
        """Let go of it."""
