"""A finding on a terminal: its place, what is wrong, one line of why, and the fix."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import groupby
from typing import Final

import click

from hanbae import patterns
from hanbae.cli import reports
from hanbae.cli.text import catalogue, escaping, wrapping
from hanbae.results import findings

_COLORS: Final = {"error": "red", "warning": "yellow", "notice": "cyan"}
INDENT: Final = " " * 6
"""What the lines below a finding's first begin with."""
_FIRST: Final = patterns.lazy(r".*?[.!?](?=\s|$)")


def by_file(report: reports.Report, collected: Iterable[findings.Finding]) -> Iterator[str]:
    """Each finding in full, below its file, with an empty line between files."""
    first = True
    for file, of_file in groupby(collected, key=lambda finding: finding.place.file):
        if not first:
            yield ""
        first = False
        yield styled(escaping.terminal(escaping.plain(file)), report, bold=True)
        explained: set[str] = set()
        for finding in of_file:
            yield from _finding(report, finding, why=finding.code not in explained)
            explained.add(finding.code)


def _finding(report: reports.Report, finding: findings.Finding, *, why: bool) -> Iterator[str]:
    place = finding.place
    where = ":".join(str(part) for part in (place.line, place.column) if part)
    severity = catalogue.words(f"check.severity-{finding.severity}")
    head = f"  {f'{where}  ' if where else ''}{severity} {finding.code}  "
    message, *more = wrapped(escaping.sentence(finding.text), report.width, head, INDENT)
    yield colored(report, message, head, finding.severity)
    yield from more
    for label, words in _details(report, finding, why=why):
        start = f"{INDENT}{catalogue.words(label)}: "
        begin, *rest = wrapped(words, report.width, start, INDENT + "  ")
        # If not even one word fits beside the label, its line has lost the trailing blank of `start`.
        if report.color and begin.startswith(start):
            begin = styled(start, report, dim=True) + begin[len(start) :]
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


def first_sentence(text: str) -> str:
    """The first sentence of a text, the whole text where no sentence ends."""
    match = _FIRST.match(text)
    return match[0] if match else text


@lru_cache(maxsize=1024)  # thousands of findings have the same few reasons and fixes
def wrapped(text: str, width: int, head: str, indent: str) -> tuple[str, ...]:
    """Text after a head, in lines of so many columns, none of which a build server takes for a command."""
    lines = wrapping.wrap(text, width, head=head, indent=indent, cut=True)
    # After wrapping, because any word can begin a line now.
    return tuple(escaping.terminal(line) for line in lines)


def colored(report: reports.Report, line: str, head: str, severity: findings.Severity) -> str:
    """A line with the word of a severity in its head in that severity's colour."""
    word = catalogue.words(f"check.severity-{severity}")
    painted = styled(word, report, fg=_COLORS[severity])
    return line.replace(word, painted, 1) if line.startswith(head) else line


def styled(text: str, report: reports.Report, **style: bool | str) -> str:
    """A text in a style, where colours are wanted."""
    return click.style(text, **style) if report.color else text  # type: ignore[arg-type]
