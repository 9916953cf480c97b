"""Deploys several services side by side, each as :mod:`hanbae.deploying.driver` does, as one stream of events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from typing import Final

from hanbae import workspaces
from hanbae.deploying import attaching, claiming, driver, preparing, resuming
from hanbae.results import events, plans
from hanbae.streams import channels

AT_ONCE: Final = 4
"""Deployments of one run that go on at the same time, unless the caller says otherwise."""


@asynccontextmanager
async def deploying_all(
    space: workspaces.Workspace,
    prepared: preparing.Prepared,
    *,
    limit: float | None = None,
    busy: claiming.IfBusy = "refuse",
    concurrency: int = AT_ONCE,
) -> AsyncIterator[AsyncIterator[events.Event]]:
    """The deployments of a run side by side, as one stream of events.

    What an earlier run has left half done comes to its end before its service is deployed again; services that share a
    database are deployed one after the other. They begin in their order, and one that fails ends no other.

    Args:
        space: The workspace.
        prepared: What to deploy.
        limit: Seconds for each; None for the policy's deadlines.
        busy: What becomes of an application that somebody else deploys.
        concurrency: How many services are deployed at the same time; at least 1.

    Raises:
        hanbae.errors.Error: Out of the iteration, once every other deployment has ended: the first deployment that
            broke off without an end of its own, because somebody else goes on with it, or the cluster cannot be asked
            whom to follow.
    """
    channel: channels.Channel[events.Event] = channels.Channel()
    places = asyncio.Semaphore(concurrency)

    async def in_turn(deployments: tuple[str, ...]) -> None:
        async with places:
            for deployment in deployments:
                stream = _stream(space, prepared, deployment, limit=limit, busy=busy)
                async with aclosing(stream):
                    async for event in stream:
                        await channel.put(event)

    async def every() -> None:
        tasks = [asyncio.create_task(in_turn(chain)) for chain in prepared.chains]
        try:
            ends = await asyncio.gather(*tasks, return_exceptions=True)
            for end in ends:
                if isinstance(end, BaseException):
                    raise end
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async with channel.fed_by(every()) as stream:
        yield stream


async def _stream(
    space: workspaces.Workspace,
    prepared: preparing.Prepared,
    deployment: str,
    *,
    limit: float | None,
    busy: claiming.IfBusy,
) -> AsyncGenerator[events.Event]:
    """One deployment of the run, or the one that is followed instead."""
    plan, past = prepared.plans[deployment], prepared.resumed.get(deployment)
    theirs = await _driven(space, plan) if busy == "follow" else None
    if theirs is not None:
        attached = attaching.attached(
            space, theirs, environment=plan.environment, service=plan.service
        )
        async with aclosing(attached) as following:
            async for event in following:
                yield event
        return
    for event in past.recorded[:1] if past is not None else ():
        yield event  # what a view begins with
    async with driver.deploying(
        space,
        plan,
        deployment=deployment,
        by=prepared.by,
        limit=limit,
        waits=busy == "wait",
        past=past,
        before=prepared.checked.get(plan.service) if past is None else prepared.waivers,
        source=prepared.sources.get(plan.service) if past is None else None,
    ) as stream:
        async for event in stream:
            yield event


async def _driven(space: workspaces.Workspace, plan: plans.Plan) -> str | None:
    """The deployment of the application that somebody drives now, or None."""
    async with space.clusters(plan.environment) as clusters:
        lease = await claiming.lease(
            space.policy, clusters.workload, plan.service, plan.environment
        )
        if lease is None or not await claiming.is_driven(clusters.workload, lease):
            return None
        return resuming.left_open(space, lease, plan.service, plan.environment) or None
