"""Findings as Markdown, fit for a comment on a change."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from hanbae.cli import reports, wordings
from hanbae.cli.reports import narrating, sinks, terminal
from hanbae.results import findings


def render(report: reports.Report) -> str:
    """The document: a heading, what was counted, and the findings by file."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: reports.Report) -> Iterator[str]:
    yield "## hanbae check"
    yield ""
    yield sinks.markdown(sinks.sentence(narrating.summary(report)))
    for file, found in groupby(report.result.findings, key=lambda each: each.place.file):
        yield ""
        yield f"### {sinks.code(file)}"
        yield ""
        explained: set[str] = set()
        for each in found:
            yield from _finding(report, each, why=each.code not in explained)
            explained.add(each.code)
    if report.accepted and report.result.accepted:
        yield ""
        yield f"### {sinks.markdown(wordings.words('check.accepted-heading'))}"
        yield ""
        for one in report.result.accepted:
            by = sinks.plain(wordings.words(f"check.by-{one.by}"))
            reason = f": {one.reason}" if one.reason else ""
            place = sinks.code(str(one.finding.place))
            yield f"- {place} {one.finding.code} {sinks.markdown(f'{by}{reason}')}"


def _finding(report: reports.Report, finding: findings.Finding, *, why: bool) -> Iterator[str]:
    place = finding.place
    where = ":".join(str(part) for part in (place.line, place.column) if part)
    start = f"{sinks.code(where)} " if where else ""
    severity = wordings.words(f"check.severity-{finding.severity}")
    message = sinks.markdown(sinks.sentence(finding.text))
    yield f"- {start}**{severity} {finding.code}** {message}"
    names = finding.environments
    if names and set(names) != set(report.result.environments):
        label = wordings.words("check.label-environments")
        yield f"  - {label}: {sinks.markdown(', '.join(names))}"
    if why:
        words = terminal.first_sentence(sinks.general(report.result.about[finding.code].why))
        yield f"  - {wordings.words('check.label-why')}: {sinks.markdown(words)}"
    if finding.fix is not None:
        label = wordings.words("check.label-fix")
        yield f"  - {label}: {sinks.markdown(sinks.sentence(finding.fix))}"
