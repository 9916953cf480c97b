"""The Application as something that is written to: asked to deploy, to look again, to end.

Every write can be repeated: an operation carries the intent's key, so whoever asks again finds it instead of
starting another, and an answer that was lost is read back before anything is asked twice.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Final, TypeVar

from hanbae import errors, object_shapes, subjects
from hanbae.argo import applications, destinations, operations
from hanbae.clusters import answers, connections, kinds, reading, watching, writing
from hanbae.engines.argocd import application_sets, transports
from hanbae.results import plans
from hanbae.streams import backoffs

Outcome = TypeVar("Outcome")

_LOOK_AT_SET_EVERY: Final = 1.0
"""Seconds between two looks at an ApplicationSet that is to make an Application."""


class Application:
    """One Application on the control cluster.

    Args:
        cluster: The control cluster.
        ref: The Application.
        made_by: The ApplicationSet that makes it; empty for none.
    """

    def __init__(
        self, cluster: connections.Cluster, ref: subjects.Ref, *, made_by: str = ""
    ) -> None:
        self.ref = ref
        self._set = application_sets.ApplicationSet(cluster, ref.namespace, made_by)
        self._cluster = cluster

    async def read(self) -> kinds.Object | None:
        """The object now, or None."""
        return await persist(
            lambda: reading.get(self._cluster, kinds.APPLICATION, self.ref.namespace, self.ref.name)
        )

    def watch(self, *, present: kinds.Object | None = None) -> AsyncGenerator[watching.WatchEvent]:
        """Every version of the object; see :class:`hanbae.engines.argocd.transports.Application`."""
        return watching.watch(
            self._cluster,
            kinds.APPLICATION,
            self.ref.namespace,
            field_selector=f"metadata.name={self.ref.name}",
            present=[] if present is None else [present],
        )

    async def existing(self, *, within: float = transports.APPEARS_WITHIN) -> kinds.Object:
        """The object; when there is none, its ApplicationSet is asked to look, and it is waited for.

        Args:
            within: Seconds to wait for it.

        Raises:
            hanbae.errors.Refused: It did not appear, or Argo CD does not know the cluster that it is for.
        """
        application = await self.read() or await self._generated(within)
        if application is not None:
            return application
        fault = await self._set.fault()
        if fault is not None:
            raise self._not_made(fault)
        raise errors.Refused(
            "argo.no-application",
            application=self.ref.name,
            namespace=self.ref.namespace,
            seconds=f"{within:g}",
        )

    async def _generated(self, within: float) -> kinds.Object | None:
        """What the ApplicationSet makes when it is asked to look; None when it makes nothing in time.

        Raises:
            hanbae.errors.Refused: It has looked, and cannot: waiting changes nothing.
        """
        await self._set.refresh()
        clock = asyncio.get_running_loop().time
        deadline = clock() + within
        before = None
        while (remaining := deadline - clock()) > 0:
            # In short turns, so that the set's own fault is noticed in between.
            application = await transports.appearance(self, min(remaining, _LOOK_AT_SET_EVERY))
            if application is not None:
                return application
            fault = await self._set.fault()
            # Argo CD takes the request away a moment before it takes back what it had said before.
            if fault is not None and fault.is_final and fault == before:
                raise self._not_made(fault)
            before = fault
        return None

    def _not_made(self, fault: application_sets.Fault) -> errors.Refused:
        application = self.ref.name
        if cluster := destinations.unregistered(fault.message):
            return errors.Refused(
                "argo.cluster-unknown",
                application=application,
                cluster=cluster,
                command=shlex.join(destinations.registering(cluster)),
            )
        return errors.Refused(
            "argo.not-made",
            application=application,
            namespace=self.ref.namespace,
            set=self._set.name,
            message=fault.message,
        )

    async def refresh(self, how: object_shapes.RefreshKind = "normal") -> kinds.Object:
        """Ask Argo CD to look at the repository; see :class:`hanbae.engines.argocd.transports.Application`."""
        if how == "hard":
            return await self._request_refresh(how)
        attempts = backoffs.Attempts(transports.ATTEMPTS)
        async for _ in attempts:
            application = transports.present(self.ref, await self.read())
            # Somebody has asked for more, which a request for less would replace.
            if applications.is_refreshing(application, "hard"):
                return application
            try:
                return await self._request_refresh(how, over=application)
            except answers.Conflict:
                # Controllers write to the object all the time.
                attempts.failed(transports.not_taken(self.ref), pause=0)
        raise attempts.error

    async def _request_refresh(
        self, how: object_shapes.RefreshKind, *, over: kinds.Object | None = None
    ) -> kinds.Object:
        """Write the request, where one is given only over this version of the object."""
        metadata: kinds.Object = {"annotations": {applications.REFRESH: how}}
        if over is not None:
            metadata["resourceVersion"] = over["metadata"]["resourceVersion"]
        patch = {"metadata": metadata}
        return await persist(
            lambda: writing.merge_patch(
                self._cluster, kinds.APPLICATION, self.ref.namespace, self.ref.name, patch
            )
        )

    async def ask(
        self,
        does: plans.Synced,
        key: str,
        by: str,
        *,
        about: Mapping[str, str] | None = None,
    ) -> kinds.Object:
        """Write the operation, or find the one that carries the key.

        Args:
            does: What to deploy.
            key: The intent's key.
            by: Who asks.
            about: What else the operation says about itself.

        Returns:
            The object with it.

        Raises:
            hanbae.engines.protocol.Busy: Somebody else's operation is active.
            hanbae.errors.Unreachable: The cluster did not take it.
        """
        attempts = backoffs.Attempts(transports.ATTEMPTS)
        async for _ in attempts:
            application = transports.present(self.ref, await self.read())
            if transports.carries(self.ref, application, key):
                return application
            changed = operations.asking(
                application,
                revision=does.revision,
                key=key,
                by=by,
                only=transports.chosen(does),
                about=about,
            )
            try:
                return await writing.replace(self._cluster, kinds.APPLICATION, changed)
            except (answers.Conflict, answers.Unanswered):
                # Controllers write to the object all the time; an unanswered write is read back.
                attempts.failed(transports.not_taken(self.ref), pause=0)
        raise attempts.error

    async def idle(self) -> None:
        """Wait until no operation is asked for or runs."""
        await transports.idleness(self)

    async def terminate(self, is_ours: Callable[[operations.Operation], bool]) -> bool:
        """End an operation, and wait until it has ended.

        Args:
            is_ours: Which operation is meant.

        Returns:
            False when there was none any more. One that was told to end already, or may have been, counts.

        Raises:
            hanbae.errors.Unreachable: It did not end in time, or the cluster did not answer.
        """
        last = await self._tell_to_end(is_ours)
        if last is None:
            return False
        # It may go before the watch begins.
        versions = self.watch(present=watching.unversioned(last))
        try:
            async with asyncio.timeout(transports.ENDS_WITHIN), aclosing(versions) as stream:
                async for version in stream:
                    active = operations.active(version.object)
                    if version.type == "deleted" or active is None or not is_ours(active):
                        return True
                    # Argo CD writes its progress without reading: it may have overwritten what it was told.
                    if active.phase != operations.TERMINATING:
                        await self._tell_to_end(is_ours)
        except TimeoutError:
            pass
        described = ("describe", "application", self.ref.name, "-n", self.ref.namespace)
        raise transports.stuck(self.ref, self._cluster.kubectl(*described))

    async def _tell_to_end(
        self, is_ours: Callable[[operations.Operation], bool]
    ) -> kinds.Object | None:
        """Write down that the operation is to end, or take it back if it has not begun.

        Returns:
            The object as it was read last; None where there is no such operation.
        """
        application = None
        async for _ in backoffs.Attempts(transports.ATTEMPTS):
            application = await self.read()
            active = operations.active(application) if application else None
            if application is None or active is None or not is_ours(active):
                return None
            if active.phase == operations.TERMINATING:
                break
            try:
                changed = operations.terminating(application)
                await writing.replace(self._cluster, kinds.APPLICATION, changed)
                break
            except (answers.Conflict, answers.Unanswered):
                # After the last attempt it may not be written: `terminate` sees that and
                # tells it again.
                continue
        return application


async def persist(call: Callable[[], Awaitable[Outcome]]) -> Outcome:
    """Make a call that may be repeated, through short absences of the API server.

    Raises:
        hanbae.errors.Unreachable: It stayed away.
    """
    attempts = backoffs.Attempts(transports.ATTEMPTS)
    async for _ in attempts:
        try:
            return await call()
        except errors.Forbidden:
            # Forbidden is an Unreachable too, but waiting grants no right.
            raise
        except errors.Unreachable as error:
            attempts.failed(error)
    raise attempts.error
