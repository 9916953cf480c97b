"""The two ways to one Application: through its object, or through Argo CD's API. The engine knows no difference."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from typing import Final, Protocol

from hanbae import errors, object_shapes, subjects
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

    def watch(self, *, present: kinds.Object | None = None) -> AsyncGenerator[watching.WatchEvent]:
        """Every version of the object, beginning with the present one.

        Args:
            present: The object as it was read before: that version is not given again, and where it is gone by now, it
                is deleted.
        """
        ...

    async def existing(self, *, within: float = APPEARS_WITHIN) -> kinds.Object:
        """The object; when there is none, it is waited for.

        Args:
            within: Seconds to wait for it.

        Raises:
            hanbae.errors.Refused: It did not appear.
        """
        ...

    async def refresh(self, how: object_shapes.RefreshKind = "normal") -> kinds.Object:
        """Ask Argo CD to look at the repository.

        Args:
            how: ``hard`` to have it render everything anew. Where it is asked for already in this way, nothing changes;
                nor where a hard one is, which is never replaced by a normal one.

        Returns:
            The version that counts from now on.
        """
        ...

    async def ask(
        self,
        does: plans.Synced,
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
            False when there was none any more. One that was told to end already, or may have been, counts.

        Raises:
            hanbae.errors.Unreachable: It did not end in time, or Argo CD did not answer.
        """
        ...


async def appearance(application: Application, within: float) -> kinds.Object | None:
    """The object as soon as there is one; None when there is none after so many seconds."""
    try:
        async with asyncio.timeout(within), aclosing(application.watch()) as stream:
            async for version in stream:
                if version.type != "deleted":
                    return version.object
    except TimeoutError:
        pass
    return None


async def idleness(application: Application) -> None:
    """Wait until no operation is asked for or runs."""
    present = await application.read()
    if present is None or operations.active(present) is None:
        return
    async with aclosing(application.watch(present=present)) as stream:
        async for version in stream:
            if version.type == "deleted" or operations.active(version.object) is None:
                return


def carries(ref: subjects.Ref, application: kinds.Object, key: str) -> bool:
    """Whether an Application's operation is the one with the key; False where it is free to take it.

    Raises:
        hanbae.engines.protocol.Busy: Another one is active.
    """
    current = operations.current(application)
    if current is None or current.key == key:
        return current is not None
    if current.active:
        raise busy(ref, current)
    return False


def chosen(does: plans.Synced) -> list[tuple[str, subjects.Ref]]:
    """The objects of a selective sync, with their groups; none for all of them."""
    only = does.only if isinstance(does, plans.Sync) else ()
    return [(kinds.named(ref.kind).group, ref) for ref in only]


def present(ref: subjects.Ref, application: kinds.Object | None) -> kinds.Object:
    """An Application that must be there.

    Raises:
        hanbae.errors.Failed: It was deleted.
    """
    if application is None:
        raise errors.Failed("argo.application-deleted", application=ref.name)
    return application


def stuck(ref: subjects.Ref, command: str) -> errors.Unreachable:
    """The error for an operation that was told to end and does not.

    Args:
        ref: The Application.
        command: The command that shows what holds it up.
    """
    return errors.Unreachable("argo.does-not-end", application=ref.name, command=command)


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
