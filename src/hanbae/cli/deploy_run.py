"""One invocation of ``hanbae deploy``: what is prepared, followed, and shown in the end."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hanbae import errors, wording, workspaces
from hanbae.cli import approval, deployment_views, options, outputs, undeployed
from hanbae.cli.text import catalogue
from hanbae.deploying import preflight, preparing, runs
from hanbae.results import deployments, events

if TYPE_CHECKING:
    from hanbae.deploying import claiming
    from hanbae.results import saved_plans

_FAILED: Final = 1


@dataclass(frozen=True)
class Wishes:
    """What is to be deployed, and how.

    Attributes:
        services: Services; empty for all of the branch that were begun.
        environment: The environment.
        claim: A saved plan that the deployments are held to.
        limit: Seconds for each deployment; None for the policy's deadlines.
        busy: What becomes of an application that somebody else deploys.
        forced: Begin although a deployment is known to fail.
        changed_only: Leave out services that are as they were last proven.
        concurrency: How many services are deployed at the same time.
        older: A commit to be deployed instead of the branch's head.
        yes: Do not ask.
        waives: Why something is deployed although the policy freezes the environment.
    """

    services: tuple[str, ...]
    environment: str
    claim: saved_plans.Frozen | None = None
    limit: float | None = None
    busy: claiming.IfBusy = "refuse"
    forced: bool = False
    changed_only: bool = False
    concurrency: int = runs.AT_ONCE
    older: str = ""
    yes: bool = False
    waives: str = ""


class Run:
    """One invocation.

    Args:
        session: How to speak to the person.
        space: The workspace.
        output: The format of the data.
        wishes: What is to be deployed, and how.
    """

    def __init__(
        self,
        session: options.Session,
        space: workspaces.Workspace,
        output: str,
        wishes: Wishes,
    ) -> None:
        self._session = session
        self._space = space
        self._output = output
        self._wishes = wishes
        self._prepared: preparing.Prepared | None = None
        self._viewer: deployment_views.Viewer | None = None
        self._latest: dict[str, int] = {}

    async def through(self) -> int:
        """Plan, ask, deploy, show; the exit code."""
        prepared = await self._approved()
        ended, broken = await self.followed(prepared)
        self.show(prepared, ended)
        if broken is not None:
            self._session.narration.error(catalogue.fault(broken))
            return _FAILED
        return deployment_views.exit_code([deployment.outcome for deployment in ended])

    async def _approved(self) -> preparing.Prepared:
        """The run, once it is known what is left out of it, and the person has agreed where they are asked."""
        wishes, speaker = self._wishes, self._session.narration
        speaker.step(wording.Text("deploy.preparing", {"environment": wishes.environment}))
        try:
            prepared = await preparing.prepare(
                self._space,
                wishes.services,
                wishes.environment,
                claim=wishes.claim,
                forced=wishes.forced,
                changed_only=wishes.changed_only,
                older=wishes.older,
                waives=wishes.waives,
            )
        except preflight.KnownToFail as refusal:
            for reason in refusal.reasons[1:]:  # the first one is the error's own
                speaker.fail(reason)
            # Before the error, which ends with the command that cures it.
            speaker.note(wording.Text("preflight.nothing-changed"))
            raise
        asks = bool(prepared.plans) and self._is_asked()
        self.say_left_out(prepared)
        if not asks:  # else it is below the plan
            for text in prepared.drifted:
                speaker.warn(text)
        if not wishes.older:
            undeployed.warn(self._session, self._space, prepared.services, prepared.revision)
        if asks:
            await approval.approve(
                self._session, self._space, prepared, wishes.environment, forced=wishes.forced
            )
        return prepared

    async def followed(
        self, prepared: preparing.Prepared
    ) -> tuple[list[deployments.Deployment], errors.Error | None]:
        """How each service has ended, and, of several, the error of one that broke off without an end."""
        self._prepared = prepared
        # What decides is the last deployment of each service: not one that was only brought to its end.
        last, broken = dict.fromkeys(prepared.services, ""), None
        self._viewer = deployment_views.viewer(
            self._session, self._output, total=len(prepared.plans)
        )
        with self._viewer:
            async with runs.deploying_all(
                self._space,
                prepared,
                limit=self._wishes.limit,
                busy=self._wishes.busy,
                concurrency=self._wishes.concurrency,
            ) as stream:
                try:
                    async for event in stream:
                        if self._output == "jsonl":
                            outputs.emit_jsonl(event)
                        self._viewer.event(event)
                        self._latest[event.deployment] = event.seq
                        if isinstance(event.fact, events.Opened):
                            last[event.fact.plan.service] = event.deployment
                except errors.Error as error:
                    # With a single service, its error and exit code are those of the command.
                    if len(last) == 1:
                        raise
                    broken = error  # the others have ended all the same
        begun = filter(None, last.values())
        return [self._space.store.deployment(deployment) for deployment in begun], broken

    def _is_asked(self) -> bool:
        """Whether the person is to approve what will change.

        Not without a terminal, where only a program could answer; not of a saved plan, which was approved before; and
        not in environments that Argo CD syncs by itself, because what was pushed is deployed there anyway.
        """
        from hanbae.policy import environments

        wishes = self._wishes
        return (
            self._output == "text"
            and wishes.claim is None
            and not wishes.yes
            and not environments.is_automated(self._space.policy, wishes.environment)
            and self._session.narration.terminal
            and sys.stdin.isatty()
        )

    def say_left_out(self, prepared: preparing.Prepared) -> None:
        """Say which services are not deployed, and why."""
        speaker, environment = self._session.narration, self._wishes.environment
        for text_id, services in (
            ("deploy.skipped", prepared.skipped),
            ("deploy.unchanged", prepared.unchanged),
        ):
            if services:
                facts = {"services": ", ".join(services), "environment": environment}
                speaker.note(wording.Text(text_id, facts))
        for text in prepared.unchecked:
            speaker.warn(text)
        for decision in prepared.waived:
            for text in decision.evidence:
                speaker.warn(text)
        if not prepared.plans:
            speaker.succeed(wording.Text("deploy.nothing-changed", {"environment": environment}))

    def show(self, prepared: preparing.Prepared, ended: Sequence[deployments.Deployment]) -> None:
        """What became of each service; of several, once more why some did not succeed, as the last lines."""
        if self._output == "json":
            left_out = {
                "skipped": prepared.skipped,
                "unchanged": prepared.unchanged,
                "unchecked": prepared.unchecked,
                "drifted": prepared.drifted,
            }
            outputs.emit_json({"deployments": ended, **left_out})
        elif self._output == "text" and ended:
            from hanbae.cli.text import run_summary, tables

            outputs.emit(tables.deployed(ended))
            speaker = self._session.narration
            if self._viewer is not None:
                self._viewer.conclude()
            if len(prepared.plans) > 1:
                for line in run_summary.lines(ended, width=speaker.width, color=speaker.color):
                    speaker.line(line)

    def detached(self) -> None:
        """The person went away: say what goes on without them, and where to look."""
        from hanbae.policy import environments, naming

        speaker, environment = self._session.narration, self._wishes.environment
        if self._viewer is not None:
            self._viewer.conclude()  # it had ended, and was about to say so
        for deployment in self._opened():
            if deployment.outcome != "running":
                continue
            policy = self._space.policy
            facts = {
                "deployment": deployment.id,
                "service": deployment.service,
                "environment": environment,
                "application": naming.application(policy, deployment.service, environment),
                "namespace": policy.argocd.namespace,
            }
            text_id = "deploy.detached"
            if environments.by_helm(policy, environment):
                text_id = "deploy.detached-helm"
                facts["namespace"] = naming.namespace(policy, deployment.service, environment)
            speaker.warn(wording.Text(text_id, facts))

    def report_interrupted(self) -> None:
        """With JSON, say on stdout how far each deployment is that was begun."""
        if self._output != "json":
            return
        begun = tuple(self._opened())
        names = ("skipped", "unchanged", "unchecked", "drifted")
        left_out: dict[str, tuple[object, ...]] = dict.fromkeys(names, ())
        if self._prepared is not None:
            left_out = {
                "skipped": self._prepared.skipped,
                "unchanged": self._prepared.unchanged,
                "unchecked": self._prepared.unchecked,
                "drifted": self._prepared.drifted,
            }
        outputs.emit_json({"deployments": begun, **left_out})

    async def stopped(self) -> None:
        """End what still runs of it; what cannot be ended is told and keeps no other from it."""
        if self._viewer is None:
            return  # nothing was begun
        with self._viewer:
            for deployment in self._opened():
                try:
                    await self._stop(deployment.id)
                except errors.Error as error:
                    if error.text.id != "stop.ended":  # it has ended meanwhile
                        self._session.narration.error(catalogue.fault(error))
        self._viewer.conclude()

    async def _stop(self, deployment: str) -> None:
        """End a deployment, and show what was not shown before the interruption."""
        from hanbae.deploying import attaching

        stream = attaching.attached(self._space, deployment, stops=True)
        async with contextlib.aclosing(stream):
            async for event in stream:
                # The stream starts at the first event.
                if self._viewer is not None and event.seq > self._latest.get(deployment, 0):
                    self._viewer.event(event)

    def _opened(self) -> Iterator[deployments.Deployment]:
        """How far each deployment is that was begun; one that waited for its place has no record."""
        for deployment in self._prepared.plans if self._prepared is not None else ():
            with contextlib.suppress(ValueError):
                yield self._space.store.deployment(deployment)
