"""Findings in the formats that people and machines read: one module a format, each a function from report to text."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Final, Literal

from msgspec import Struct

from hanbae.results import findings

if TYPE_CHECKING:
    from hanbae.actions import check

FORMATS: Final = {
    "text": "terminal",
    "json": "document",
    "sarif": "sarif",
    "junit": "junit",
    "github": "annotations",
    "markdown": "markdown",
}
"""Format → module here that writes it."""
SEVERITIES: Final[tuple[findings.Severity, ...]] = ("error", "warning", "notice")
Threshold = Literal["error", "warning", "notice", "never"]
FEW: Final = 20
"""Findings that are shown one by one, wherever they go."""
FALLBACK_WIDTH: Final = 100
"""Columns where there is no terminal to ask."""


class Report(Struct, frozen=True):
    """What is to be shown, and how.

    Attributes:
        result: What a check found.
        fail_on: The least severity that fails.
        accepted: Whether what was accepted is shown as well, in formats for people.
        width: Columns of the terminal.
        color: Whether colours are wanted.
        overview: Whether more than a few findings are shown by rule, with the first places of each, in text.
    """

    result: check.Result
    fail_on: Threshold = "error"
    accepted: bool = False
    width: int = FALLBACK_WIDTH
    color: bool = False
    overview: bool = False

    def fails(self, finding: findings.Finding) -> bool:
        """Whether a finding is grave enough to fail."""
        if self.fail_on == "never":
            return False
        return SEVERITIES.index(finding.severity) <= SEVERITIES.index(self.fail_on)

    @property
    def failed(self) -> bool:
        """Whether the check failed."""
        return any(self.fails(finding) for finding in self.result.findings)

    def count(self, severity: findings.Severity) -> int:
        """How many findings have a severity."""
        return sum(finding.severity == severity for finding in self.result.findings)


def written(report: Report, kind: str) -> str:
    """A report in one of the formats, with a newline at its end unless there is nothing to say."""
    module = importlib.import_module(f"hanbae.cli.reports.{FORMATS[kind]}")
    text: str = module.render(report)
    return text
