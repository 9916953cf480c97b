"""Registers rules that only matter where Argo CD applies a chart, and the annotations that they look at.

An environment whose engine is Helm runs Helm's hooks in Helm's order; nothing of this family is true there.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Final

from hanbae.results import findings
from hanbae.rules import rulebook, views

HOOK: Final = "argocd.argoproj.io/hook"
DELETE_POLICY: Final = "argocd.argoproj.io/hook-delete-policy"
WAVE: Final = "argocd.argoproj.io/sync-wave"
SYNC_OPTIONS: Final = "argocd.argoproj.io/sync-options"
COMPARE_OPTIONS: Final = "argocd.argoproj.io/compare-options"
HELM_HOOK: Final = "helm.sh/hook"
HELM_WEIGHT: Final = "helm.sh/hook-weight"
HELM_DELETE_POLICY: Final = "helm.sh/hook-delete-policy"
HELM_KEEP: Final = "helm.sh/resource-policy"

WAVES: Final = "https://argo-cd.readthedocs.io/en/stable/user-guide/sync-waves/"
OPTIONS: Final = "https://argo-cd.readthedocs.io/en/stable/user-guide/sync-options/"
HELM: Final = "https://argo-cd.readthedocs.io/en/stable/user-guide/helm/"

Check = Callable[[views.Release], Iterator[rulebook.Hit]]


def of_release(
    code: str, severity: findings.Severity, *, source: str, essential: bool
) -> Callable[[Check], Check]:
    """Registers a rule over a release that Argo CD applies."""

    def register(check: Check) -> Check:
        @functools.wraps(check)
        def where_argo_cd_applies(release: views.Release) -> Iterator[rulebook.Hit]:
            return check(release) if release.settings.engine == "argocd" else iter(())

        register_for_all = rulebook.of_release(code, severity, source=source, essential=essential)
        register_for_all(where_argo_cd_applies)
        return check

    return register


def annotation(manifest: views.Object, key: str, *, at_key: bool = False) -> views.On:
    """An annotation of an object."""
    return views.On(manifest, ("metadata", "annotations", key), key=at_key)


def listed(value: object) -> list[str]:
    """The parts of an annotation that is a list with commas."""
    return [part.strip() for part in str(value).split(",") if part.strip()]
