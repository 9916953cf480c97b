"""What a repository already has of deployments: charts, values files, overlays, Applications, images, CI.

Everything read here is foreign, and some of it will be broken: what cannot be read is counted and passed over, because
a survey is a guess that a person reads, and :mod:`hanbae.checking` says later what is wrong with a file.
"""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from hanbae import errors, libyaml, patterns
from hanbae.adopting import application_sets, manifest_folders
from hanbae.adopting.surveyed_applications import Application, from_manifest
from hanbae.policy import folders, labels
from hanbae.repository import trees

_CHART: Final = "Chart.yaml"
CHART_FOLDERS: Final = frozenset(
    {"helm", "chart", "charts", "deploy", "k8s", ".helm", "helm-chart", "kubernetes"}
)
"""Names of a chart's folder inside of a service's own folder."""
_LARGEST: Final = 1_000_000
"""Bytes of a file that is looked into."""
_MOST_FILES: Final = 5_000
"""YAML files that are looked into for Applications."""
_YAML: Final = (".yaml", ".yml")
_TEMPLATES: Final = patterns.lazy(r"(^|/)(templates|node_modules|vendor|\.git)/")
_OF_OTHERS: Final = patterns.lazy(f"{_TEMPLATES.pattern}|^charts/")
"""What is in a chart's folder and no values file of its own: templates, and the charts that it depends on."""
_ARGO: Final = patterns.lazy(rb"\bkind['\"]?: *['\"]?Application(?:Set)?\b")
_CI: Final = patterns.lazy(
    r"^(\.github/workflows/.+\.ya?ml|\.gitlab-ci\.ya?ml|Jenkinsfile|\.circleci/config\.ya?ml"
    r"|azure-pipelines\.ya?ml|bitbucket-pipelines\.ya?ml|\.woodpecker\.ya?ml|\.drone\.ya?ml)$"
)
_KUSTOMIZATIONS: Final = ("kustomization.yaml", "kustomization.yml")
_OVERLAYS: Final = ("overlays", "overlay")
_OF_A_CHART: Final = frozenset(
    ("templates", "charts", "crds", "env", "envs", "environments", "values")
)
"""Folders that belong to a chart at the repository's root."""
_MIGRATION: Final = patterns.lazy(r"(?:^|/)[0-9]{1,18}_[^/]{1,200}\.sql$")
_GOOSE_UP: Final = patterns.lazy(rb"^--[ \t]{0,4}\+goose Up", re.MULTILINE)
# With `--from` the source is another stage of the build and no folder of the repository.
_COPY: Final = patterns.lazy(
    r"^[ \t]{0,8}(?:COPY|ADD)[ \t]{1,8}(?:--(?!from)[a-z]{1,20}=\S{1,80}[ \t]{1,8}){0,4}"
    r"(?P<source>(?!--)\S{1,200})[ \t]{1,8}(?P<target>\S{1,200})[ \t]{0,8}\r?$",
    re.MULTILINE | re.IGNORECASE,
)
"""An instruction that copies one folder of the build's context."""
_LAID: Final = labels.PREFIX.encode()
"""What every chart that hanbae scaffolds has in its templates."""


class Chart(Struct, frozen=True):
    """A chart.

    Attributes:
        folder: Its folder; ``.`` for the repository's root.
        name: What it calls itself.
        library: Whether it only helps other charts.
        parts: The folders in the repository of the charts that it is made of (``file://``).
        files: The YAML files directly in its folder, and below it outside of ``templates`` and ``charts``, from the
            folder.
        own_templates: Whether it has templates of its own.
        laid: Whether hanbae scaffolded it.
    """

    folder: str
    name: str
    library: bool = False
    parts: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    own_templates: bool = False
    laid: bool = False


class Overlay(Struct, frozen=True):
    """A Kustomize overlay of something: ``apps/cart/overlays/dev``.

    Attributes:
        folder: Its folder.
        base: What it is an overlay of: ``apps/cart``.
        environment: Its own name: ``dev``.
    """

    folder: str
    base: str
    environment: str


class Copy(Struct, frozen=True):
    """What a Dockerfile copies into an image.

    Attributes:
        dockerfile: The Dockerfile.
        source: The folder in the repository that is copied.
        target: Where to.
    """

    dockerfile: str
    source: str
    target: str


