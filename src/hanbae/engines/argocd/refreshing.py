"""When Argo CD is asked to look again at the operation that is followed, though it looks by itself, too.

Its moves are made by events; what falls between two of them it does when its own time is over
(``timeout.reconciliation``): after minutes, or never where a team has set that to 0 and lets webhooks tell it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Final

from hanbae import errors, object_shapes
from hanbae.argo import applications
from hanbae.engines import workloads
from hanbae.engines.argocd import steering, transports

SILENT_AFTER: Final = 30.0
"""Seconds without a word about the Application after which Argo CD is asked; as often it looks at an operation that
runs, if nothing has come between."""
LONGEST: Final = 300.0
"""Seconds of silence that are waited for at most: twice as many after each question of a stage."""
REFUSALS: Final = 2
"""Refusals in a row after which nothing more is asked: a restarting API server answers before it knows its roles."""


async def after_hooks(
    application: transports.Application, steered: steering.Steering, workload: workloads.Workload
) -> None:
    """Have Argo CD look at its operation as soon as a hook has ended; for ever.

    Since 3.6 it looks by itself only five seconds after something has changed; a refresh makes it look at
    once (measured: 0.5 s instead of 5.3 s from the Job's end to the next wave, for each hook).
    """
    while True:
        await workload.hook_ended.wait()
        workload.hook_ended.clear()
        if steered.stage == "running":
            # This only saves seconds: if it comes to nothing, `after_silence` asks again.
            await _refresh(application)


async def after_silence(
    application: transports.Application, steered: steering.Steering, workload: workloads.Workload
) -> None:
    """Have Argo CD look again where it should have something to say and says nothing; for ever.

    What it cannot read or write while its API server does not answer, it lets go and does not try again: the next turn
    of an operation (``processAppOperationQueueItem``, which then comes back to it no more), the start of an automated
    one (``autoSync``), the status after it (``persistAppStatus``), a refresh for which it cannot read the repository
    (``ErrCompareStateRepo``; all of 3.6). It comes back to them with the next change of the Application; a refresh is
    one.
    """
    refreshes: Counter[str] = Counter()
    refusals = 0
    while refusals < REFUSALS:
        steered.heard.clear()
        # What it has not done when it was asked, it may be unable to do: it is asked less and less.
        pause = min(SILENT_AFTER * 2 ** refreshes[steered.stage], LONGEST)
        try:
            async with asyncio.timeout(pause):
                await steered.heard.wait()
        except TimeoutError:
            if _should_say_something(steered, workload):
                refreshes[steered.stage] += 1
                is_allowed = await _refresh_anew(application, steered.application)
                refusals = 0 if is_allowed else refusals + 1


def _should_say_something(steered: steering.Steering, workload: workloads.Workload) -> bool:
    """Whether it is Argo CD's turn: no hook is to end first, nor somebody else's operation, nor a rollout."""
    if steered.blocked() is not None or workload.runs_hooks:
        return False
    if steered.stage != "rolling-out":
        return True
    # A rollout may take as long as its pods need; a selective sync waits for nothing that the Application says.
    if steered.is_selective or not any(True for _ in steered.awaits()):
        return False
    progress = workload.rollouts(steered.rolled_out())
    return all(rollout.complete for rollout in progress.values())


async def _refresh_anew(application: transports.Application, present: steering.Application) -> bool:
    """Ask so that the Application changes: a request that is there already would change nothing, and tell nobody.

    A hard one that is there stays: a normal one in its place would have less done than whoever asked for it wanted, and
    nothing else of an Application may be changed (:mod:`hanbae.argo.application_rules`).

    Returns:
        False where it is not allowed.
    """
    if applications.is_refreshing(present, "hard"):
        return True
    is_pending = applications.is_refreshing(present)
    return await _refresh(application, "hard" if is_pending else "normal")


async def _refresh(
    application: transports.Application, how: object_shapes.RefreshKind = "normal"
) -> bool:
    """Ask, and bear that it comes to nothing; False where it is not allowed."""
    try:
        await application.refresh(how)
    except errors.Forbidden:
        return False
    except errors.Error:
        pass
    return True
