"""Symbolic links, which Argo CD and hanbae follow inside the repository and nowhere else."""

from __future__ import annotations

import posixpath
from collections.abc import Container, Iterator

from hanbae import subjects
from hanbae.policy import folders as paths
from hanbae.rules import rulebook, views


@rulebook.of_project(
    "LAY012",
    "error",
    source="https://argo-cd.readthedocs.io/en/stable/operator-manual/security/#git-helm-repositories",
    essential=True,
)
def leaving(project: views.Project) -> Iterator[rulebook.Hit]:
    """A link that leads out of the repository, or to nothing."""
    links = project.tree.links()
    if not links:
        return
    files = project.tree.files()
    folders = {folder for path in files for folder in _above(path)}
    for path, target in links.items():
        where = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
        place = subjects.Place(path)
        if target.startswith("/") or where == ".." or where.startswith("../"):
            yield rulebook.Hit(place, {"link": path}, "outside")
        elif (
            where not in files
            and where not in folders
            and not _through(where, links)
            # Argo CD looks at a link's text only, so one within the repository stops nothing but what reads it.
            and _is_read(project, path)
        ):
            yield rulebook.Hit(place, {"link": path, "target": where[:200]}, "nowhere")


def _is_read(project: views.Project, path: str) -> bool:
    """Whether a link is among what is rendered: in a service's folder, a chart, or below an overlay's folder."""
    deployed = {
        settings.overlay.partition("/")[0]
        for settings in project.policy.environments.values()
        if settings.overlay
    }
    folders = [project.folder(name) for name in project.services]
    return path.partition("/")[0] in deployed or any(
        paths.holds(folder, path) for folder in folders
    )


def _above(path: str) -> Iterator[str]:
    yield "."
    folder = posixpath.dirname(path)
    while folder:
        yield folder
        folder = posixpath.dirname(folder)


def _through(path: str, links: Container[str]) -> bool:
    """Whether a path goes through another link, which is followed only when the file is read."""
    return any(folder in links for folder in _above(path))