class Survey(Struct, frozen=True):
    """What there is.

    Attributes:
        charts: The charts, by folder.
        overlays: The overlays.
        kustomizations: How many kustomizations there are in all.
        applications: Argo CD's Applications that deploy something of this repository with Helm, Kustomize or as it is.
        foreign: How many Applications deploy from elsewhere, or by a plugin.
        application_sets: How many ApplicationSets there are.
        dockerfiles: The Dockerfiles.
        sealed: How many files hold a SealedSecret.
        ci: The files of CI.
        branches: The branches that git knows here, without the remote's name.
        values: YAML files outside of charts whose name or folder may be an environment's.
        broken: Files that could not be read as YAML.
        goose: The folders with files of goose's.
        copies: What the Dockerfiles copy of such folders.
        folders: The folders that deploy workloads without a chart.
        by_plugin: The folders of which only a plugin of Argo CD's knows what is deployed.
    """

    charts: tuple[Chart, ...] = ()
    overlays: tuple[Overlay, ...] = ()
    kustomizations: int = 0
    applications: tuple[Application, ...] = ()
    foreign: int = 0
    application_sets: int = 0
    dockerfiles: tuple[str, ...] = ()
    sealed: int = 0
    ci: tuple[str, ...] = ()
    branches: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    broken: int = 0
    goose: tuple[str, ...] = ()
    copies: tuple[Copy, ...] = ()
    folders: tuple[manifest_folders.Folder, ...] = ()
    by_plugin: frozenset[str] = frozenset()

    @property
    def is_laid(self) -> bool:
        """Whether hanbae scaffolded what is here."""
        return any(chart.laid for chart in self.charts)

    @property
    def is_empty(self) -> bool:
        """Whether nothing here is deployed yet."""
        return not (self.charts or self.overlays or self.applications or self.folders)


def of(tree: trees.Tree, branches: tuple[str, ...], live: tuple[Application, ...] = ()) -> Survey:
    """Survey a tree.

    Args:
        tree: The files.
        branches: The branches that git knows.
        live: Applications that a cluster has, which count for more than files that say what it should have.
    """
    files = tree.files()
    declared, sealed, broken, sets = _declared(tree, files)
    every = _unique((*live, *declared))
    applications = tuple(app for app in every if not app.by_plugin)
    charts = tuple(_charts(tree, files, {app.path for app in applications}))
    places = {chart.folder for chart in charts}
    deployed = {app.path: app.recurses for app in applications if app.path}
    plain = manifest_folders.of(tree, places, deployed)
    sources = {*places, *(folder.path for folder in plain)}
    own = tuple(app for app in applications if app.is_of(files, sources))
    dockerfiles = tuple(path for path in files if posixpath.basename(path) == "Dockerfile")
    goose = tuple(_goose(tree, files))
    overlays = tuple(overlay for path in files if (overlay := _overlay(path)) is not None)
    return Survey(
        charts,
        overlays,
        sum(posixpath.basename(path).startswith("kustomization.y") for path in files),
        own,
        len(every) - len(own),
        sets,
        dockerfiles,
        sealed,
        tuple(path for path in files if _CI.match(path)),
        branches,
        tuple(path for path in files if path.endswith(_YAML) and not _inside(path, places)),
        broken,
        goose,
        tuple(_copies(tree, dockerfiles, goose)) if goose else (),
        plain,
        frozenset(app.path for app in every if app.by_plugin and app.path),
    )


def chart_globs(tree: trees.Tree) -> tuple[str, ...]:
    """Where the charts of a tree are, each glob or folder once and the one with most charts first."""
    places = _chart_folders(tree.files())
    own = [folder for folder in places if not _is_vendored(folder, places)]
    globs = Counter(chart_globs_of(folder)[0] for folder in own)
    alone = {chart_globs_of(folder)[0]: folder for folder in own}
    return tuple(glob if count > 1 else alone[glob] for glob, count in globs.most_common())


def _chart_folders(files: Mapping[str, str]) -> list[str]:
    names = (path for path in files if posixpath.basename(path) == _CHART)
    return sorted(posixpath.dirname(path) or folders.ROOT for path in names)


def chart_globs_of(folder: str) -> tuple[str, str]:
    """The glob that a chart's folder suggests, and the name of the service in it; no name for the root."""
    if folders.is_root(folder):
        return folders.ROOT, ""
    parts = folder.split("/")
    index = len(parts) - 1
    if parts[index] in CHART_FOLDERS and index > 0:
        index -= 1
    name = parts[index]
    parts[index] = "*"
    return "/".join(parts), name


def _unique(applications: tuple[Application, ...]) -> tuple[Application, ...]:
    """The first of each name."""
    by_name: dict[str, Application] = {}
    for application in applications:
        by_name.setdefault(application.name, application)
    return tuple(by_name.values())


def _inside(path: str, places: set[str]) -> bool:
    """Whether a file lies in a chart's folder, the repository's root not counted."""
    parts = path.split("/")
    return any("/".join(parts[:cut]) in places for cut in range(1, len(parts)))


