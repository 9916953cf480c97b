"""``hanbae overlay``: the platform layer of an environment, planned and applied."""

from __future__ import annotations

import functools
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import click

from hanbae import errors, loops, wording
from hanbae.cli import names, options, outputs
from hanbae.cli.text import catalogue

if TYPE_CHECKING:
    from hanbae import workspaces
    from hanbae.results import overlays

_CHANGES: Final = 3


@dataclass(frozen=True)
class Target:
    """What both verbs are told.

    Attributes:
        environment: The environment.
        revision: The commit; None for the head of the environment's branch.
        output: Format of the data on standard output.
        context: kubeconfig context in place of the environment's own.
    """

    environment: str
    revision: str | None
    output: str
    context: str | None


def _of_environment(function: Callable[..., int]) -> Callable[..., int]:
    """The argument and the options that both verbs have, as one :class:`Target`."""

    @functools.wraps(function)
    def verb(
        session: options.Session,
        *,
        environment: str,
        revision: str | None,
        output: str,
        kube_context: str | None,
        **own: object,
    ) -> int:
        target = Target(environment, revision, output, kube_context)
        return function(session, target, **own)

    decorated: Callable[..., int] = options.session(verb)
    for decorate in (
        options.context(),
        options.output("text", "json"),
        click.option(
            "--revision",
            metavar="REV",
            help="Commit of this clone; default: the head of the environment's branch.",
        ),
        click.argument("environment", metavar="ENV", shell_complete=names.environments),
    ):
        decorated = decorate(decorated)
    return decorated


@click.group(
    cls=options.Group,
    help="Apply what an environment's cluster needs before services: namespaces, limits, gateways.",
    epilog="""\
Examples:
  hanbae overlay plan staging
  hanbae overlay apply staging""",
)
def command() -> None:
    """Group the verbs of overlays."""


@command.command(
    "plan",
    help="""\
Show what applying an environment's overlay would change, and change nothing.

The API server says it in a dry run, admission included. Whatever the policy names as a namespace's purpose is
listed with who provides it: a service, the overlay, somebody else (and whether it is there), or nobody yet.""",
    epilog="""\
Examples:
  hanbae overlay plan staging
  hanbae overlay plan dev --revision HEAD
  hanbae overlay plan production --exit-code --output json""",
)
@_of_environment
@click.option(
    "--exit-code", "tells", is_flag=True, help="Leave with 3 when something would change."
)
def plan(session: options.Session, target: Target, *, tells: bool) -> int:
    """Show what would change."""
    from hanbae import workspaces

    with workspaces.opened(session.directory, context=target.context) as space:
        previewed = loops.run(_plan(space, target))
    if target.output == "json":
        outputs.emit_json(previewed)
    else:
        _show(previewed)
    return _CHANGES if tells and previewed.changes else 0


