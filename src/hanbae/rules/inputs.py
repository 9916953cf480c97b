"""What cannot be read, or not as it is meant; and what accepts findings in vain.

Most of it the runner itself finds, and the rules here only name it.
"""

from __future__ import annotations

from collections.abc import Iterator

from hanbae import subjects
from hanbae.rules import rulebook, views


@rulebook.of_service(
    "INP001", "error", source="https://helm.sh/docs/chart_template_guide/debugging/"
)
def unreadable(_: views.Service) -> Iterator[rulebook.Hit]:
    """A chart or a values file that cannot be read or rendered."""
    yield from ()


@rulebook.of_service("INP002", "warning", source="hanbae check --help")
def incomplete_ignore(_: views.Service) -> Iterator[rulebook.Hit]:
    """A comment that would accept a finding, but names no code or no reason."""
    yield from ()


@rulebook.of_service("INP003", "warning", source="hanbae check --help")
def unknown_ignore(_: views.Service) -> Iterator[rulebook.Hit]:
    """A comment that names a code that no rule has."""
    yield from ()


@rulebook.of_service("INP004", "warning", source="hanbae check --help")
def unused_ignore(_: views.Service) -> Iterator[rulebook.Hit]:
    """A comment that accepts nothing."""
    yield from ()


@rulebook.of_project("INP005", "notice", source="hanbae check --help")
def stale_baseline(_: views.Project) -> Iterator[rulebook.Hit]:
    """An entry of the baseline of which there is less than it says."""
    yield from ()


@rulebook.of_service("INP006", "error", source="https://yaml.org/spec/1.2.2/#3213-node-comparison")
def doubled_key(service: views.Service) -> Iterator[rulebook.Hit]:
    """A key that is there twice in a values file or the chart's own: Helm takes the last one, without a word."""
    files = [f"{service.chart}/Chart.yaml", f"{service.chart}/values.yaml"]
    files += [release.values_file for release in service.releases.values()]
    for file in files:
        for keys, (line, column) in service.values(file).doubled:
            key = ".".join(str(part) for part in keys)
            yield rulebook.Hit(subjects.Place(file, line, column), {"key": key[:200]})
