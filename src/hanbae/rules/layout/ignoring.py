"""``values.yaml``, which is each person's own: ignored by git, never tracked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from hanbae import subjects
from hanbae.policy import folders, naming
from hanbae.results import findings
from hanbae.rules import rulebook, views

_POLICY: Final = "deployment-policy.ko.md, Helm 차트 구조"


@rulebook.of_service("LAY003", "error", source=_POLICY, essential=False)
def tracked(service: views.Service) -> Iterator[rulebook.Hit]:
    """A ``values.yaml`` in git: Argo CD merges it under every environment's values."""
    if "values.yaml" in service.chart_files and not _is_chosen(service.project, service.name):
        path = service.chart_file("values.yaml")
        yield rulebook.Hit(subjects.Place(path), {"file": path})


@rulebook.of_project("LAY004", "warning", source=_POLICY, fixable=True, essential=False)
def not_ignored(project: views.Project) -> Iterator[rulebook.Hit]:
    """Services whose ``values.yaml`` the next ``git add`` would take."""
    paths = [
        folders.path(str(naming.chart(project.policy, name)), "values.yaml")
        for name in project.services
        if not _is_chosen(project, name)
    ]
    committable = [path for path in paths if not project.tree.ignored(path)]
    if not committable:
        return
    pattern = "\n".join(f"{path}/values.yaml" for path in project.policy.services.paths)
    text = project.text(".gitignore") or ""
    # The pattern mends it unless a later one takes it back, and then nobody can be sure of the place.
    sure = len(committable) == len(paths) and pattern not in text
    lead = "" if not text or text.endswith("\n") else "\n"
    edits = (findings.Edit(".gitignore", 0, "", f"{lead}{pattern}\n"),) if sure else ()
    facts = {"file": committable[0], "count": str(len(committable)), "pattern": pattern}
    place = subjects.Place(".gitignore")
    yield rulebook.Hit(place, facts, "one" if len(committable) == 1 else "several", edits)


def _is_chosen(project: views.Project, service: str) -> bool:
    """Whether a service is rendered with ``values.yaml``, by the policy's list or for want of any: it is git's."""
    policy = project.policy
    own = folders.path(str(naming.chart(policy, service)), "values.yaml")
    lists = [naming.values_files(policy, service, name) for name in project.environments]
    return any(not paths or own in map(str, paths) for paths in lists)
