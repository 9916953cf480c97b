"""``hanbae deploy``: the main job."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from hanbae import wording
from hanbae.cli import interrupts, options, outputs

if TYPE_CHECKING:
    from hanbae.actions import preparing, workspace
    from hanbae.results import deployments

_REFUSED: Final = 5
_UNREACHABLE: Final = 4


@click.command(
    cls=options.Command,
    help="""\
Deploy services to an environment, follow it, and prove their migrations.

Deploys the head of the environment's branch as the remote has it; without SERVICE, all services of the branch.
The first Ctrl-C only stops watching: what was begun goes on.""",
    epilog="""\
Examples:
  hanbae deploy auth --env staging
  hanbae deploy --env dev
  hanbae deploy auth identity --env production --output json""",
)
@click.argument("services", nargs=-1, metavar="[SERVICE]...")
@options.environment()
@options.output("text", "json", "jsonl")
@options.context()
@click.option(
    "--timeout",
    "limit",
    type=click.FloatRange(min=1),
    metavar="SECONDS",
    help="End what has not succeeded after this long; else the policy's deadlines do.",
)
@options.session
def command(
    session: options.Session,
    *,
    services: tuple[str, ...],
    environment: str,
    output: str,
    kube_context: str | None,
    limit: float | None,
) -> int:
    """Deploy."""
    from hanbae.actions import workspace

    with workspace.opened(session.directory, context=kube_context) as space:
        run = _Run(session, space, output)
        try:
            with interrupts.terminable() as terminated:
                return asyncio.run(run.through(services, environment, limit))
        except KeyboardInterrupt:
            run.detached(environment)
            return interrupts.TERMINATED if terminated else interrupts.INTERRUPTED


class _Run:
    """One invocation."""

    def __init__(self, session: options.Session, space: workspace.Workspace, output: str) -> None:
        self._session = session
        self._space = space
        self._output = output
        self._prepared: preparing.Prepared | None = None

    async def through(
        self, services: tuple[str, ...], environment: str, limit: float | None
    ) -> int:
        """Plan, deploy, show; the exit code."""
        from hanbae.actions import deploy, preparing

        speaker = self._session.narration
        speaker.step(wording.Text("deploy.preparing", {"environment": environment}))
        prepared = await preparing.prepare(self._space, services, environment)
        self._prepared = prepared
        with self._view() as view:
            async with deploy.deploying_all(self._space, prepared, limit=limit) as stream:
                async for event in stream:
                    if self._output == "jsonl":
                        outputs.emit_jsonl(event)
                    view.event(event)
        found = [self._space.store.deployment(each) for each in prepared.plans]
        if self._output == "json":
            outputs.emit_json({"deployments": found})
        elif self._output == "text":
            from hanbae.cli import tables

            outputs.emit(tables.deployed(found))
        return exit_code([each.outcome for each in found])

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

    def _view(self) -> Any:
        from hanbae.cli import live

        speaker = self._session.narration
        if self._output == "text" and speaker.terminal:
            return live.View(speaker.stream, color=speaker.color)
        return live.Plain(speaker.line, color=speaker.color)


def exit_code(outcomes: Sequence[deployments.Outcome]) -> int:
    """The exit code of a run: the gravest of its deployments decides."""
    if all(outcome == "succeeded" for outcome in outcomes):
        return 0
    if any(outcome in {"failed", "stopped", "superseded", "running"} for outcome in outcomes):
        return 1
    return _UNREACHABLE if "unknown" in outcomes else _REFUSED
