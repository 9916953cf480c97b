"""What an engine promises to whoever drives it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from hanbae.results import events, plans

Seen = events.Began | events.Observed | events.Logged | events.Noted


class Engine(Protocol):
    """Changes an environment and says what it sees; it never explains and never decides to stop."""

    async def begin(self, does: plans.Sync | plans.Follow, key: str) -> str:
        """Start the operation, or find the one that was started with this key.

        Args:
            does: What to do.
            key: The intent's key; idempotent by it.

        Returns:
            The operation, for `follow` and `stop`.

        Raises:
            hanbae.errors.Refused: Somebody else's operation is active.
            hanbae.errors.Unreachable: The cluster did not answer.
        """
        ...

    def follow(self, operation: str) -> AbstractAsyncContextManager[AsyncIterator[Seen]]:
        """What happens in the operation until it has ended and the rollout is complete or has failed."""
        ...

    async def stop(self, operation: str) -> None:
        """Terminate the operation if it still runs, and wait until it has ended."""
        ...
