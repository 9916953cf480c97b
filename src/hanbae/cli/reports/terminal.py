"""Findings on a terminal: by file, each with its place, what is wrong, one line of why, and the fix."""

from __future__ import annotations

from collections.abc import Iterator

from hanbae.cli import reports
from hanbae.cli.reports import finding_lines, overview
from hanbae.cli.text import catalogue, escaping
from hanbae.results import findings


def render(report: reports.Report) -> str:
    """The whole text."""
    return "".join(f"{line}\n" for line in _lines(report))


def _lines(report: reports.Report) -> Iterator[str]:
    result = report.result
    if report.overview and len(result.findings) > reports.FEW:
        yield from overview.lines(report)
    else:
        yield from finding_lines.by_file(report, result.findings)
    if report.accepted and result.accepted:
        if result.findings:
            yield ""
        yield finding_lines.styled(catalogue.words("check.accepted-heading"), report, bold=True)
        for acceptance in result.accepted:
            yield from _accepted(report, acceptance)


def _accepted(report: reports.Report, accepted: findings.Accepted) -> Iterator[str]:
    finding = accepted.finding
    by = catalogue.words(f"check.by-{accepted.by}")
    reason = f": {escaping.plain(accepted.reason)}" if accepted.reason else ""
    head = f"  {escaping.plain(str(finding.place))}  {finding.code}  "
    yield from finding_lines.wrapped(
        escaping.sentence(finding.text), report.width, head, finding_lines.INDENT
    )
    yield from finding_lines.wrapped(
        f"{by}{reason}", report.width, finding_lines.INDENT, finding_lines.INDENT
    )
