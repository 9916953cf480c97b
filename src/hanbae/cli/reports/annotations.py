"""Findings as GitHub's annotations: commands on standard output, which it shows beside the changed lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hanbae.cli import reports
from hanbae.cli.text import escaping
from hanbae.results import findings

if TYPE_CHECKING:
    from hanbae.actions import check


def render(report: reports.Report) -> str:
    """A line for each finding."""
    folder, about = report.result.folder, report.result.about
    return "".join(
        f"{_annotation(finding, about[finding.code], folder)}\n"
        for finding in report.result.findings
    )


def _annotation(finding: findings.Finding, about: check.About, folder: str) -> str:
    place = finding.place
    title = escaping.general(about.title)
    properties = {
        "file": folder + place.file,
        "line": str(place.line) if place.line else "",
        "col": str(place.column) if place.column else "",
        "title": f"{finding.code} {title}",
    }
    parts = ",".join(
        f"{key}={escaping.annotation_property(v)}" for key, v in properties.items() if v
    )
    words = escaping.sentence(finding.text)
    if finding.environments:
        words = f"[{', '.join(finding.environments)}] {words}"
    if finding.fix is not None:
        words = f"{words} {escaping.sentence(finding.fix)}"
    return f"::{finding.severity} {parts}::{escaping.annotation(words)}"
