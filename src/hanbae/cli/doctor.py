"""``hanbae doctor``: what is the matter with what runs, and the next command."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from hanbae import errors, loops, wording
from hanbae.cli import names, options, outputs, unreached
from hanbae.cli.text import catalogue

if TYPE_CHECKING:
    from hanbae.results import diagnoses

_TROUBLE: Final = 1
_MARKS: Final = {"error": "✘ ", "warning": "! ", "notice": "· "}
_COLOURS: Final = {"error": "red", "warning": "yellow", "notice": "cyan"}

_Command = Callable[[str, tuple[str, ...]], tuple[str, ...]]


@click.command(
    cls=options.Command,
    help="""\
Say what is the matter with what runs: symptom, cause, evidence, and the next command.

Looks once at pods, Jobs, secrets, Services, volumes, nodes and Argo CD, the gravest first; nothing is changed.
Exit code 1 where something is wrong, 4 where an environment cannot be reached.
--snapshot keeps what was seen for a colleague, without any secret; --from-snapshot reads such a file.""",
    epilog="""\
Examples:
  hanbae doctor
  hanbae doctor auth --env staging
  hanbae doctor auth --env staging --snapshot auth.json
  hanbae doctor --from-snapshot auth.json --output json""",
)
@click.argument("services", metavar="[SERVICE]...", nargs=-1, shell_complete=names.services)
@options.environment(required=False)
@click.option(
    "--snapshot",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Keep what was seen in this file: fields of an allow-list, masked, no secret.",
)
@click.option(
    "--from-snapshot",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Look at this file instead of a cluster.",
)
@options.output("text", "json")
@options.context()
@options.session
def command(
    session: options.Session,
    *,
    services: tuple[str, ...],
    environment: str | None,
    snapshot: Path | None,
    from_snapshot: Path | None,
    output: str,
    kube_context: str | None,
) -> int:
    """Diagnose."""
    from hanbae.actions import doctor

    environments = (environment,) if environment else ()
    if from_snapshot is not None:
        if snapshot is not None:
            raise errors.WrongUse("doctor.both")
        snapshots = doctor.read(from_snapshot)
        listed = doctor.diagnose(snapshots, services=services, environments=environments)
        return _show(session, listed, output, lambda _, words: words)
    from hanbae import workspaces

    with workspaces.opened(session.directory, context=kube_context) as space:
        snapshots, silent = loops.run(doctor.doctor(space, services, environments))
        if snapshot is not None:
            doctor.write(snapshot, snapshots)
            session.narration.succeed(wording.Text("doctor.kept", {"path": str(snapshot)}))
        listed = doctor.diagnose(snapshots, silent)
        return _show(session, listed, output, space.typed)


def _show(
    session: options.Session, listed: diagnoses.Diagnoses, output: str, typed: _Command
) -> int:
    if output == "json":
        outputs.emit_json(listed)
    else:
        _list(listed, typed, colour=session.narration.color)
    for text in _unseen(listed) if output != "json" else ():
        session.narration.warn(text)
    code = unreached.tell(session, listed.unreached)
    is_wrong = any(entry.severity != "notice" for entry in listed.diagnoses)
    if not listed.diagnoses and not listed.unreached:
        session.narration.succeed(
            wording.Text("doctor.well", {"environments": ", ".join(listed.environments) or "-"})
        )
    return code or (_TROUBLE if is_wrong else 0)


def _unseen(listed: diagnoses.Diagnoses) -> Iterator[wording.Text]:
    """What could not be looked at, in a sentence for each environment; it may be a dozen kinds."""
    from hanbae.results import diagnoses as results

    by_environment: dict[str, dict[str, list[str]]] = {}
    for entry in listed.unseen:
        if entry.kind == results.RECORD:
            yield entry.why
            continue
        by_namespace = by_environment.setdefault(entry.environment, {})
        by_namespace.setdefault(entry.namespace, []).append(entry.kind)
    for environment, by_namespace in by_environment.items():
        objects = "; ".join(
            f"{', '.join(sorted(set(names)))} ({namespace or catalogue.words('doctor.unseen-cluster')})"
            for namespace, names in by_namespace.items()
        )
        facts = {"environment": environment, "objects": objects}
        yield wording.Text("doctor.unseen", facts)


def _list(listed: diagnoses.Diagnoses, typed: _Command, *, colour: bool) -> None:
    place = ("", "")
    # sorted() is stable: within an environment the gravest stay first, and what belongs to no
    # service, such as a node, comes last.
    for entry in sorted(
        listed.diagnoses, key=lambda entry: (entry.environment, entry.service == "")
    ):
        if (entry.environment, entry.service) != place:
            if place != ("", ""):
                outputs.emit("")
            place = (entry.environment, entry.service)
            heading = " ".join(filter(None, (entry.service, f"({entry.environment})")))
            printable = catalogue.printable(heading)  # a snapshot may be of anybody's making
            outputs.emit(click.style(printable, bold=True) if colour else printable)
        mark = _MARKS[entry.severity]
        head = click.style(mark, fg=_COLOURS[entry.severity]) if colour else mark
        for index, line in enumerate(_lines(entry)):
            outputs.emit_text(line, head="    " if index else head, indent="    ")
        for line in entry.evidence:
            outputs.emit_text(catalogue.printable(line), head="    │ ", indent="    │ ")
        command = typed(entry.environment, entry.command)
        if command:
            outputs.emit(catalogue.printable(f"    → {shlex.join(command)}"))


def _lines(entry: diagnoses.Diagnosis) -> Iterator[str]:
    yield catalogue.sentence(entry.symptom)
    yield from catalogue.sentence(entry.cause).splitlines()
