"""``hanbae demo``: the main job on an embedded cluster, from nothing to proven deployments."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from hanbae import wording
from hanbae.cli import options, outputs, sandbox

if TYPE_CHECKING:
    from hanbae.promoting import sending
    from hanbae.results import events, promotions
    from hanbae.sandbox import demo


class _Narrator(sandbox.Narrated):
    """Tells a person how far the demo is; its deployments look as those of ``hanbae deploy`` do."""

    def step(self, text: wording.Text) -> None:
        """A part of the job begins."""
        self._speaker.step(text)

    def words(self, promotion: promotions.Promotion) -> sending.Words:
        """What ``hanbae promote`` says of a promotion to who reviews it."""
        from hanbae.cli.text import promotion_markdown

        return promotion_markdown.words(promotion)

    def promoted(self, promotion: promotions.Promotion) -> None:
        """What moves: its images, and how the checklist of each service has ended."""
        from hanbae.cli.reports import promotion_terminal

        for line in promotion_terminal.brief(promotion, width=self._speaker.width):
            self._speaker.line(line)

    @contextmanager
    def watching(self) -> Iterator[Callable[[events.Event], None]]:
        """The live view on a terminal, plain lines without one."""
        from hanbae.cli.text import live_view

        speaker = self._speaker
        view: live_view.View | live_view.Plain = live_view.Plain(
            speaker.line, color=speaker.color, width=speaker.width
        )
        if speaker.terminal:
            view = live_view.View(speaker.stream, color=speaker.color)
        with view as live:
            yield live.event


@click.command(
    "demo",
    cls=options.Command,
    help="""\
Deploy three services to three environments of a real cluster on this machine, and prove it.

Brings a sandbox up (the first time its programs are built, which takes about a quarter of an hour), seals secrets,
pushes images, has Argo CD deploy to dev, promotes to staging what was proven there with its checklist, and
reads the proof from the databases. Exits with 0 only if everything is proven.
Interrupted, it starts over when it is called again.""",
    epilog="""\
Examples:
  hanbae demo
  hanbae demo --keep && eval "$(hanbae sandbox env)" && kubectl get applications -n argocd
  hanbae demo --output json""",
)
@click.option("--keep", is_flag=True, help="Leave the sandbox running, and say how to use it.")
@click.option(
    "--name",
    default="default",
    show_default=True,
    envvar="HANBAE_SANDBOX",
    show_envvar=True,
    metavar="NAME",
    help="Which sandbox; several can be up side by side.",
)
@options.output("text", "json")
@options.session
def command(session: options.Session, keep: bool, name: str, output: str) -> int:
    """Run the demo; the exit code says whether everything is proven."""
    from hanbae.cli.text import tables
    from hanbae.sandbox import demo

    outcome = demo.run(_Narrator(session.narration), name=name, keep=keep)
    if output == "json":
        outputs.emit_json({"deployments": outcome.deployments})
    else:
        outputs.emit(tables.deployed(outcome.deployments))
    return _end(session, outcome, name)


def _end(session: options.Session, outcome: demo.Outcome, name: str) -> int:
    speaker = session.narration
    if outcome.unproven:
        facts = {"unproven": ", ".join(outcome.unproven)}
        speaker.fail(wording.Text("demo.unproven", facts))
    else:
        facts = {"count": str(len(outcome.deployments)), "seconds": f"{outcome.seconds:.0f}"}
        speaker.succeed(wording.Text("demo.proven", facts))
    if outcome.kept:
        flag = "" if name == "default" else f" --name {name}"
        facts = {"clone": str(outcome.clone), "flag": flag}
        speaker.note(wording.Text("demo.kept", facts))
    return 1 if outcome.unproven else 0