@command.command(
    "apply",
    help="""\
Apply an environment's overlay, as `kubectl apply -k`, after showing what changes and asking.

Objects are applied on the server's side, Namespaces first, from the head of the environment's branch. Nothing is
deleted. If it is interrupted, run it again.""",
    epilog="""\
Examples:
  hanbae overlay apply staging
  hanbae overlay apply dev --revision HEAD --yes
  hanbae overlay apply production --force-conflicts""",
)
@_of_environment
@click.option(
    "--force-conflicts",
    "force",
    is_flag=True,
    help="Take fields over that somebody else has set to another value.",
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def apply(session: options.Session, target: Target, *, force: bool, yes: bool) -> int:
    """Apply the overlay."""
    from hanbae import workspaces

    with workspaces.opened(session.directory, context=target.context) as space:
        applied = loops.run(_apply(session, space, target, force=force, yes=yes))
    if target.output == "json":
        outputs.emit_json(applied)
    return 0


@asynccontextmanager
async def _administered(
    space: workspaces.Workspace, environment: str
) -> AsyncIterator[workspaces.Clusters]:
    """The connections of an environment for what no deployer may do: an overlay makes its namespaces."""
    try:
        async with space.clusters(environment, granted=False) as clusters:
            yield clusters
    except errors.Forbidden as error:
        error.hint = error.hint or wording.Text("overlay.administrators")
        raise


async def _plan(space: workspaces.Workspace, target: Target) -> overlays.Preview:
    from hanbae.actions import overlay

    built = await overlay.build(space, target.environment, revision=target.revision)
    async with _administered(space, target.environment) as clusters:
        return await overlay.preview(clusters.workload, built)


async def _apply(
    session: options.Session,
    space: workspaces.Workspace,
    target: Target,
    *,
    force: bool,
    yes: bool,
) -> overlays.Applied:
    from hanbae.actions import overlay
    from hanbae.results import overlays

    built = await overlay.build(space, target.environment, revision=target.revision)
    facts = {"folder": built.folder, "environment": built.environment}
    async with _administered(space, target.environment) as clusters:
        previewed = await overlay.preview(clusters.workload, built)
        if target.output != "json":
            _show(previewed)
        _refuse(previewed, force=force)
        if not yes and previewed.changes:
            _ask(facts)
        stored: list[overlays.Stored] = []
        total = {"count": str(len(built.objects)), **facts}
        try:
            async with aclosing(overlay.apply(clusters.workload, built, force=force)) as applying:
                async for item in applying:
                    stored.append(item)
                    _tell(session, item)
        except errors.Error as error:
            error.hint = wording.Text("overlay.partly", {**total, "done": str(len(stored))})
            raise
    session.narration.succeed(wording.Text("overlay.applied", total))
    return overlays.Applied(built.environment, built.folder, built.revision, tuple(stored))


def _refuse(previewed: overlays.Preview, *, force: bool) -> None:
    """Refuse what the API server would refuse in the middle.

    Raises:
        hanbae.errors.Refused: It would refuse an object.
    """
    facts = {"folder": previewed.folder, "environment": previewed.environment}
    if previewed.refusals:
        raise errors.Refused.saying(previewed.refusals[0])
    if previewed.conflicts and not force:
        raise errors.Refused("overlay.conflicts", place=None, **facts)


def _ask(facts: dict[str, str]) -> None:
    """Ask whether the overlay is to be applied.

    Raises:
        hanbae.errors.Refused: The answer is no, or there is nobody to ask.
    """
    if not sys.stdin.isatty():
        raise errors.Refused("overlay.needs-yes", place=None, **facts)
    question = catalogue.sentence(wording.Text("overlay.ask", facts))
    if not click.confirm(question, default=False, err=True):
        raise errors.Refused("overlay.declined", place=None, **facts)


def _show(previewed: overlays.Preview) -> None:
    """Write a preview to stdout, as the plans of services are written, and the parts of the namespaces."""
    from hanbae.cli.reports import plan_terminal
    from hanbae.cli.text import plan_sections

    section = plan_sections.Section(
        f"{previewed.folder} → {previewed.environment}  {previewed.revision[:12]}",
        previewed.forecast,
        notes=(*previewed.conflicts, *previewed.notes),
        refusals=previewed.refusals,
        changes=previewed.changes or bool(previewed.refusals),
    )
    plan_terminal.section(section)
    for part in previewed.parts:
        outputs.emit_text(
            catalogue.sentence(_provided(part, previewed.environment)), head="  ", indent="    "
        )
    if previewed.parts:
        outputs.emit("")


_PARTS: Final = {
    "service": "overlay.part-service",
    "overlay": "overlay.part-overlay",
    "declared": "overlay.part-declared",
}
_EXPECTED: Final = {
    True: "overlay.part-expected-there",
    False: "overlay.part-expected-missing",
    None: "overlay.part-expected-unseen",
}
_STORED: Final = {
    "created": "overlay.created",
    "changed": "overlay.changed",
    "unchanged": "overlay.unchanged",
}


def _provided(part: overlays.Part, environment: str) -> wording.Text:
    """Who provides a part of a namespace's purpose in an environment."""
    facts = {
        "namespace": part.namespace,
        "part": part.name,
        "by": part.by,
        "environment": environment,
    }
    text_id = _EXPECTED[part.present] if part.provided == "expected" else _PARTS[part.provided]
    return wording.Text(text_id, facts)


def _tell(session: options.Session, stored: overlays.Stored) -> None:
    session.narration.step(wording.Text(_STORED[stored.outcome], {"object": str(stored.object)}))
