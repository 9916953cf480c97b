"""What cannot be read, or not as it is meant; and what accepts findings in vain.

Most of it is met on the way to the rules or after them, by :mod:`hanbae.checking`, and is only registered here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hanbae import subjects
from hanbae.rules import rulebook, views

_RENDERING: Final = "https://helm.sh/docs/chart_template_guide/debugging/"
_ACCEPTING: Final = "hanbae check --help"

# A chart or a values file that cannot be read or rendered.
rulebook.reported("INP001", "error", "service", source=_RENDERING)
# A comment that would accept a finding: without a code or a reason, with a code that no rule has, without a finding.
rulebook.reported("INP002", "warning", "service", source=_ACCEPTING)
rulebook.reported("INP003", "warning", "service", source=_ACCEPTING)
rulebook.reported("INP004", "warning", "service", source=_ACCEPTING)
# An entry of the baseline of which there is less than it says.
rulebook.reported("INP005", "notice", "project", source=_ACCEPTING)


@rulebook.of_service("INP006", "error", source="https://yaml.org/spec/1.2.2/#3213-node-comparison")
def doubled_key(service: views.Service) -> Iterator[rulebook.Hit]:
    """A key that is there twice in a values file or the chart's own: Helm takes the last one, without a word."""
    files = [f"{service.chart}/Chart.yaml", f"{service.chart}/values.yaml"]
    files += [release.values_file for release in service.releases.values()]
    for file in files:
        for keys, (line, column) in service.values(file).doubled:
            key = ".".join(str(part) for part in keys)
            yield rulebook.Hit(subjects.Place(file, line, column), {"key": key[:200]})
