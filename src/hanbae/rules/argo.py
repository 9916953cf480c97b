"""What Argo CD does with a chart: hooks, phases, waves, delete policies, and the deadlocks between them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, get_args

from hanbae.argo import hooks
from hanbae.rules import rulebook, views

_HOOK: Final = "argocd.argoproj.io/hook"
_PHASES: Final = frozenset({*get_args(hooks.Phase), "Skip"})


@rulebook.of_release(
    "ARG001", "error", source="https://argo-cd.readthedocs.io/en/stable/user-guide/sync-waves/"
)
def unknown_phase(release: views.Release) -> Iterator[rulebook.Hit]:
    """A hook of a phase that Argo CD does not have: it ignores the whole object, without a word."""
    for each in release.objects:
        value = each.annotations.get(_HOOK)
        if value is None:
            continue
        unknown = [part for part in str(value).split(",") if part.strip() not in _PHASES]
        if unknown:
            facts = {"object": each.label, "value": unknown[0].strip()}
            yield rulebook.Hit(views.On(each, ("metadata", "annotations", _HOOK)), facts)
