"""The two ways to one Application: through its object, or through Argo CD's API. The engine knows no difference."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Final, Protocol

from hanbae import errors, subjects
from hanbae.argo import operations
from hanbae.clusters import kinds, watching
from hanbae.engines import protocol
from hanbae.results import plans

ATTEMPTS: Final = 8
"""How often something is asked for, until the other side counts as one that does not take it."""
APPEARS_WITHIN: Final = 60.0
"""Seconds in which an ApplicationSet must have made an Application."""
ENDS_WITHIN: Final = 60.0
"""Seconds in which a terminated operation must have ended."""


class Application(Protocol):
    """One Application, written to so that every write can be repeated."""

    ref: subjects.Ref

    async def read(self) -> kinds.Object | None:
        """The object now, or None."""
        ...

    def watch(self) -> AsyncGenerator[watching.Seen]:
        """Every version of the object, beginning with the present one."""
        ...

    async def existing(self, *, within: float = APPEARS_WITHIN) -> kinds.Object:
        """The object; when there is none, it is waited for.

        Args:
            within: Seconds to wait for it.

        Raises:
            hanbae.errors.Refused: It did not appear.
        """
        ...

    async def refresh(self) -> kinds.Object:
        """Ask Argo CD to look at the repository; the answer is the version that counts from now on."""
        ...

    async def ask(
        self,
        does: plans.Effect,
        key: str,
        by: str,
        *,
        about: Mapping[str, str] | None = None,
    ) -> kinds.Object:
        """Start the operation, or find the one that carries the key.

        Args:
            does: What to deploy.
            key: The intent's key.
            by: Who asks.
            about: What else the operation says about itself.

        Returns:
            The object with it.

        Raises:
            hanbae.engines.protocol.Busy: Somebody else's operation is active.
            hanbae.errors.Refused: Argo CD does not allow it.
            hanbae.errors.Unreachable: Argo CD did not take it.
        """
        ...

    async def idle(self) -> None:
        """Wait until no operation is asked for or runs."""
        ...

    async def terminate(self, is_ours: Callable[[operations.Operation], bool]) -> bool:
        """End an operation, and wait until it has ended.

        Args:
            is_ours: Which operation is meant.

        Returns:
            False when there was none any more.

        Raises:
            hanbae.errors.Unreachable: It did not end in time, or Argo CD did not answer.
        """
        ...


def busy(ref: subjects.Ref, current: operations.Operation) -> protocol.Busy:
    """The error about somebody else's operation: whose, since when, what it waits for, and how it is ended."""
    return protocol.Busy(
        "argo.busy",
        application=ref.name,
        revision=current.revision[:12] or "-",
        by=current.by or "Argo CD",
        since=current.started or "-",
        message=current.message or current.phase,
    )


def not_taken(ref: subjects.Ref) -> errors.Unreachable:
    """The error for an Application that took no operation, however often it was asked to."""
    return errors.Unreachable("argo.cannot-write", application=ref.name)
