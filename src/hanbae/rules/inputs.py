"""What cannot be checked because it cannot be read: the runner finds it, the rule only names it."""

from __future__ import annotations

from collections.abc import Iterator

from hanbae.rules import rulebook, views


@rulebook.of_service(
    "INP001", "error", source="https://helm.sh/docs/chart_template_guide/debugging/"
)
def unreadable(_: views.Service) -> Iterator[rulebook.Hit]:
    """A chart or a values file that cannot be read or rendered."""
    yield from ()
