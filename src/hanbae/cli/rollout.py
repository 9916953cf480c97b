"""``hanbae rollout``: the pods of a service started anew, followed, or put back."""

from __future__ import annotations

import functools
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import click

from hanbae import errors, loops, wording
from hanbae.cli import names, options, outputs
from hanbae.cli.text import catalogue

if TYPE_CHECKING:
    from hanbae import workspaces
    from hanbae.actions import rollout
    from hanbae.results import workloads


@dataclass(frozen=True)
class Target:
    """What every verb of a rollout is told.

    Attributes:
        service: The service.
        environment: The environment.
        wait: Whether the rollout is followed to its end.
        timeout: Seconds after which that is given up; None for the policy's deadline.
        output: Format of the data on standard output.
        context: kubeconfig context in place of the environment's own.
    """

    service: str
    environment: str
    wait: bool
    timeout: float | None
    output: str
    context: str | None


def _of_service(function: Callable[..., int]) -> Callable[..., int]:
    """The argument and the options that all verbs have, as one :class:`Target`."""

    @functools.wraps(function)
    def verb(
        session: options.Session,
        *,
        service: str,
        environment: str,
        wait: bool,
        timeout: float | None,
        output: str,
        kube_context: str | None,
        **own: object,
    ) -> int:
        target = Target(service, environment, wait, timeout, output, kube_context)
        return function(session, target, **own)

    decorated: Callable[..., int] = options.session(verb)
    for decorate in (
        options.context(),
        options.output("text", "json"),
        click.option(
            "--timeout",
            type=click.FloatRange(min=0, min_open=True),
            metavar="SECONDS",
            help="Give up following after this long; default: rollout.deadline of the policy.",
        ),
        click.option(
            "--wait/--no-wait",
            default=True,
            help="Follow until the rollout is complete; else only begin.",
        ),
        options.environment(),
        click.argument("service", shell_complete=names.services),
    ):
        decorated = decorate(decorated)
    return decorated


@click.group(
    cls=options.Group,
    help="Restart a service's pods, follow their rollout, or put them back.",
    epilog="""\
Examples:
  hanbae rollout status auth --env dev
  hanbae rollout restart auth --env staging
  hanbae rollout undo auth --env production""",
)
def command() -> None:
    """Group the verbs of a rollout."""


@command.command(
    "status",
    help="""\
Follow the rollout of a service's workloads until it is complete.

Exit code 1 where it fails, is paused or takes too long; its cause and the next command are shown.""",
    epilog="""\
Examples:
  hanbae rollout status auth --env dev
  hanbae rollout status auth --env staging --no-wait --output json""",
)
@_of_service
def status(session: options.Session, target: Target) -> int:
    """Follow the rollout."""
    return _run(session, target)


@command.command(
    "restart",
    help="""\
Start a service's pods anew, a few at a time as the chart's strategy says.

The pods read their Secrets and ConfigMaps again. Git is not changed, and Argo CD leaves a restart as it is.
It takes rights that hanbae's deployer does not have: use an identity of your own.""",
    epilog="""\
Examples:
  hanbae rollout restart auth --env staging
  hanbae rollout restart auth --env production --context admin""",
)
@_of_service
def restart(session: options.Session, target: Target) -> int:
    """Start the pods anew."""

    async def start_anew(pods: rollout.Pods) -> tuple[workloads.Undone, ...]:
        await pods.restart()
        return ()

    return _run(session, target, start_anew)