def _charts(
    tree: trees.Tree, files: Mapping[str, str], deployed: Collection[str]
) -> Iterator[Chart]:
    places, paths = _chart_folders(files), sorted(files)
    for folder in places:
        vendored = _is_vendored(folder, places) and folder not in deployed
        if vendored or _TEMPLATES.search(f"{folder}/"):
            continue
        names = [folders.name(folder, path) for path in folders.below(folder, paths)]
        if folders.is_root(folder):
            names = [name for name in names if _is_of_root_chart(name)]
        templates = [name for name in names if name.startswith("templates/")]
        content = _mapping(tree, folders.path(folder, _CHART))
        yield Chart(
            folder,
            str(content.get("name") or posixpath.basename(folder)),
            content.get("type") == "library",
            tuple(_parts(content, folder)),
            tuple(name for name in names if name.endswith(_YAML) and not _OF_OTHERS.search(name)),
            any(name.endswith(_YAML) for name in templates),
            any(_LAID in _bytes(tree, folders.path(folder, name)) for name in templates[:40]),
        )


def _is_of_root_chart(name: str) -> bool:
    """Whether a file of the repository is one that a chart at its root would have."""
    return "/" not in name or name.partition("/")[0] in _OF_A_CHART


def _is_vendored(folder: str, places: list[str]) -> bool:
    """Whether a chart lies in another one's ``charts``, as a dependency."""
    return any(folder.startswith(f"{folders.path(other, 'charts')}/") for other in places)


def _parts(content: Mapping[str, Any], folder: str) -> Iterator[str]:
    dependencies = content.get("dependencies")
    for dependency in dependencies if isinstance(dependencies, list) else []:
        repository = dependency.get("repository") if isinstance(dependency, dict) else None
        if isinstance(repository, str) and repository.startswith("file://"):
            yield posixpath.normpath(posixpath.join(folder, repository.removeprefix("file://")))


def _declared(
    tree: trees.Tree, files: Mapping[str, str]
) -> tuple[tuple[Application, ...], int, int, int]:
    """The Applications in files; and how many SealedSecrets, unreadable files and ApplicationSets there are."""
    applications: list[Application] = []
    sealed = broken = sets = 0
    candidates = [path for path in files if path.endswith(_YAML)]
    for path in candidates[:_MOST_FILES]:
        data = _bytes(tree, path)
        sealed += b"kind: SealedSecret" in data
        if _TEMPLATES.search(path) or b"argoproj.io/" not in data or not _ARGO.search(data):
            continue
        try:
            for document in libyaml.load_all(data):
                if not isinstance(document, dict):
                    continue
                if document.get("kind") == "ApplicationSet":
                    sets += 1
                    applications += application_sets.expanded(document, tree)
                elif document.get("kind") == "Application":
                    applications.append(from_manifest(document))
        except (errors.FileFault, ValueError, RecursionError):
            broken += 1
    return tuple(app for app in applications if app.name), sealed, broken, sets


def _goose(tree: trees.Tree, files: Mapping[str, str]) -> Iterator[str]:
    """The folders of which the first file that is named as goose names them is one of goose's."""
    first: dict[str, str] = {}
    for path in files:
        if _MIGRATION.search(path):
            first.setdefault(posixpath.dirname(path) or folders.ROOT, path)
    for folder, path in sorted(first.items()):
        if _GOOSE_UP.search(_bytes(tree, path)):
            yield folder


def _copies(tree: trees.Tree, dockerfiles: Sequence[str], goose: Sequence[str]) -> Iterator[Copy]:
    """What Dockerfiles copy of some folders, from the repository's root or from their own folder."""
    for dockerfile in dockerfiles:
        text = _bytes(tree, dockerfile).decode("utf-8", "replace")
        for match in _COPY.finditer(text):
            written = match["source"].strip("/")
            for context in ("", posixpath.dirname(dockerfile)):
                source = posixpath.normpath(posixpath.join(context, written))
                if any(folders.holds(source, f"{folder}/") for folder in goose):
                    yield Copy(dockerfile, source, match["target"])
                    break


def _mapping(tree: trees.Tree, path: str) -> Mapping[str, Any]:
    try:
        content = next(iter(libyaml.load_all(_bytes(tree, path))), None)
    except (errors.FileFault, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def _bytes(tree: trees.Tree, path: str) -> bytes:
    try:
        data = tree.read(path) or b""
    except errors.FileFault:
        return b""
    return data if len(data) <= _LARGEST else b""


def _overlay(path: str) -> Overlay | None:
    """The overlay whose kustomization a file is: ``apps/cart/overlays/dev/kustomization.yaml``."""
    folder, _, name = path.rpartition("/")
    app, _, last = folder.rpartition("/")
    above, _, overlays = app.rpartition("/")
    if name not in _KUSTOMIZATIONS or overlays not in _OVERLAYS or not above:
        return None
    return Overlay(folder, above, last)
