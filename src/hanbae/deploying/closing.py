"""How a deployment that has not succeeded is closed: as what, for which reason, and with which command as the cure."""

from __future__ import annotations

from hanbae import errors, wording, workspaces
from hanbae.deploying import following, mending, phases, recording
from hanbae.engines import protocol
from hanbae.results import events, plans


class Closing:
    """The end of one deployment.

    Args:
        space: The workspace.
        plan: What was to be done.
        record: The record, for what is said beside the end.
        followed: What was seen of it; its gravest cause explains the end.
    """

    def __init__(
        self,
        space: workspaces.Workspace,
        plan: plans.Plan,
        record: recording.Record,
        followed: following.Following,
    ) -> None:
        self._space = space
        self._plan = plan
        self._record = record
        self._following = followed

    async def failed(self, error: errors.Error, phase: phases.Phase) -> events.Closed:
        """How an expected failure closes the deployment.

        Args:
            error: The failure.
            phase: How far the deployment had come.
        """
        if isinstance(error, protocol.HeadMoved):
            return await self._moved(error)
        outcome = phases.outcome(phase, error)
        cause = self._following.gravest if outcome == "failed" else None
        if cause is None:
            return events.Closed(outcome, error.text)
        await self._record.add(None, events.Noted(error.text))
        return events.Closed(outcome, cause.cause)

    async def _moved(self, error: protocol.HeadMoved) -> events.Closed:
        """The engine sees another head of the branch: somebody pushed, or it reads another repository."""
        revision = self._plan.revision
        try:
            head = await self._space.head(self._plan.environment)
        except errors.Error:
            # If git does not answer, nothing says that somebody has pushed.
            head = revision
        if head != revision:
            facts = {"revision": revision[:12], "head": head[:12]}
            return events.Closed("superseded", wording.Text("deploy.superseded", facts))
        return events.Closed("failed", error.text)

    async def with_command(self, closed: events.Closed) -> events.Closed:
        """The end with the command that cures it, where that is still true when it is typed."""
        cause = self._following.gravest
        if closed.outcome != "failed" or closed.command:  # an item of the checklist names its own
            return closed
        if cause is None:
            command = mending.of_end(self._plan, closed.why)
            return events.Closed(closed.outcome, closed.why, command)
        job = self._following.job_of(cause.subject)
        failed = self._following.failed(job) if job is not None else ""
        cure = await mending.cure(self._space, self._plan, cause, job, failed=failed)
        if cure is not None:
            await self._record.add(None, events.Noted(cure.text))
            return events.Closed(closed.outcome, closed.why, cure.command)
        command = self._following.lasting_command(cause)
        return events.Closed(closed.outcome, closed.why, command)
