"""Shows what became of files in a repository: one line each, and the difference where a person must decide."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Final

import click

from hanbae import wording
from hanbae.cli import outputs
from hanbae.cli.text import catalogue, narration, wrapping
from hanbae.results import files

_WIDEST: Final = 200
"""Columns; a sealed value is a line of a thousand."""

_COLORS: Final = {"+": "green", "-": "red", "@": "cyan"}


def show(speaker: narration.Narration, changes: Sequence[files.FileChange], output: str) -> None:
    """Write the outcomes to stdout, and to stderr what to do about files that were kept.

    Args:
        speaker: Speaks to the person.
        changes: What became of the files.
        output: ``text`` or ``json``.
    """
    _list(changes, output, _show_difference)
    skipped = [change for change in changes if change.outcome == "kept"]
    differing = sum(bool(change.reasons) for change in skipped)
    if len(skipped) > differing:
        speaker.warn(wording.Text("files.some-kept", {"count": str(len(skipped) - differing)}))
    if differing:
        speaker.warn(wording.Text("files.some-left", {"count": str(differing)}))


def explain(speaker: narration.Narration, changes: Sequence[files.FileChange], output: str) -> None:
    """Write the outcomes of a second ``hanbae init`` to stdout, and to stderr what to do about them.

    What differs is said in words: a difference from what hanbae would write would show what the team has written as
    what is to be taken away.

    Args:
        speaker: Speaks to the person.
        changes: What became of the files.
        output: ``text`` or ``json``.
    """
    _list(changes, output, _show_reasons)
    _advise(speaker, changes)


def show_upgrades(upgrades: Sequence[files.Upgrade]) -> None:
    """Write what became of the files of services that were upgraded to stdout.

    What was written is in the working tree for ``git diff`` to show; what was not is shown here.
    """
    from hanbae.charts import scaffold_record

    for upgrade in upgrades:
        written = upgrade.outcome in {"upgraded", "marked"}
        for change in upgrade.files:
            outputs.emit(catalogue.sentence(_outcome(change)))
            _show_reasons(change)
            is_record = change.path.endswith(scaffold_record.NAME)  # it repeats what the files say
            if not is_record and (not written or change.outcome == "kept"):
                _show_diff(change.diff)


def _list(
    changes: Sequence[files.FileChange], output: str, details: Callable[[files.FileChange], None]
) -> None:
    """Write what became of each file, with its details in a text."""
    if output == "json":
        outputs.emit_json({"files": changes})
        return
    for change in changes:
        outputs.emit(catalogue.sentence(_outcome(change)))
        details(change)


def _show_difference(change: files.FileChange) -> None:
    """Why a file was kept, and how it differs."""
    if change.outcome == "kept":
        _show_reasons(change)
    if change.outcome in {"kept", "stale"} and not _is_left(change.diff):
        _show_diff(change.diff)


def _advise(speaker: narration.Narration, changes: Sequence[files.FileChange]) -> None:
    """Which commands bring files in line with the policy; that all are, where that is so."""
    skipped = [change for change in changes if change.outcome == "kept"]
    counts = {
        "init.differs": sum(bool(change.reasons) for change in skipped),
        "init.edited": sum(not change.reasons for change in skipped),
        "init.generated": sum(change.outcome == "stale" for change in changes),
    }
    if counts["init.differs"]:
        speaker.warn(wording.Text("init.differs", {"count": str(counts["init.differs"])}))
    if counts["init.generated"]:
        speaker.warn(wording.Text("init.generated", {"count": str(counts["init.generated"])}))
    if counts["init.edited"]:
        speaker.note(wording.Text("init.edited", {"count": str(counts["init.edited"])}))
    if not counts["init.differs"] and not counts["init.generated"]:
        speaker.succeed(wording.Text("init.fits"))


def _outcome(change: files.FileChange) -> wording.Text:
    facts = {"path": change.path}
    if change.outcome == "stale" and not change.diff:
        return wording.Text("files.missing", facts)
    if change.outcome == "stale" and _is_left(change.diff):
        return wording.Text("files.left", facts)
    return {
        "created": wording.Text("files.created", facts),
        "changed": wording.Text("files.changed", facts),
        "unchanged": wording.Text("files.unchanged", facts),
        "deleted": wording.Text("files.deleted", facts),
        "kept": wording.Text("files.kept", facts),
        "stale": wording.Text("files.stale", facts),
        "conflicting": wording.Text("files.conflicting", facts),
    }[change.outcome]


def _show_reasons(change: files.FileChange) -> None:
    columns = wrapping.width(sys.stdout, fallback=_WIDEST)
    for reason in change.reasons:
        sentence = catalogue.sentence(reason)
        for line in wrapping.paragraph(sentence, columns, head="  - ", indent="    "):
            outputs.emit(line)


def _is_left(diff: str) -> bool:
    """Whether a difference takes away everything: the file is of something that is gone."""
    # The first two lines name the file, and `@` begins a hunk. Only a newline ends a line, as in `files.diff`.
    lines = diff.removesuffix("\n").split("\n")[2:]
    return bool(lines) and all(line.startswith(("-", "@")) for line in lines)


def _show_diff(diff: str) -> None:
    columns = min(wrapping.width(sys.stdout, fallback=_WIDEST), _WIDEST)
    for line in catalogue.printable_lines(diff).splitlines():
        clipped = wrapping.clip(line, columns)
        outputs.emit(click.style(clipped, fg=_COLORS.get(line[:1])))
