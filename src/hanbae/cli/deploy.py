"""``hanbae deploy``: the main job."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Protocol, Self

import click

from hanbae import wording
from hanbae.cli import interrupts, names, options, outputs, undeployed

if TYPE_CHECKING:
    from hanbae import workspaces
    from hanbae.deploying import claiming, preparing
    from hanbae.results import deployments, events, freezes

_REFUSED: Final = 5
_UNREACHABLE: Final = 4


@click.command(
    cls=options.Command,
    help="""\
Deploy services to an environment, follow it, and prove their migrations.

Deploys the head of the environment's branch as the remote has it; without SERVICE, all services of the branch.
What an earlier run has left half done is found and brought to its end first.
The first Ctrl-C only stops watching: what was begun goes on, and `hanbae attach` watches it again.""",
    epilog="""\
Examples:
  hanbae deploy auth --env staging
  hanbae deploy --env dev
  hanbae deploy auth identity --env production --output json
  hanbae deploy --plan plan.json""",
)
@click.argument("services", nargs=-1, metavar="[SERVICE]...", shell_complete=names.services)
@options.environment(required=False)
@options.output("text", "json", "jsonl")
@options.context()
@options.insecure()
@click.option(
    "--timeout",
    "limit",
    type=click.FloatRange(min=1),
    metavar="SECONDS",
    help="End what has not succeeded after this long; else the policy's deadlines do.",
)
@click.option(
    "--if-busy",
    "busy",
    type=click.Choice(("refuse", "wait", "follow")),
    default="refuse",
    show_default=True,
    help="Where somebody else deploys the same service: refuse, wait for the end, or follow theirs.",
)
@click.option(
    "--stop-on-interrupt",
    "stops",
    is_flag=True,
    help="At Ctrl-C or SIGTERM, end what was begun instead of leaving it.",
)
@click.option(
    "--plan",
    "saved",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    metavar="FILE",
    help="Deploy only what `hanbae plan --save` has written; refuse when anything differs.",
)
@click.option(
    "--no-preflight",
    "forced",
    is_flag=True,
    help="Begin although a secret, an image or the migrations in it are known to be missing.",
)
@options.session
def command(
    session: options.Session,
    *,
    services: tuple[str, ...],
    environment: str | None,
    saved: Path | None,
    output: str,
    kube_context: str | None,
    insecure: bool,
    limit: float | None,
    busy: claiming.IfBusy,
    stops: bool,
    forced: bool,
) -> int:
    """Deploy."""
    from hanbae import workspaces

    claim, environment, services = _claimed(saved, environment, services)
    with workspaces.opened(session.directory, context=kube_context, insecure=insecure) as space:
        run = _Run(session, space, output, claim, forced=forced)
        try:
            with interrupts.terminable() as terminated:
                return asyncio.run(run.through(services, environment, limit, busy))
        except KeyboardInterrupt:
            if stops:
                asyncio.run(run.stopped())
            run.detached(environment)
            run.report_interrupted()
            return interrupts.TERMINATED if terminated else interrupts.INTERRUPTED


def _claimed(
    saved: Path | None, environment: str | None, services: tuple[str, ...]
) -> tuple[freezes.Frozen | None, str, tuple[str, ...]]:
    """The saved plan, and the environment and the services that it, or else the command line, names."""
    from hanbae import errors

    if saved is None:
        if environment is None:
            raise errors.WrongUse("deploy.no-environment")
        return None, environment, services
    from hanbae.actions import save_plan

    claim = save_plan.read(saved)
    if environment not in {None, claim.environment}:
        raise errors.WrongUse(
            "deploy.plan-of-another", environment=environment or "", other=claim.environment
        )
    return (
        claim,
        claim.environment,
        services or tuple(service.service for service in claim.services),
    )


class _Run:
    """One invocation."""

    def __init__(
        self,
        session: options.Session,
        space: workspaces.Workspace,
        output: str,
        claim: freezes.Frozen | None = None,
        *,
        forced: bool = False,
    ) -> None:
        self._claim = claim
        self._forced = forced
        self._session = session
        self._space = space
        self._output = output
        self._prepared: preparing.Prepared | None = None

    async def through(
        self,
        services: tuple[str, ...],
        environment: str,
        limit: float | None,
        busy: claiming.IfBusy,
    ) -> int:
        """Plan, deploy, show; the exit code."""
        from hanbae.deploying import preflight, preparing, runs
        from hanbae.results import events as event_types

        speaker = self._session.narration
        speaker.step(wording.Text("deploy.preparing", {"environment": environment}))
        try:
            prepared = await preparing.prepare(
                self._space, services, environment, claim=self._claim, forced=self._forced
            )
        except preflight.KnownToFail as refusal:
            for reason in refusal.reasons[1:]:  # the first one is the error's own
                speaker.fail(reason)
            raise
        self._prepared = prepared
        if prepared.skipped:
            facts = {"services": ", ".join(prepared.skipped), "environment": environment}
            speaker.note(wording.Text("deploy.skipped", facts))
        names = [plan.service for plan in prepared.plans.values()]
        undeployed.warn(self._session, self._space, names, prepared.revision)
        # What decides is the last deployment of each service: not one that was only brought to its end.
        last = {plan.service: "" for plan in prepared.plans.values()}
        with viewer(self._session, self._output) as shown:
            async with runs.deploying_all(self._space, prepared, limit=limit, busy=busy) as stream:
                async for event in stream:
                    if self._output == "jsonl":
                        outputs.emit_jsonl(event)
                    shown.event(event)
                    if isinstance(event.fact, event_types.Opened):
                        last[event.fact.plan.service] = event.deployment
        ended = [self._space.store.deployment(deployment) for deployment in last.values()]
        if self._output == "json":
            outputs.emit_json({"deployments": ended})
        elif self._output == "text":
            from hanbae.cli.text import tables

            outputs.emit(tables.deployed(ended))
        return exit_code([deployment.outcome for deployment in ended])

    def detached(self, environment: str) -> None:
        """The person went away: say what goes on without them, and where to look."""
        from hanbae.policy import naming

        speaker = self._session.narration
        if self._prepared is None:
            return
        for deployment, plan in self._prepared.plans.items():
            with contextlib.suppress(ValueError):  # not even opened
                if self._space.store.deployment(deployment).outcome != "running":
                    continue
                facts = {
                    "deployment": deployment,
                    "service": plan.service,
                    "environment": environment,
                    "application": naming.application(plan.service, environment),
                    "namespace": self._space.policy.argocd.namespace,
                }
                speaker.warn(wording.Text("deploy.detached", facts))

    def report_interrupted(self) -> None:
        """With JSON, say on stdout how far each deployment is that was begun."""
        if self._output != "json":
            return
        begun = []
        for deployment in self._prepared.plans if self._prepared is not None else ():
            with contextlib.suppress(ValueError):  # not even opened
                begun.append(self._space.store.deployment(deployment))
        outputs.emit_json({"deployments": begun})

    async def stopped(self) -> None:
        """End what still runs of it."""
        from hanbae import errors
        from hanbae.deploying import attaching

        with viewer(self._session, self._output) as shown:
            for deployment in self._prepared.plans if self._prepared is not None else ():
                with contextlib.suppress(errors.Refused, errors.WrongUse):
                    stream = attaching.attached(self._space, deployment, stops=True)
                    async with contextlib.aclosing(stream):
                        async for event in stream:
                            shown.event(event)


class Viewer(Protocol):
    """Shows the events of a run, within ``with``."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...

    def event(self, event: events.Event) -> None:
        """Show an event."""


def viewer(session: options.Session, output: str) -> Viewer:
    """A table that stays, on a terminal; else plain lines."""
    from hanbae.cli.text import live_view

    speaker = session.narration
    if output == "text" and speaker.terminal:
        return live_view.View(speaker.stream, color=speaker.color)
    return live_view.Plain(speaker.line, color=speaker.color, width=speaker.width)


def exit_code(outcomes: Sequence[deployments.Outcome]) -> int:
    """The exit code of a run: the gravest of its deployments decides."""
    if all(outcome == "succeeded" for outcome in outcomes):
        return 0
    if any(outcome in {"failed", "stopped", "superseded", "running"} for outcome in outcomes):
        return 1
    return _UNREACHABLE if "unknown" in outcomes else _REFUSED
