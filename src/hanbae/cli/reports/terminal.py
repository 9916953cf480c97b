"""Findings on a terminal: by file, each with its place, what is wrong, one line of why, and the fix."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from typing import Final

import click

from hanbae.cli import reports
from hanbae.cli.text import catalogue, escaping
from hanbae.results import findings

_COLORS: Final = {"error": "red", "warning": "yellow", "notice": "cyan"}
_INDENT: Final = " " * 6
_NARROWEST: Final = 30
_FIRST: Final = re.compile(r".*?[.!?](?=\s|$)")


def render(report: reports.Report) -> str:
    """The whole text."""
    return "".join(f"{line}\n" for line in _lines(report))


def _lines(report: reports.Report) -> Iterator[str]:
    result = report.result
    first = True
    for file, of_file in groupby(result.findings, key=lambda finding: finding.place.file):
        if not first:
            yield ""
        first = False
        yield _styled(escaping.terminal(escaping.plain(file)), report, bold=True)
        explained: set[str] = set()
        for finding in of_file:
            yield from _finding(report, finding, why=finding.code not in explained)
            explained.add(finding.code)
    if report.accepted and result.accepted:
        if not first:
            yield ""
        yield _styled(catalogue.words("check.accepted-heading"), report, bold=True)
        for acceptance in result.accepted:
            yield from _accepted(report, acceptance)


def _finding(report: reports.Report, finding: findings.Finding, *, why: bool) -> Iterator[str]:
    place = finding.place
    where = ":".join(str(part) for part in (place.line, place.column) if part) or "-"
    severity = catalogue.words(f"check.severity-{finding.severity}")
    head = f"  {where}  {severity} {finding.code}  "
    message, *more = wrapped(escaping.sentence(finding.text), report.width, head, _INDENT)
    colored = _styled(severity, report, fg=_COLORS[finding.severity])
    yield message.replace(severity, colored, 1) if message.startswith(head) else message
    yield from more
    for label, words in _details(report, finding, why=why):
        start = f"{_INDENT}{catalogue.words(label)}: "
        begin, *rest = wrapped(words, report.width, start, _INDENT + "  ")
        if report.color and begin.startswith(start):
            begin = _styled(start, report, dim=True) + begin[len(start) :]
        yield begin
        yield from rest


def _details(
    report: reports.Report, finding: findings.Finding, *, why: bool
) -> Iterator[tuple[str, str]]:
    """What is said below a finding, with a label in front."""
    names = finding.environments
    if names and set(names) != set(report.result.environments):
        yield "check.label-environments", escaping.plain(", ".join(names))
    if finding.precision == "template":
        text_id = "check.only-line" if finding.place.line else "check.only-template"
        yield "check.label-place", catalogue.words(text_id)
    if why:
        yield (
            "check.label-why",
            first_sentence(escaping.general(report.result.about[finding.code].why)),
        )
    if finding.fix is not None:
        yield "check.label-fix", escaping.sentence(finding.fix)


def _accepted(report: reports.Report, accepted: findings.Accepted) -> Iterator[str]:
    finding = accepted.finding
    by = catalogue.words(f"check.by-{accepted.by}")
    reason = f": {escaping.plain(accepted.reason)}" if accepted.reason else ""
    head = f"  {escaping.plain(str(finding.place))}  {finding.code}  "
    yield from wrapped(escaping.sentence(finding.text), report.width, head, _INDENT)
    yield from wrapped(f"{by}{reason}", report.width, _INDENT, _INDENT)


def first_sentence(text: str) -> str:
    """The first sentence of a text, the whole text where no sentence ends."""
    match = _FIRST.match(text)
    return match[0] if match else text


def wrapped(text: str, width: int, head: str, indent: str) -> list[str]:
    """Text after a head, in lines of so many columns; Korean letters take two each.

    Words stay whole where they fit in a line.
    """
    width = max(width, _NARROWEST)
    words = text.split()
    whole = f"{head}{' '.join(words)}"
    columns = len if whole.isascii() and indent.isascii() else _width
    if words and columns(whole) <= width:  # as most do
        return [escaping.terminal(whole.rstrip())]
    lines, line, empty = [], head, True
    for word in words:
        gap = "" if empty else " "
        if columns(line + gap + word) <= width:
            line, empty = line + gap + word, False
            continue
        if not empty:
            lines.append(line)
            line = indent
        rest = word
        while columns(line + rest) > width:
            part, rest = _cut(rest, width - columns(line))
            if part or line != indent:
                lines.append(line + part)
            line = indent
        line, empty = line + rest, not rest
    if line.strip() or not lines:
        lines.append(line)
    return [escaping.terminal(line.rstrip()) for line in lines]


def _cut(word: str, columns: int) -> tuple[str, str]:
    """As much of a word as fits, and the rest; nothing where hardly any of it would."""
    if columns < _NARROWEST // 2:
        return "", word
    used = 0
    for index, letter in enumerate(word):
        used += _width(letter)
        if used > columns:
            return word[:index], word[index:]
    return word, ""


def _styled(text: str, report: reports.Report, **style: bool | str) -> str:
    return click.style(text, **style) if report.color else text  # type: ignore[arg-type]


def _width(text: str) -> int:
    """Columns that a text takes; Hangul takes two a letter."""
    if text.isascii():
        return len(text)
    from rich import (
        cells,
    )  # slow to import, and an English report without findings needs none of it

    return cells.cell_len(text)
