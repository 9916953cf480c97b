"""AppProjects among the files: bounds that bound nothing, and windows that no Application has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hanbae.rules import declaring, rulebook, views
from hanbae.rules.argo.applications import specs

_PROJECTS: Final = "https://argo-cd.readthedocs.io/en/stable/user-guide/projects/"
_WINDOWS: Final = "https://argo-cd.readthedocs.io/en/stable/user-guide/sync_windows/"
_OPEN: Final = {"sourceRepos": "", "destinations": "namespace", "clusterResourceWhitelist": "kind"}
_SELECTORS: Final = ("applications", "namespaces", "clusters")


@rulebook.of_project("ARG040", "warning", source=_PROJECTS, essential=False)
def unbounded(project: views.Project) -> Iterator[rulebook.Hit]:
    """The project `default`, or one that allows every cluster's every object."""
    for spec in specs(project):
        if spec.get("project") == "default" and not spec.held:
            facts = {"object": spec.declared.label}
            yield rulebook.Hit(spec.place("project"), facts, "default")
    for declared in project.declared:
        if declared.kind != "AppProject":
            continue
        for pointer in _unbounded(declared):
            facts = {"object": declared.label, "key": str(pointer[1])}
            yield rulebook.Hit(declared.place(*pointer), facts)


def _unbounded(declared: declaring.Declared) -> Iterator[declaring.Keys]:
    """What an AppProject leaves open for everything."""
    for name, key in _OPEN.items():
        entries = declared.get("spec", name)
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            value = entry.get(key) if key and isinstance(entry, dict) else entry
            if value == "*":
                yield "spec", name, index


@rulebook.of_project("ARG041", "warning", source=_WINDOWS, essential=True)
def window_without_effect(project: views.Project) -> Iterator[rulebook.Hit]:
    """A sync window that names no Application, or that is of no kind."""
    for declared in project.declared:
        windows = declared.get("spec", "syncWindows") if declared.kind == "AppProject" else None
        for index, window in enumerate(windows if isinstance(windows, list) else ()):
            if not isinstance(window, dict):
                continue
            pointer = ("spec", "syncWindows", index)
            facts = {"object": declared.label, "value": str(window.get("kind"))[:60]}
            if window.get("kind") not in ("allow", "deny"):
                yield rulebook.Hit(declared.place(*pointer, "kind"), facts, "kind")
            elif not any(window.get(key) for key in _SELECTORS):
                yield rulebook.Hit(declared.place(*pointer), facts)
