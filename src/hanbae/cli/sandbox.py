"""``hanbae sandbox``: the embedded cluster for people without one."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from hanbae import errors, wording
from hanbae.cli import options, outputs
from hanbae.cli.text import catalogue, narration

if TYPE_CHECKING:
    from hanbae.sandbox import statuses

Function = TypeVar("Function", bound=Callable[..., Any])

_MARKS = {"ready": ("✔", "green"), "not-ready": ("!", "yellow"), "stopped": ("✘", "red")}


class Narrated:
    """Tells a person how far the sandbox is: one line per component, and what was there already in one.

    Args:
        speaker: How to speak.
    """

    def __init__(self, speaker: narration.Narration) -> None:
        self._speaker = speaker

    def started(self, component: str, estimate_s: float, remaining_s: float) -> None:
        """A program is being built, which takes long enough to say so."""
        facts = {
            "component": component,
            "estimate": _duration(estimate_s),
            "remaining": _duration(remaining_s),
        }
        self._speaker.step(wording.Text("sandbox.building", facts))

    def finished(self, component: str, seconds: float, *, cached: bool) -> None:
        """A program or component is there."""
        if not cached:
            facts = {"component": component, "seconds": f"{seconds:.1f}"}
            self._speaker.succeed(wording.Text("sandbox.component-ready", facts))

    def note(self, text: wording.Text) -> None:
        """Something else worth a line."""
        self._speaker.note(text)


def _duration(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 60} min {whole % 60:02d} s" if whole >= 60 else f"{whole} s"  # noqa: PLR2004


def _name(function: Function) -> Function:
    return click.option(
        "--name",
        default="default",
        show_default=True,
        envvar="HANBAE_SANDBOX",
        show_envvar=True,
        metavar="NAME",
        help="Which sandbox; several can be up side by side.",
    )(function)


@click.group(
    "sandbox",
    cls=options.Group,
    help="Run a whole cluster on this machine: Kubernetes, Argo CD, Sealed Secrets, PostgreSQL, a registry.",
    epilog="""\
Examples:
  hanbae sandbox up
  eval "$(hanbae sandbox env)" && kubectl get pods -A
  hanbae sandbox down""",
)
def command() -> None:
    """Group what concerns the embedded cluster."""


@command.command(
    "up",
    help="""\
Bring the sandbox up, or repair it; nothing happens to one that is ready.

Needs root on Linux. The first time its programs are built, which takes about a quarter of an hour; after that it is
ready in about 15 seconds. Interrupted, it goes on when it is called again.
After an upgrade of hanbae it brings a sandbox that runs to the new releases of its components; the data stays.""",
    epilog="""\
Examples:
  hanbae sandbox up
  hanbae sandbox up --name second --output json""",
)
@_name
@options.output("text", "json")
@options.session
def up(session: options.Session, name: str, output: str) -> None:
    """Bring it up and say how to use it."""
    import time

    from hanbae.sandbox import running, statuses

    began = time.monotonic()
    try:
        running.up(name, progress=Narrated(session.narration))
    except KeyboardInterrupt:
        raise errors.Stopped("sandbox.interrupted", name=name) from None
    if output == "json":
        outputs.emit_json(statuses.of(name))
        return
    flag = "" if name == "default" else f" --name {name}"
    facts = {"name": name, "seconds": f"{time.monotonic() - began:.1f}", "flag": flag}
    session.narration.succeed(wording.Text("sandbox.is-up", facts))


@command.command(
    "status",
    help="""\
Show what runs in a sandbox.

Exits with 1 unless everything in it is ready.""",
    epilog="""\
Examples:
  hanbae sandbox status
  hanbae sandbox status --output json""",
)
@_name
@options.output("text", "json")
@options.session
def status(session: options.Session, name: str, output: str) -> None:
    """Show every component, and exit with 1 unless all are ready."""
    from hanbae.sandbox import statuses

    report = statuses.of(name)
    if output == "json":
        outputs.emit_json(report)
    else:
        _show(report)
    if report.state != "ready":
        session.narration.warn(wording.Text(f"sandbox.state-{report.state}", {"name": name}))
        click.get_current_context().exit(1)


def _show(report: statuses.Status) -> None:
    width = max((len(component.name) for component in report.components), default=0)
    for component in report.components:
        mark, color = _MARKS[component.state]
        state = catalogue.sentence(wording.Text(f"sandbox.word-{component.state}"))
        line = f"{click.style(mark, fg=color)} {component.name:<{width}}  {state}"
        outputs.emit_text(component.detail, head=f"{line}  ", indent=" " * 4)


@command.command(
    "down",
    help="""\
Take a sandbox down, whatever state it is in, and remove its data.

Nothing is left on the machine but the built programs in the cache.""",
    epilog="""\
Examples:
  hanbae sandbox down
  hanbae sandbox down --name second --keep-logs""",
)
@_name
@click.option("--keep-logs", is_flag=True, help="Leave the folder with the components' logs.")
@options.session
def down(session: options.Session, name: str, keep_logs: bool) -> None:
    """Take it down, whatever state it is in."""
    from hanbae.sandbox import running

    progress = Narrated(session.narration)
    existed = running.down(name, keep_logs=keep_logs, progress=progress)
    text_id = "sandbox.is-down" if existed else "sandbox.was-not-there"
    session.narration.succeed(wording.Text(text_id, {"name": name}))


@command.command(
    "env",
    help="""\
Print shell commands after which kubectl, argocd, kubeseal, helm, goose, psql and hanbae use the sandbox.

No password is among them: they are in files that only you can read.""",
    epilog="""\
Example:
  eval "$(hanbae sandbox env)\"""",
)
@_name
def env(name: str) -> None:
    """Print what a shell evaluates."""
    from hanbae.sandbox import running

    for variable, value in running.attach(name).environment().items():
        if variable == "PATH":
            # Asked for twice, the folder is not put in front twice.
            others = [part for part in os.environ.get("PATH", "").split(":") if part != value]
            value = ":".join([value, *others])  # noqa: PLW2901
        outputs.emit(f"export {variable}={shlex.quote(value)}")
