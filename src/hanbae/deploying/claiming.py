"""Claims an application for one deployment: who drives it, since when, and what is to be done if somebody else does.

The claim is a Lease on the workload cluster (:mod:`hanbae.clusters.leases`); what it says of the deployment is enough
for any machine to go on with it.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final, Literal

from hanbae import errors, wording, workspaces
from hanbae.clusters import connections, leases
from hanbae.deploying import deadlines, holding, phases, stating
from hanbae.policy import documents, naming
from hanbae.results import events, plans

IfBusy = Literal["refuse", "wait", "follow"]
"""What becomes of a deployment whose application somebody else drives."""

_APPLICATION_MARKS: Final = (holding.MARK, stating.MARK)
"""Marks that are the application's, and no deployment's."""
_WRITTEN: Final = (
    *("deployment", "service", "environment", "revision", "engine", "by", "back"),
    *("driver", "host", "process", "step", "key", "known", "outcome"),
)
"""Marks that a deployment writes of itself."""
_LONGEST_NUMBER: Final = 10
"""Digits of a process's number; Linux gives at most seven."""
_UNBEGUN: Final = "unbegun"
"""The mark of a deployment that has ended before anything was begun: its id, and how."""
_WITHOUT_EFFECT: Final = ("refused", "superseded")
RESUMES_AFTER: Final = 5.0
"""Seconds without a sign of the last driver after which the same deployment is taken over: its effects carry the same
keys, so that two drivers for a moment do nothing twice."""


class TakenOver(errors.Stopped):
    """Somebody else drives this very deployment on; its record is theirs to close."""


async def lease(
    policy: documents.Policy, workload: connections.Cluster, service: str, environment: str
) -> leases.State | None:
    """The application's Lease as it is now."""
    namespace = naming.namespace(policy, service, environment)
    return await leases.read(workload, namespace, naming.lease(service, environment))


def is_open(lease: leases.State) -> bool:
    """Whether its last driver has gone, or may have, without saying how the deployment ended."""
    return bool(lease.marks.get("deployment")) and not lease.marks.get("outcome")


async def is_driven(
    workload: connections.Cluster, lease: leases.State, *, within: float | None = None
) -> bool:
    """Whether somebody drives it now; at once where the holder is, or was, a process of this machine."""
    if not lease.holder:
        return False
    is_alive = _lives_here(lease.marks.get("process", ""))
    return (
        is_alive if is_alive is not None else await leases.is_held(workload, lease, within=within)
    )


@asynccontextmanager
async def claimed(
    space: workspaces.Workspace,
    workload: connections.Cluster,
    deployment: str,
    plan: plans.Plan,
    *,
    by: str,
    driver: str,
    waits: Callable[[leases.State], Awaitable[None]] | None = None,
    limit: deadlines.Limit | None = None,
    resumes: bool = False,
) -> AsyncIterator[tuple[leases.Lease, leases.State | None]]:
    """Hold the application's Lease.

    Args:
        space: The workspace.
        workload: The workload cluster.
        deployment: The deployment's id.
        plan: What it does.
        by: Who deploys.
        driver: Who drives it now: another one, where it is resumed.
        waits: Wait while somebody else drives, instead of refusing; told for whom, once for each.
        limit: How long to wait; None for as long as it takes.
        resumes: The deployment was begun before; its marks are kept, and its last driver is given less time.

    Yields:
        The Lease, and what it was before.

    Raises:
        hanbae.errors.Refused: Somebody else drives.
        TakenOver: Somebody else drives this very deployment.
    """
    namespace = naming.namespace(space.policy, plan.service, plan.environment)
    name = naming.lease(plan.service, plan.environment)
    host = socket.gethostname()
    own = {**_marks(deployment, plan, by), "driver": driver, "host": host, "process": _process()}
    # Unique per claim: if the answer to our write is lost, the Lease is recognised by it as ours.
    holder = f"{deployment} {driver} {host} {secrets.token_hex(4)}"
    others = _Others(deployment, waits, limit)
    async with AsyncExitStack() as stack:
        while True:
            before = busy = await leases.read(workload, namespace, name)
            goes_on = (
                resumes and before is not None and before.marks.get("deployment") == deployment
            )
            within = RESUMES_AFTER if goes_on else None
            if before is None or not await is_driven(workload, before, within=within):
                claim = leases.held(
                    workload,
                    namespace,
                    name,
                    holder=holder,
                    marks=_marks_over(before, own, goes_on=goes_on),
                    over=before,  # this very version: whoever was faster is not overwritten
                    clock=space.clock,
                )
                try:
                    lease = await stack.enter_async_context(claim)
                    break
                except leases.NoNamespace as error:
                    where = {"namespace": namespace, "environment": plan.environment}
                    raise errors.Refused("claim.no-namespace", place=None, **where) from error
                except leases.HeldByAnother as error:
                    # Without a holder it was released meanwhile, and the next round may take it.
                    busy = error.lease if error.lease.holder else None
            if busy is not None:
                await others.wait(busy)
        yield lease, before


