"""What changes a source besides its values files: parameters, inline values, and files beside the chart."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hanbae import errors
from hanbae.argo import source_files
from hanbae.policy import folders, naming
from hanbae.rules import rulebook, valuesfiles, views
from hanbae.rules.argo.applications import specs
from hanbae.rules.argo.sources import git_sources, is_own

_PARAMETERS: Final = "https://argo-cd.readthedocs.io/en/stable/user-guide/parameters/"
_KEYS: Final = ("parameters", "fileParameters", "valuesObject", "values")
_MOST_NAMED: Final = 8


@rulebook.of_project(
    "ARG046", "warning", source=f"{_PARAMETERS}#store-overrides-in-git", essential=True
)
def overridden(project: views.Project) -> Iterator[rulebook.Hit]:
    """Parameters of an Application, or a file beside the chart: they win over the values files."""
    for path in project.tree.files():
        if path.rpartition("/")[2].startswith(source_files.PREFIX) and path.endswith(".yaml"):
            yield from _in_file(project, path)
    charts = {str(naming.chart(project.policy, name)) for name in project.services}
    for spec in specs(project):
        for pointer, source in git_sources(spec):
            path = folders.normal(source.get("path"))
            own = is_own(project, source) and (path in charts or "{{" in path)
            names = source_files.overridden(source) if own and not spec.held else ()
            if names:
                key = next((key for key in _KEYS if spec.get(*pointer, "helm", key)), "")
                part = (*pointer, "helm", key) if key else (*pointer, "kustomize")
                facts = {"object": spec.declared.label, "names": _shown(names)}
                yield rulebook.Hit(spec.place(*part), facts)


def _in_file(project: views.Project, path: str) -> Iterator[rulebook.Hit]:
    try:
        data = project.tree.read(path) or b""
    except errors.FileFault:
        return  # reading it for the chart says it
    for content, places in valuesfiles.documents(data, path):
        names = source_files.overridden(content) if isinstance(content, dict) else ()
        if names:
            first = next((key for key in ("helm", "kustomize") if content.get(key)), "helm")
            inner = next(iter(content[first])) if isinstance(content[first], dict) else ""
            facts = {"file": path.rpartition("/")[2], "names": _shown(names)}
            yield rulebook.Hit(places.place((first, str(inner))), facts, "file")


def _shown(names: tuple[str, ...]) -> str:
    more = ", …" if len(names) > _MOST_NAMED else ""
    return (", ".join(names[:_MOST_NAMED]) + more)[:300]
