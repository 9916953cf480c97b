"""What the runner itself finds, and the rules here only name: what cannot be read, and what accepts findings in vain."""

from __future__ import annotations

from collections.abc import Iterator

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