@command.command(
    "undo",
    help="""\
Put a service's pods back to the template that they had before, after showing it and asking.

It is refused where Argo CD would put the pods forward again at once, while a deployment runs, and where a
database was migrated since: the program of then need not work with the schema of now.
Git still has the newer commit, and the next deployment brings it back; to stay where you are, revert it there.""",
    epilog="""\
Examples:
  hanbae rollout undo auth --env production
  hanbae rollout undo auth --env production --to-revision 4
  hanbae rollout undo identity --env staging --workload identity-worker""",
)
@_of_service
@click.option(
    "--to-revision",
    type=click.IntRange(min=1),
    metavar="N",
    help="The cluster's number of the template; default: the one before.",
)
@click.option("--workload", metavar="NAME", help="Which workload, where a service has several.")
@click.option(
    "--accept-schema",
    is_flag=True,
    help="The older program works with the databases as they are now; I have looked.",
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def undo(
    session: options.Session,
    target: Target,
    *,
    to_revision: int | None,
    workload: str | None,
    accept_schema: bool,
    yes: bool,
) -> int:
    """Put the pods back."""

    async def put_back(pods: rollout.Pods) -> tuple[workloads.Undone, ...]:
        await _refuse(pods)
        steps = await pods.former(to_revision, workload)
        if not accept_schema:
            _refuse_migrated(pods, steps)
        for step in steps:
            session.narration.step(_change(step))
        if not yes:
            _ask(pods)
        undone = await pods.put_back(steps)
        facts = {"service": pods.service, "environment": pods.environment}
        session.narration.note(wording.Text("rollout.git-points-forward", facts))
        return undone

    return _run(session, target, put_back)


_Begins = Callable[["rollout.Pods"], Awaitable[tuple["workloads.Undone", ...]]]


def _run(session: options.Session, target: Target, begins: _Begins | None = None) -> int:
    """Begin something with the workloads of a service, and follow it."""
    from hanbae import workspaces

    with workspaces.opened(session.directory, context=target.context) as space:
        rolled = loops.run(_follow(session, space, target, begins))
    if target.output == "json":
        outputs.emit_json(rolled)
    return 0


async def _follow(
    session: options.Session,
    space: workspaces.Workspace,
    target: Target,
    begins: _Begins | None,
) -> workloads.Rolled:
    from hanbae.actions import rollout
    from hanbae.results import workloads

    service, environment = target.service, target.environment
    async with rollout.opened(space, service, environment) as pods:
        undone = () if begins is None else await begins(pods)
        states = [rollout.described(workload) for workload in await pods.now()]
        latest = {(state.kind, state.namespace, state.name): state for state in states}
        if not target.wait:
            for state in states:
                session.narration.step(_progress(state))
            return workloads.Rolled(service, environment, tuple(states), undone)
        within = target.timeout if target.timeout is not None else _deadline(space)
        try:
            async with aclosing(pods.follow(within=within)) as changes:
                async for state in changes:
                    latest[state.kind, state.namespace, state.name] = state
                    _tell(session, state)
        except errors.Failed:
            # Before the error, which the front door prints afterwards.
            await _explain(session, pods)
            raise
        return workloads.Rolled(service, environment, tuple(latest.values()), undone)


def _tell(session: options.Session, state: workloads.Rollout) -> None:
    """Say how far a rollout is; how it failed is said once, by the error."""
    if state.state == "Complete":
        session.narration.succeed(_progress(state))
    elif state.state == "Progressing":
        session.narration.step(_progress(state))


async def _refuse(pods: rollout.Pods) -> None:
    """Refuse an undo that would not last, or that a deployment would overtake.

    Raises:
        hanbae.errors.Refused: It would be of no use.
    """
    if await pods.heals():
        facts = {"service": pods.service, "environment": pods.environment}
        raise errors.Refused("rollout.heals", place=None, **facts)
    await pods.refuse_busy()


def _refuse_migrated(pods: rollout.Pods, steps: Sequence[rollout.Step]) -> None:
    """Refuse an undo whose program need not work with the databases as they are now.

    Raises:
        hanbae.errors.Refused: One was migrated since, or nobody knows.
    """
    differing = pods.schemas(steps)
    if differing:
        listed = ", ".join(
            f"{schema.database}: {_version(schema.then)} → {_version(schema.now)}"
            for schema in differing
        )
        facts = {"service": pods.service, "environment": pods.environment}
        raise errors.Refused("rollout.migrated-since", place=None, databases=listed, **facts)


_PROGRESS: Final = {
    "Complete": "rollout.complete",
    "Failed": "rollout.failed",
    "Paused": "rollout.paused",
    "Progressing": "rollout.progressing",
}


def _version(version: int | None) -> str:
    return "?" if version is None else str(version)


def _progress(state: workloads.Rollout) -> wording.Text:
    facts = {"workload": f"{state.kind}/{state.namespace}/{state.name}"}
    return wording.Text(_PROGRESS[state.state], {**facts, "message": state.message or "-"})


def _change(step: rollout.Step) -> wording.Text:
    from hanbae.clusters import kinds
    from hanbae.engines import rollouts

    before = rollouts.images(step.workload)
    images = ", ".join(
        f"{before.get(container, '-')} → {image}"
        for container, image in step.former.images.items()
        if before.get(container) != image
    )
    facts = {
        "workload": str(kinds.ref(step.workload)),
        "revision": str(step.former.revision),
        "images": images,
    }
    return wording.Text("rollout.goes-back" if images else "rollout.goes-back-same-images", facts)


async def _explain(session: options.Session, pods: rollout.Pods) -> None:
    """Show why the rollouts do not go on; nothing where that cannot be read."""
    from hanbae.cli.text import event_lines

    try:
        causes = await pods.causes()
    except errors.Unreachable:
        return
    speaker = session.narration
    for cause in causes:
        for line in event_lines.laid_out(cause, width=speaker.width):
            speaker.line(line)


def _deadline(space: workspaces.Workspace) -> float:
    from hanbae.policy import naming

    return float(naming.seconds(space.policy.rollout.deadline))


def _ask(pods: rollout.Pods) -> None:
    """Ask whether the pods are to be put back.

    Raises:
        hanbae.errors.Refused: The answer is no, or there is nobody to ask.
    """
    facts = {"service": pods.service, "environment": pods.environment}
    if not sys.stdin.isatty():
        raise errors.Refused("rollout.needs-yes", place=None, **facts)
    question = catalogue.sentence(wording.Text("rollout.ask", facts))
    if not click.confirm(question, default=False, err=True):
        raise errors.Refused("rollout.declined", place=None, **facts)
