"""Many findings from the top: by rule, each with its number and its first places; what is new before the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from hanbae import wording
from hanbae.cli import reports
from hanbae.cli.reports import finding_lines
from hanbae.cli.text import catalogue, escaping
from hanbae.results import findings

_PLACES: Final = 3
_INDENT: Final = " " * 8


def lines(report: reports.Report) -> Iterator[str]:
    """The lines of the overview."""
    result = report.result
    fresh, rest = parted(report)
    if result.changed_files is not None and fresh:
        yield _heading(report, "check.overview-changed", fresh)
        yield from (
            finding_lines.by_file(report, fresh)
            if len(fresh) <= reports.FEW
            else _rules(report, fresh)
        )
        if not rest:
            return
        yield ""
        yield _heading(report, "check.overview-rest", rest)
    elif any(acceptance.by == "baseline" for acceptance in result.accepted):
        yield _heading(report, "check.overview-new", rest)
    yield from _rules(report, rest)


def parted(
    report: reports.Report,
) -> tuple[Sequence[findings.Finding], Sequence[findings.Finding]]:
    """The findings in files that were changed since the commit that the check names, and the others."""
    changed = report.result.changed_files
    if changed is None:
        return (), report.result.findings
    fresh: list[findings.Finding] = []
    rest: list[findings.Finding] = []
    for finding in report.result.findings:
        (fresh if finding.place.file in changed else rest).append(finding)
    return fresh, rest


def _rules(report: reports.Report, collected: Sequence[findings.Finding]) -> Iterator[str]:
    """A paragraph for each rule, the gravest and most frequent first."""
    groups: dict[tuple[findings.Severity, str], list[findings.Finding]] = {}
    for finding in collected:
        groups.setdefault((finding.severity, finding.code), []).append(finding)
    order = sorted(
        groups,
        key=lambda key: (reports.SEVERITIES.index(key[0]), -len(groups[key]), key[1]),
    )
    for key in order:
        yield from _rule(report, groups[key])


def _rule(report: reports.Report, group: Sequence[findings.Finding]) -> Iterator[str]:
    first = group[0]
    severity = catalogue.words(f"check.severity-{first.severity}")
    head = f"{len(group):>6}  {severity} {first.code}  "
    title = escaping.general(report.result.about[first.code].title)
    line, *more = finding_lines.wrapped(title, report.width, head, _INDENT)
    yield finding_lines.colored(report, line, head, first.severity)
    yield from more
    places = dict.fromkeys(escaping.plain(str(finding.place)) for finding in group)
    for place in list(places)[:_PLACES]:
        yield from finding_lines.wrapped(place, report.width, _INDENT, f"{_INDENT}  ")
    if len(places) > _PLACES:
        more_places = wording.Text("check.overview-more", {"count": str(len(places) - _PLACES)})
        yield f"{_INDENT}{catalogue.sentence(more_places)}"


def _heading(report: reports.Report, text_id: str, part: Sequence[findings.Finding]) -> str:
    text = wording.Text(text_id, {"count": str(len(part))})
    return finding_lines.styled(catalogue.sentence(text), report, bold=True)
