"""What makes a finding the same finding after lines have moved: for baselines, and for services that track findings.

Neither its line nor its environments go in: what was accepted in one environment is asked for by environment.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from typing import Final

from hanbae import patterns
from hanbae.results import findings

_LENGTH: Final = 32
_LINES: Final = patterns.lazy(r"(?<=[\w.]):\d+(?::\d+)?\b|\bline \d+(?:, column \d+)?")
"""A line that a fact tells of: ``a.yaml:3:1``, ``line 3``."""


def of(finding: findings.Finding) -> str:
    """The fingerprint of a finding; two of the same kind at two lines of a file have the same."""
    facts = sorted((key, _LINES.sub("", value)) for key, value in finding.text.facts.items())
    label = f"{finding.object.kind}/{finding.object.name}" if finding.object else ""
    parts = [
        finding.code,
        finding.place.file,
        finding.service,
        label,
        finding.text.id,
        *(part for fact in facts for part in fact),
    ]
    # The length in front keeps ("a", "b") and ("a\0b",) apart.
    text = "".join(f"{len(part)}:{part}" for part in parts)
    # A path that is no UTF-8 has surrogates in it, which cannot be encoded otherwise.
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_LENGTH]


def numbered(all_findings: Iterable[findings.Finding]) -> list[str]:
    """A fingerprint for each finding, unlike for like ones: the second of a kind ends in ``-2``."""
    counts: Counter[str] = Counter()
    result = []
    for finding in all_findings:
        mark = of(finding)
        counts[mark] += 1
        result.append(f"{mark}-{counts[mark]}" if counts[mark] > 1 else mark)
    return result
