"""Somebody else's operation that a deployment waits for: named with its cause, and ended where it is hopeless.

The commonest one is Argo CD's own sync of an earlier commit that this deployment mends: it waits for a Job that never
starts until the Job's deadline. It belongs to nobody, so it is ended as one of hanbae's own would be: never within a
migration that nothing would take back. What a person has started is theirs to end; they get its cause and the command.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from hanbae import errors, wording, workspaces
from hanbae.deploying import deadlines, giving_up, recording, stopping
from hanbae.diagnosing import causes, pictures
from hanbae.engines import protocol
from hanbae.planning import deployments
from hanbae.results import events, plans

LOOK: Final = 2.0
"""Seconds between two looks at an operation that is waited for: each look reads its objects."""
CONFIRMED: Final = 3.0
"""Seconds that a cause must be in sight where the operation is old enough for patience to be over."""


class Occupants:
    """Looks at whatever keeps one deployment from beginning.

    Args:
        space: The workspace.
        clusters: The environment's clusters.
        plan: The deployment's plan.
        record: Where it is said.
        engine: The engine.
        proven: Database → version that was proven before the deployment.
    """

    def __init__(
        self,
        space: workspaces.Workspace,
        clusters: workspaces.Clusters,
        plan: plans.Plan,
        record: recording.Record,
        engine: protocol.Engine,
        *,
        proven: Mapping[str, int],
    ) -> None:
        self._space = space
        self._clusters = clusters
        self._plan = plan
        self._record = record
        self._engine = engine
        self._proven = proven
        self._judges: dict[str, giving_up.Judge] = {}
        self._next = 0.0

    async def look(self, step: str | None) -> protocol.Occupant | None:
        """Name the causes of the operation that is in the way, and end it where that is permitted and of use.

        Returns:
            The operation, as long as there is one and it was not ended.
        """
        self._next = time.monotonic() + LOOK
        occupant = await self._engine.occupant()
        if occupant is None:
            return None
        judge = self._judges.setdefault(
            occupant.identity, giving_up.Judge(time.monotonic, patience=self._patience(occupant))
        )
        picture = pictures.Picture(occupant.objects, occupant.logs)
        for diagnosed in [*judge.hear(causes.named(picture)), *judge.rest()]:
            # A warning: what it ends, or does not, is another operation than this deployment's. Its objects go with
            # it, so that no command about them would be true for long.
            warning = events.Diagnosed(diagnosed.subject, diagnosed.cause, (), fatal=False)
            await self._record.add(step, warning)
        if judge.verdict() is not None and self._is_ours_to_end(occupant):
            return None if await self._end(step, occupant) else occupant
        return occupant

    async def look_again(self, step: str | None) -> None:
        """The same, unless the last look was a moment ago."""
        if time.monotonic() >= self._next:
            await self.look(step)

    async def until_gone(self, step: str | None, *, limit: deadlines.Limit | None) -> None:
        """Wait until nothing is in the way, and say meanwhile why it takes so long.

        Args:
            step: The step that waits; None for the deployment.
            limit: The time that a person gives the deployment; None for as long as it takes.

        Raises:
            hanbae.errors.Refused: That time is over.
        """
        while await self.look(step) is not None:
            if limit is not None and limit.left() <= 0:
                facts = {"service": self._plan.service, "environment": self._plan.environment}
                seconds = f"{limit.seconds:g}"
                raise errors.Refused(
                    "deploy.waited-operation", place=None, **facts, seconds=seconds
                )
            await asyncio.sleep(LOOK)

    async def clear(self, step: str | None) -> bool:
        """End what is in the way if it is hopeless and Argo CD's own; else only say why it does not go on.

        Returns:
            Whether nothing is in the way any more.
        """
        while True:
            occupant = await self.look(step)
            if occupant is None:
                return True
            judge = self._judges[occupant.identity]
            # While a fatal cause counts, a verdict is near; without one, waiting changes nothing.
            if not self._is_ours_to_end(occupant) or not judge.counts:
                return False
            await asyncio.sleep(LOOK)

    def _patience(self, occupant: protocol.Occupant) -> float:
        """How long a cause must last: what the operation has already taken counts."""
        try:
            age = (self._space.clock() - datetime.fromisoformat(occupant.started)).total_seconds()
        except ValueError:
            # It was only requested so far, and has no start.
            age = 0.0
        return max(giving_up.PATIENCE - max(age, 0.0), CONFIRMED)

    def _is_ours_to_end(self, occupant: protocol.Occupant) -> bool:
        """Whether it is automation's own, of a commit that the deployment's replaces."""
        return (
            occupant.automated
            and occupant.revision != self._plan.revision
            and self._space.checkout.is_ancestor(occupant.revision, self._plan.revision)
        )

    async def _end(self, step: str | None, occupant: protocol.Occupant) -> bool:
        """End it, unless a migration without a transaction may run; by the migrations of its own commit."""
        plan = await of_revision(self._space, self._plan, occupant.revision)
        if plan is None or await stopping.bare_running(
            self._clusters.workload, plan, before=self._proven
        ):
            return False
        facts = {"revision": occupant.revision[:12], "replaced_by": self._plan.revision[:12]}
        await self._record.add(step, events.Noted(wording.Text("deploy.ends-hopeless", facts)))
        ended = await self._engine.end(occupant)
        await stopping.until_ended(self._clusters.workload, plan, deleted=not ended)
        return True


async def of_revision(
    space: workspaces.Workspace, plan: plans.Plan, revision: str
) -> plans.Plan | None:
    """The plan of the same service at another commit; None where it cannot be made.

    Args:
        space: The workspace.
        plan: A plan of the service.
        revision: Full id of the other commit.
    """
    try:
        source = await deployments.read(
            space.policy, space.checkout.revision(revision), plan.service, plan.environment
        )
        return deployments.plan(source)
    except errors.Error:
        return None
