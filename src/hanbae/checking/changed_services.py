"""Which services a change between two trees touches: for ``hanbae check --changed-since``.

A service is touched by a change in its own folder, in a chart that it depends on by ``file://``, in a file that one of
its links leads to, in a values file outside of its chart, in the file of its Application, and by a change of what all
share: the policy, the baseline, the overlays.
Rules over the whole repository run in any case.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from typing import Final

from hanbae import errors
from hanbae.charts import declared, gathering
from hanbae.checking import baselines
from hanbae.policy import folders, loading, naming
from hanbae.repository import trees
from hanbae.rules import ignores, views

_DEEPEST: Final = 16
"""Charts that depend on one another by ``file://``."""


def changed(before: trees.Tree, after: trees.Tree) -> tuple[str, ...]:
    """The files that are in one tree only, or have another content in the other."""
    old, new = before.files(), after.files()
    return tuple(sorted(path for path in old.keys() | new.keys() if old.get(path) != new.get(path)))


def services(project: views.Project, files: Iterable[str]) -> tuple[str, ...]:
    """The services that changes in files touch."""
    files = tuple(files)
    everyone = (loading.NAME, baselines.NAME, *ignores.shared(project))
    if any(_below(file, shared) for file in files for shared in everyone):
        return project.services
    owners: dict[str, list[str]] = {}
    for name in project.services:
        owners.setdefault(project.folder(name), []).append(name)  # several may share a chart
    touched: set[str] = set()
    for file in files:
        parts = file.split("/")
        # A chart may lie in the repository's root; every file is below that one.
        above = (folders.ROOT, *("/".join(parts[:cut]) for cut in range(1, len(parts))))
        touched.update(name for folder in above for name in owners.get(folder, ()))
    # A shared chart may lie in another service's folder, so all of the changed files are looked for.
    for name in project.services:
        if name not in touched:
            reads = tuple(_read_elsewhere(project, name))
            if any(_below(file, folder) for file in files for folder in reads):
                touched.add(name)
    return tuple(name for name in project.services if name in touched)


def _below(file: str, folder: str) -> bool:
    return file == folder or folders.holds(folder, file)


def _read_elsewhere(project: views.Project, name: str) -> Iterator[str]:
    """The files and folders outside its own that a service's chart, and its release, are made of."""
    service = views.Service(project, name)
    for environment in project.environments:
        yield from map(str, naming.values_files(project.policy, name, environment))
        # Its parameters and inline values are rendered as well.
        written = project.shared.written(name, environment)
        if written.place is not None:
            yield written.place.file
    for path, target in project.tree.links(service.folder).items():
        yield posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    migrations = service.migrations
    if not _below(migrations, service.folder):
        yield migrations
    waiting, charts = [(service.chart, 0)], {service.chart}
    while waiting:
        chart, depth = waiting.pop()
        for folder in _dependencies(project.tree, chart):
            if folder not in charts and depth < _DEEPEST:
                charts.add(folder)
                waiting.append((folder, depth + 1))
                yield folder


def _dependencies(tree: trees.Tree, chart: str) -> Iterator[str]:
    """The folders that a chart names as ``file://``."""
    for file in ("Chart.yaml", "requirements.yaml"):  # Helm reads both, of charts of any version
        try:
            data = tree.read(folders.path(chart, file))
        except errors.FileFault:
            continue
        if data is None or b"file://" not in data:
            continue
        for dependency in declared.read({file: data}).dependencies:
            folder = gathering.folder_of(chart, dependency)
            if folder is not None:
                yield folder