def _marks_over(
    before: leases.State | None, own: Mapping[str, str], *, goes_on: bool
) -> dict[str, str]:
    """The marks that a claim writes: the deployment's own, the application's, and all that it had where it goes on."""
    # Claiming replaces all marks, so what is not listed here is dropped, such as the previous
    # deployment's step.
    past = before.marks if before is not None else {}
    return {
        **(past if goes_on else {}),
        **own,
        **{mark: past.get(mark, "") for mark in _APPLICATION_MARKS},
        # A request to stop was meant for the previous holder.
        "stop": "",
        _UNBEGUN: "",
    }


class _Others:
    """Those who drive the application when a deployment wants to: they are waited for, or refuse it.

    Args:
        deployment: The deployment that wants to.
        waits: Told for whom it waits, once for each; None where it does not wait.
        limit: How long it waits; None for as long as it takes.
    """

    def __init__(
        self,
        deployment: str,
        waits: Callable[[leases.State], Awaitable[None]] | None,
        limit: deadlines.Limit | None,
    ) -> None:
        self._deployment = deployment
        self._waits = waits
        self._limit = limit
        self._waited_for = ""

    async def wait(self, busy: leases.State) -> None:
        """Wait a moment for who drives now.

        Raises:
            hanbae.errors.Refused: They are not waited for, or not any longer.
            TakenOver: They drive this very deployment.
        """
        if busy.marks.get("deployment") == self._deployment:
            raise TakenOver("deploy.taken-over", place=None, **facts(busy))
        if self._waits is None:
            raise errors.Refused("deploy.busy", place=None, **facts(busy))
        if self._waited_for != busy.holder:
            self._waited_for = busy.holder
            await self._waits(busy)
        if self._limit is not None and self._limit.left() <= 0:
            about = {**facts(busy), "seconds": f"{self._limit.seconds:g}"}
            raise errors.Refused("deploy.waited", place=None, **about)
        await asyncio.sleep(leases.LOOK)


def facts(lease: leases.State) -> dict[str, str]:
    """For sentences about who drives."""
    return {
        "application": lease.name.removeprefix("hanbae-"),
        "deployment": lease.marks.get("deployment") or "-",
        "revision": lease.marks.get("revision", "")[:12] or "-",
        "by": lease.marks.get("driver") or "-",
        "host": lease.marks.get("host") or "-",
        "since": lease.since.partition(".")[0].replace("T", " ") or "-",
    }


def left_behind(before: leases.State | None, deployment: str) -> wording.Text | None:
    """What another deployment has left half done, by the Lease that was taken over from it."""
    if before is None or not is_open(before) or before.marks.get("deployment") == deployment:
        return None
    return wording.Text("deploy.left-behind", {**facts(before), "step": stage(before.marks)})


def marks_at_end(
    lease: leases.Lease, outcome: events.Outcome, phase: phases.Phase
) -> dict[str, str]:
    """What a Lease says when a deployment has ended.

    Where nothing was begun, what it says of the deployment before holds on, beside the word about this one.

    Args:
        lease: The Lease, as the deployment had it.
        outcome: How the deployment has ended.
        phase: How far it had come.
    """
    own, before = lease.marks.get("deployment", ""), lease.before
    # An engine that was asked and refused has begun nothing; from RESUMED on something may run.
    is_unbegun = outcome in _WITHOUT_EFFECT and phase <= phases.Phase.REQUESTED
    if not is_unbegun or before.get("deployment", "") in {"", own}:
        return {"outcome": outcome}
    return {name: before.get(name, "") for name in _WRITTEN} | {_UNBEGUN: f"{own} {outcome}"}


def end_of(lease: leases.State, deployment: str) -> str | None:
    """How a deployment has ended by a Lease; None where the Lease does not say that it has."""
    if lease.marks.get("deployment") == deployment:
        return None if is_open(lease) else lease.marks.get("outcome", "")
    unbegun, _, outcome = lease.marks.get(_UNBEGUN, "").partition(" ")
    return outcome if unbegun == deployment else None


def stage(marks: Mapping[str, str]) -> str:
    """The step that a deployment had come to, or ``-``."""
    return marks.get("step") or "-"


def _marks(deployment: str, plan: plans.Plan, by: str) -> dict[str, str]:
    return {
        "deployment": deployment,
        "service": plan.service,
        "environment": plan.environment,
        "revision": plan.revision,
        "engine": plan.engine,
        "by": by,
        # What a rollback goes back from; a later deployment takes the mark away.
        "back": next((way.revision for way in plan.ways_back), ""),
    }


def _process() -> str:
    """This process, told from every other one of this machine and its namespaces; empty where it cannot be told."""
    where = _where()
    began = _began(os.getpid())
    return f"{where} {os.getpid()} {began}" if where and began else ""


def _lives_here(process: str) -> bool | None:
    """Whether a process of this machine lives; None when it is another machine's."""
    parts = process.rsplit(" ", 2)
    if len(parts) != 3 or parts[0] != _where():  # noqa: PLR2004  where, number, began
        return None
    _, number, began = parts
    if not number.isdecimal() or len(number) > _LONGEST_NUMBER:
        return None
    return _began(int(number)) == began


def _where() -> str:
    try:
        # A PID alone identifies nothing: it is used again after a boot and in other PID namespaces.
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _began(process: int) -> str:
    """When a process began, in the kernel's ticks; empty for one that is not there or only waits to be buried."""
    try:
        # The program name stands in parentheses and may contain blanks and parentheses itself.
        # After the last one come the state (field 3) and, as field 22, the start time.
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in {"Z", "X"} else fields[19]
