"""The namespaces, limits and overlays that ``hanbae init`` laid, held to the policy as it is now.

What an overlay builds is looked at by the other rules of this family, and what is missing altogether by theirs:
a fault is reported once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hanbae import errors, subjects
from hanbae.charts import cluster_files
from hanbae.results import findings
from hanbae.rules import rulebook, views

CODE: Final = "KUS007"
"""The rule; its sentences are what ``hanbae init`` says of the same files."""

_BUILT: Final = {"namespace-left", "suffix", "suffix-left", "suffix-missing"}
"""What shows in the objects that an overlay builds."""
_SEVERITIES: Final[dict[str, findings.Severity]] = {
    # What keeps pods from being deployed, or lets in what the policy refuses.
    "field": "error",
    "namespace-left": "error",
    "namespace-missing": "error",
    "suffix": "error",
    "suffix-left": "error",
    "suffix-missing": "error",
    "label": "warning",
    "limits-left": "warning",
    "limits-missing": "warning",
    "limits-moved": "warning",
    "overlay-left": "warning",
    "purpose": "warning",
    "unlabelled": "warning",
}


@rulebook.of_project(
    CODE, "error", source="deployment-policy.ko.md, Kubernetes 네임스페이스", essential=True
)
def not_the_policys(project: views.Project) -> Iterator[rulebook.Hit]:
    """A namespace, a limit or an overlay that was laid for another policy than the present one."""
    texts = {
        path: text
        for folder in cluster_files.folders(project.policy)
        for path in project.tree.files(folder)
        if cluster_files.is_one(path) and (text := project.text(path)) is not None
    }
    if not cluster_files.is_laid(texts):
        return
    try:
        updates = list(cluster_files.updates(project.policy, texts))
    except errors.FileFault:
        return  # what is no YAML is reported where it is built
    built = any(overlay.objects for overlay in project.overlays if not overlay.service)
    for update in updates:
        for reason in update.reasons if update.text is not None else ():
            if built and reason.variant in _BUILT:
                continue
            yield rulebook.Hit(
                subjects.Place(update.path, reason.line),
                reason.facts,
                reason.variant,
                severity=_SEVERITIES[reason.variant],
            )
    for name in cluster_files.environments_without_overlay(project.policy):
        place = project.place(f"environments.{name}")
        yield rulebook.Hit(place, {"environment": name}, "no-overlay", severity="notice")
