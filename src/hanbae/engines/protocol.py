"""What an engine promises to whoever drives it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from msgspec import Struct

from hanbae import errors, subjects, wording
from hanbae.results import events, plans

EngineEvent = events.Began | events.Observed | events.Logged | events.Noted


class HeadMoved(errors.Refused):
    """The head of the branch is another revision than the one that was to be deployed; nothing was begun."""


class Busy(errors.Refused):
    """Somebody else's operation is active; nothing was begun."""


class Occupant(Struct, frozen=True):
    """Somebody else's operation on the same application.

    Attributes:
        identity: By which this operation is told from the next one.
        revision: The commit that it deploys; empty where that is not known.
        by: Who started it; empty for the engine's own automation.
        automated: Whether the engine's automation started it.
        started: When it began, in RFC 3339; empty where it has not begun yet.
        message: What it is doing, in the engine's words.
        objects: The objects that belong to it, and the Events about them.
        logs: The last lines of its containers that have failed, by pod and container, masked.
    """

    identity: str
    revision: str
    by: str
    automated: bool
    started: str
    message: str
    objects: Mapping[subjects.Ref, dict[str, Any]] = {}
    logs: Mapping[tuple[subjects.Ref, str], Sequence[str]] = {}


class Engine(Protocol):
    """Changes an environment and says what it sees; it never explains and never decides to stop."""

    @property
    def objects(self) -> Mapping[subjects.Ref, dict[str, Any]]:
        """The objects that belong to the deployment now, as the cluster gives them, Events about them included."""
        ...

    @property
    def crashes_before(self) -> Mapping[tuple[subjects.Ref, str], int]:
        """Pod and container → how often it had ended when the deployment first saw it; new pods are not in it."""
        ...

    @property
    def awaits(self) -> tuple[wording.Text, ...]:
        """What is waited for now, for people who wonder why nothing moves."""
        ...

    @property
    def is_blocked(self) -> bool:
        """Whether what was begun waits for the end of somebody else's operation."""
        ...

    async def occupant(self) -> Occupant | None:
        """Somebody else's operation that is active now, with its objects read freshly.

        Raises:
            hanbae.errors.Unreachable: The cluster did not answer.
        """
        ...

    async def end(self, occupant: Occupant) -> bool:
        """Terminate somebody else's operation, and wait until it has ended.

        Returns:
            False when it had ended already.

        Raises:
            hanbae.errors.Unreachable: Whether it has ended is not known.
        """
        ...

    def redact(self, text: str) -> str:
        """The text without the service's secrets, as far as they are known now."""
        ...

    async def previous(self) -> str:
        """By what the last operation, ended or somebody else's, is told from one that begins from now on; may be empty.

        To be kept before `begin`, so that who resumes after a crash can tell as well.
        """
        ...

    async def begin(self, does: plans.Effect, key: str, *, previous: str | None = None) -> str:
        """Start the operation, or find the one that was started with this key.

        Args:
            does: What to do.
            key: The intent's key; idempotent by it.
            previous: What `previous` said before somebody began with this key; None when nobody has.

        Returns:
            The operation, for `follow` and `stop`.

        Raises:
            Busy: Somebody else's operation is active.
            hanbae.errors.Unreachable: The cluster did not answer, or nobody can tell whether what was begun has run.
        """
        ...

    def follow(self, operation: str) -> AbstractAsyncContextManager[AsyncIterator[EngineEvent]]:
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
