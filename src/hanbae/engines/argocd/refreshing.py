"""When Argo CD is asked to look again at the operation that is followed, though it looks by itself, too.

Its moves are made by events; what falls between two of them it does when its own time is over
(``timeout.reconciliation``): after minutes, or never where a team has set that to 0 and lets webhooks tell it.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from hanbae import errors
from hanbae.argo import applications
from hanbae.engines import workloads
from hanbae.engines.argocd import steering, transports

SILENT_AFTER: Final = 30.0
"""Seconds without a word about the Application after which Argo CD is asked; as often it looks at an operation that
runs, if nothing has come between."""


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
    while True:
        steered.heard.clear()
        try:
            async with asyncio.timeout(SILENT_AFTER):
                await steered.heard.wait()
        except TimeoutError:
            # While a hook runs, or somebody else's operation, there is nothing to say.
            if steered.blocked() is None and not workload.runs_hooks:
                await _refresh_anew(application, steered.application)


async def _refresh_anew(application: transports.Application, present: steering.Application) -> None:
    """Ask so that the Application changes: a request that is there already would change nothing, and tell nobody.

    A hard one that is there stays: a normal one in its place would have less done than whoever asked for it wanted, and
    nothing else of an Application may be changed (:mod:`hanbae.argo.application_rules`).
    """
    if not applications.is_refreshing(present, "hard"):
        is_pending = applications.is_refreshing(present)
        await _refresh(application, "hard" if is_pending else "normal")


async def _refresh(
    application: transports.Application, how: applications.Refresh = "normal"
) -> None:
    with contextlib.suppress(errors.Error):
        await application.refresh(how)
