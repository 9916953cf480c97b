"""What an engine promises to whoever drives it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from hanbae import subjects, wording
from hanbae.results import events, plans

Seen = events.Began | events.Observed | events.Logged | events.Noted


class Engine(Protocol):
    """Changes an environment and says what it sees; it never explains and never decides to stop."""

    @property
    def objects(self) -> Mapping[subjects.Ref, dict[str, Any]]:
        """The objects that belong to the deployment now, as the cluster gives them, Events about them included."""
        ...

    @property
    def awaits(self) -> tuple[wording.Text, ...]:
        """What is waited for now, for people who wonder why nothing moves."""
        ...

    def redact(self, text: str) -> str:
        """The text without the service's secrets, as far as they are known now."""
        ...

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
        """What happens in the operation until it has ended and the rollout is complete.

        Raises:
            hanbae.errors.Failed: Out of the iteration: the operation or the rollout has failed.
        """
        ...

    async def stop(self, operation: str) -> bool:
        """Terminate the operation if it still runs, and wait until it has ended.

        Returns:
            False when there was nothing to end any more.

        Raises:
            hanbae.errors.Unreachable: Whether it has ended is not known.
        """
        ...
