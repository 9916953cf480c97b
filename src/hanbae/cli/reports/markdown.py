"""Findings as Markdown, fit for a comment on a change."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from hanbae.cli import reports
from hanbae.cli.reports import finding_lines, summary
from hanbae.cli.text import catalogue, escaping
from hanbae.results import findings


def render(report: reports.Report) -> str:
    """The document: a heading, what was counted, and the findings by file."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: reports.Report) -> Iterator[str]:
    yield "## hanbae check"
    yield ""
    yield escaping.markdown(escaping.sentence(summary.summary(report)))
    for file, of_file in groupby(report.result.findings, key=lambda finding: finding.place.file):
        yield ""
        yield f"### {escaping.code(file)}"
        yield ""
        explained: set[str] = set()
        for finding in of_file:
            yield from _finding(report, finding, why=finding.code not in explained)
            explained.add(finding.code)
    if report.accepted and report.result.accepted:
        yield ""
        yield f"### {escaping.markdown(catalogue.words('check.accepted-heading'))}"
        yield ""
        for acceptance in report.result.accepted:
            by = escaping.plain(catalogue.words(f"check.by-{acceptance.by}"))
            reason = f": {acceptance.reason}" if acceptance.reason else ""
            place = escaping.code(str(acceptance.finding.place))
            yield f"- {place} {acceptance.finding.code} {escaping.markdown(f'{by}{reason}')}"


def _finding(report: reports.Report, finding: findings.Finding, *, why: bool) -> Iterator[str]:
    place = finding.place
    where = ":".join(str(part) for part in (place.line, place.column) if part)
    start = f"{escaping.code(where)} " if where else ""
    severity = catalogue.words(f"check.severity-{finding.severity}")
    message = escaping.markdown(escaping.sentence(finding.text))
    yield f"- {start}**{severity} {finding.code}** {message}"
    names = finding.environments
    if names and set(names) != set(report.result.environments):
        label = catalogue.words("check.label-environments")
        yield f"  - {label}: {escaping.markdown(', '.join(names))}"
    if why:
        words = finding_lines.first_sentence(
            escaping.general(report.result.about[finding.code].why)
        )
        yield f"  - {catalogue.words('check.label-why')}: {escaping.markdown(words)}"
    if finding.fix is not None:
        label = catalogue.words("check.label-fix")
        yield f"  - {label}: {escaping.markdown(escaping.sentence(finding.fix))}"
