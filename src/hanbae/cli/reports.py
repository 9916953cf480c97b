"""Findings on a terminal: by file, each with its code, what is wrong, and what to do."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final

import click

from hanbae import wording
from hanbae.cli import narration, outputs, wordings

if TYPE_CHECKING:
    from hanbae.actions import check

_COLORS: Final = {"error": "red", "warning": "yellow", "notice": "cyan"}


def text(speaker: narration.Narration, result: check.Result) -> None:
    """Write findings to stdout, and how many there are to stderr."""
    for file, found in groupby(result.findings, key=lambda each: each.place.file):
        outputs.emit(click.style(wordings.printable(file), bold=True))
        for each in found:
            where = ":".join(str(part) for part in (each.place.line, each.place.column) if part)
            severity = click.style(each.severity, fg=_COLORS[each.severity])
            outputs.emit(
                f"  {where or '-'}  {severity} {each.code}  {wordings.sentence(each.text)}"
            )
            if each.fix:
                outputs.emit(f"      {wordings.sentence(each.fix)}")
    facts = {"services": str(len(result.services)), "count": str(len(result.findings))}
    if result.findings:
        speaker.fail(wording.Text("check.found", facts))
    else:
        speaker.done(wording.Text("check.clean", facts))
