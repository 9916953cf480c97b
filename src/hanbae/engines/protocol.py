"""What an engine promises to whoever drives it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from hanbae import errors, subjects, wording
from hanbae.results import events, plans

Seen = events.Began | events.Observed | events.Logged | events.Noted


class HeadMoved(errors.Refused):
    """The head of the branch is another revision than the one that was to be deployed; nothing was begun."""


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

    async def known(self) -> str:
        """By what the last operation that has ended is told from one that begins from now on; may be empty.

        To be kept before `begin`, so that who resumes after a crash can tell as well.
        """
        ...

    async def begin(self, does: plans.Effect, key: str, *, known: str | None = None) -> str:
        """Start the operation, or find the one that was started with this key.

        Args:
            does: What to do.
            key: The intent's key; idempotent by it.
            known: What `known` said before somebody began with this key; None when nobody has.

        Returns:
            The operation, for `follow` and `stop`.

        Raises:
            hanbae.errors.Refused: Somebody else's operation is active.
            hanbae.errors.Unreachable: The cluster did not answer, or nobody can tell whether what was begun has run.
        """
        ...

    def follow(self, operation: str) -> AbstractAsyncContextManager[AsyncIterator[Seen]]:
        """What happens in the operation until it has ended and the rollout is complete.

        Raises:
            hanbae.errors.Failed: Out of the iteration: the operation or the rollout has failed.
            HeadMoved: Out of the iteration: the branch has another revision by now.
        """
        ...

    async def stop(self, does: plans.Effect, key: str) -> bool:
        """Terminate the operation if it still runs, and wait until it has ended; begun by us or not.

        Returns:
            False when there was nothing to end any more.

        Raises:
            hanbae.errors.Unreachable: Whether it has ended is not known.
        """
        ...
