"""Follows a deployment that goes on somewhere, goes on with one that nobody drives, or ends either.

What is in the history is shown from there; what is not is found by its key in the cluster and recorded here.
A driver that lives is left alone: to stop it, its Lease is marked, and it ends its deployment itself, because it knows
what must not be interrupted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from hanbae import errors, wording, workspaces
from hanbae.clusters import leases
from hanbae.deploying import claiming, driver, resuming
from hanbae.repository import services as repository_services
from hanbae.results import events


async def attached(
    space: workspaces.Workspace,
    deployment: str,
    *,
    environment: str | None = None,
    service: str | None = None,
    stops: bool = False,
) -> AsyncGenerator[events.Event]:
    """A deployment's events from its first to ``Closed``; use ``contextlib.aclosing``.

    Args:
        space: The workspace.
        deployment: The id; it may be shortened where the history has it.
        environment: Where it is looked for when the history does not have it; None for everywhere.
        service: Whose it must be then; None for any service.
        stops: End it.

    Raises:
        hanbae.errors.WrongUse: There is none of this id.
        hanbae.errors.Refused: It is to be stopped and has ended already.
        hanbae.errors.Unreachable: The cluster did not answer.
    """
    deployment, marks = await _locate(space, deployment, environment, service)
    recorded = resuming.recorded(space, deployment)
    if stops and recorded and isinstance(recorded[-1].fact, events.Closed):
        raise errors.Refused("stop.ended", deployment=deployment)
    past = await resuming.past(space, marks, recorded)
    for event in recorded:
        yield event
    if recorded and isinstance(recorded[-1].fact, events.Closed):
        return
    async with space.clusters(past.plan.environment) as clusters:
        by = await clusters.identity()
        elsewhere = _Elsewhere(space, clusters, past)
        async with aclosing(elsewhere.followed(stop_by=by if stops else "")) as stream:
            async for event in stream:
                yield event
        if elsewhere.closed:
            return
    # Read again: its driver has recorded more since, and its Lease may name another step.
    past = resuming.Past(
        deployment, past.plan, past.by, resuming.recorded(space, deployment), elsewhere.marks
    )
    async with driver.deploying(
        space, past.plan, deployment=deployment, by=by, past=past, stops=stops
    ) as driven:
        async for event in driven:
            yield event


async def _locate(
    space: workspaces.Workspace, deployment: str, environment: str | None, service: str | None
) -> tuple[str, Mapping[str, str]]:
    """The whole id, and what the cluster says of it where the history says nothing."""
    try:
        return space.store.find(deployment), {}
    except errors.WrongUse as error:
        if error.text.id != "history.no-deployment":
            raise
        if service is None:
            _refuse_unfit(space, deployment, error)
    return await resuming.locate(space, deployment, environment=environment, service=service)


def _refuse_unfit(space: workspaces.Workspace, name: str, error: errors.WrongUse) -> None:
    """Refuse what no cluster can have, before one is asked: a misspelt service, or a part of an id.

    Raises:
        hanbae.errors.WrongUse: It is no whole id.
    """
    if workspaces.is_id(name):
        return
    services = repository_services.of_checkout(space.loaded)
    if name[:1].isdigit() or not services:
        raise error
    source = repository_services.source(space.policy)
    raise errors.WrongUse("attach.neither", service=name, source=source, known=", ".join(services))


class _Elsewhere:
    """A deployment as long as somebody else drives it.

    Attributes:
        marks: What its Lease said last; empty when the Lease is another deployment's by now.
        closed: Its end is recorded.
    """

    def __init__(
        self, space: workspaces.Workspace, clusters: workspaces.Clusters, past: resuming.Past
    ) -> None:
        self.marks: Mapping[str, str] = past.marks
        self.closed = False
        self._space = space
        self._clusters = clusters
        self._past = past
        self._seq = len(past.recorded)

    async def followed(self, *, stop_by: str) -> AsyncGenerator[events.Event]:
        """What its driver records, or only its end where it does so on another machine."""
        plan, workload = self._past.plan, self._clusters.workload
        is_marked, was_ours = False, False
        while True:
            lease = await claiming.lease(
                self._space.policy, workload, plan.service, plan.environment
            )
            ours = lease is not None and lease.marks.get("deployment") == self._past.deployment
            self.marks = lease.marks if lease is not None and ours else {}
            for event in self._new():
                yield event
            if self.closed or lease is None:
                return
            outcome = claiming.end_of(lease, self._past.deployment)
            if outcome is not None or (was_ours and not ours):
                yield self._end(lease, outcome or "")
                return
            if not ours:
                return
            was_ours = True
            if not await claiming.is_driven(workload, lease, within=claiming.RESUMES_AFTER):
                return
            # Its driver writes to another history; this one starts with what the Lease says.
            if not self._seq:
                yield self._add(events.Opened(plan, self._past.by, self._past.revision))
            if stop_by and not is_marked:
                is_marked = True
                await leases.mark(workload, lease, {"stop": stop_by})
            async for event in self._new_within(leases.LOOK):
                yield event

    async def _new_within(self, seconds: float) -> AsyncGenerator[events.Event]:
        """What its driver records in so many seconds, as soon as it does."""
        until = time.monotonic() + seconds
        while (remaining_seconds := until - time.monotonic()) > 0 and not self.closed:
            await asyncio.to_thread(self._space.store.wait, remaining_seconds)
            for event in self._new():
                yield event

    def _new(self) -> list[events.Event]:
        recorded = self._space.store.events(self._past.deployment, after=self._seq)
        self._seq += len(recorded)
        if recorded:
            self.closed = isinstance(recorded[-1].fact, events.Closed)
        return recorded

    def _add(self, fact: events.Fact) -> events.Event:
        event = self._space.store.append(self._past.deployment, None, fact, self._space.clock())
        self._seq = event.seq
        return event

    def _end(self, lease: leases.State, outcome: str) -> events.Event:
        """Its end, as the machine that drove it has left it on the Lease; unknown where another one has it by now."""
        if not self._seq:
            self._add(events.Opened(self._past.plan, self._past.by, self._past.revision))
        why = wording.Text("attach.ended-elsewhere", claiming.facts(lease))
        self.closed = True
        return self._add(events.Closed(_outcome(outcome), why))


def _outcome(name: str) -> events.Outcome:
    """The outcome of this name; ``unknown`` for one that this hanbae does not know."""
    return next((outcome for outcome in events.OUTCOMES if outcome == name), "unknown")
