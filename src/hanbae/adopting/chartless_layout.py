"""Which folders without a chart are services, how these are called, and which part of a path is the environment."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Final

from msgspec import Struct

from hanbae.adopting import environments, naming_patterns
from hanbae.adopting.manifest_folders import Folder
from hanbae.policy import service_paths

_PLACEHOLDER: Final = service_paths.ENVIRONMENT
_NO_NAMES: Final = frozenset(
    (
        "app",
        "apps",
        "applications",
        "argo",
        "argo-cd",
        "argocd",
        "base",
        "chart",
        "charts",
        "deploy",
        "deployment",
        "deployments",
        "env",
        "environment",
        "environments",
        "envs",
        "gitops",
        "helm",
        "k8s",
        "kubernetes",
        "kustomize",
        "manifest",
        "manifests",
        "overlay",
        "overlays",
        "services",
        "src",
        "yaml",
    )
)
"""Names of folders that say what lies in them and not which service that is of."""
_OF_ENVIRONMENTS: Final = frozenset(
    ("env", "envs", "environment", "environments", "overlay", "overlays", "clusters")
)
"""Folders in which each folder is an environment."""
_FALLBACK: Final = "app"


class Layout(Struct, frozen=True):
    """The services without a chart.

    Attributes:
        paths: Globs with ``{environment}``.
        exclude: What these fit besides.
        named: Services that no glob fits → path, which may hold ``{environment}``.
        places: Folder → the service and the environment that it is of; the latter is empty for all environments.
        nameless: Services of which no folder says how they are called.
    """

    paths: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    named: dict[str, str] = {}
    places: dict[str, tuple[str, str]] = {}
    nameless: frozenset[str] = frozenset()

    @property
    def services(self) -> dict[str, str]:
        """Service → its folder, or the one that is around those of its environments."""
        by_name: dict[str, list[str]] = {}
        for folder, (service, _) in self.places.items():
            by_name.setdefault(service, []).append(folder)
        return {name: posixpath.commonpath(own) or own[0] for name, own in by_name.items()}


class _Path(Struct, frozen=True):
    """A folder's path, taken apart.

    Attributes:
        folder: The folder.
        template: It, with ``{environment}`` in the place of the environment.
        environment: The environment; empty for all.
        name: The service.
        star: Which part of the path is the service's name; None for none.
    """

    folder: str
    template: str
    environment: str
    name: str
    star: int | None

    @property
    def glob(self) -> str:
        """The template with a ``*`` in the place of the name; empty where a policy has no glob for it."""
        if self.star is None or not self.environment:
            return ""
        parts = self.template.split("/")
        parts[self.star] = service_paths.STAR
        return "/".join(parts)


def of(deploying: Sequence[Folder], every: Iterable[str], charted: Collection[str]) -> Layout:
    """The services of folders.

    Args:
        deploying: The folders that deploy services.
        every: The YAML files of the repository that are in no chart.
        charted: Services that are there with a chart.
    """
    paths = _named_apart(
        [_path(folder, word) for folder, word in _environments(deploying)], charted
    )
    by_glob: dict[str, set[str]] = {}
    for path in paths:
        if path.glob:
            by_glob.setdefault(path.glob, set()).add(path.name)
    # One service makes no pattern: it is written down by its name.
    globs = {glob: names for glob, names in by_glob.items() if len(names) > 1}
    files = list(every)
    return Layout(
        tuple(globs),
        tuple(item for glob, names in globs.items() for item in _others(glob, names, files)),
        {path.name: path.template for path in paths if path.glob not in globs},
        {path.folder: (path.name, path.environment) for path in paths},
        frozenset(path.name for path in paths if path.star is None),
    )


def _environments(deploying: Sequence[Folder]) -> list[tuple[Folder, int | None]]:
    """Each folder with the part of its path that is an environment: an ambiguous word needs another one beside it."""
    places = {folder.path: _word(folder.path.split("/")) for folder in deploying}
    siblings: dict[tuple[str, ...], set[str]] = {}
    for path, index in places.items():
        if index is not None:
            parts = path.split("/")
            siblings.setdefault(tuple(_without(parts, index)), set()).add(parts[index])
    results: list[tuple[Folder, int | None]] = []
    for folder in deploying:
        index, parts = places[folder.path], folder.path.split("/")
        if index is not None and not environments.is_plain(parts[index]):
            inside = index > 0 and parts[index - 1] in _OF_ENVIRONMENTS
            if not inside and len(siblings[tuple(_without(parts, index))]) == 1:
                index = None
        results.append((folder, index))
    return results


def _word(parts: Sequence[str]) -> int | None:
    places = [index for index, part in enumerate(parts) if part in environments.WORDS]
    return places[-1] if places else None


def _without(parts: Sequence[str], index: int) -> list[str]:
    return [*parts[:index], _PLACEHOLDER, *parts[index + 1 :]]


def _path(folder: Folder, word: int | None) -> _Path:
    parts = folder.path.split("/")
    template = folder.path if word is None else "/".join(_without(parts, word))
    environment = "" if word is None else parts[word]
    for index in reversed(range(len(parts))):
        if (
            index != word
            and parts[index] not in _NO_NAMES
            and naming_patterns.is_service(parts[index])
        ):
            return _Path(folder.path, template, environment, parts[index], index)
    name = folder.workloads[0] if len(folder.workloads) == 1 else _FALLBACK
    name = name if naming_patterns.is_service(name) else _FALLBACK
    return _Path(folder.path, template, environment, name, None)


def _named_apart(paths: Sequence[_Path], charted: Collection[str]) -> list[_Path]:
    """The paths, each service with one template: a second one of its name is called after the folder around it too."""
    templates: dict[str, str] = {}
    results = []
    for path in paths:
        for name in _candidates(path):
            if name not in charted and templates.setdefault(name, path.template) == path.template:
                same = name == path.name
                # Under another name than its folder's, no glob finds it.
                star = path.star if same else None
                results.append(_Path(path.folder, path.template, path.environment, name, star))
                break
    return results


def _candidates(path: _Path) -> Iterable[str]:
    yield path.name
    around = [
        part
        for part in path.template.split("/")
        if naming_patterns.is_service(part) and part != path.name
    ]
    for part in reversed(around):
        yield f"{part}-{path.name}"


def _others(glob: str, names: Collection[str], files: Iterable[str]) -> Iterable[str]:
    """What a glob fits besides some services, as a policy excludes it."""
    parts = glob.split("/")
    star = parts.index(service_paths.STAR)
    fits = Counter(
        own[star]
        for file in files
        if len(own := file.split("/")) > len(parts)
        and all(
            part in (service_paths.STAR, _PLACEHOLDER) or part == other
            for part, other in zip(parts, own, strict=False)
        )
    )
    for other in sorted(fits.keys() - names):
        whole = [*parts[:star], other, *parts[star + 1 :]]
        yield "/".join(whole).replace(_PLACEHOLDER, service_paths.STAR)


def templates(every: Sequence[Folder]) -> dict[str, str]:
    """Folder → its path with ``{environment}`` in the place of the environment, if there is one in it."""
    return {
        folder.path: folder.path
        if word is None
        else "/".join(_without(folder.path.split("/"), word))
        for folder, word in _environments(every)
    }


def with_siblings(
    paths: Collection[str], every: Sequence[Folder], *, beside: bool
) -> tuple[Folder, ...]:
    """Folders, and those that are the same for other environments.

    Args:
        paths: Paths of folders.
        every: All folders that deploy workloads.
        beside: Whether those beside them are services as well.
    """
    by_path = templates(every)
    keys = {path: _around(by_path[path]) if beside else by_path[path] for path in by_path}
    own = {keys[path] for path in paths}
    return tuple(folder for folder in every if keys[folder.path] in own)


def _around(template: str) -> str:
    """A path with a ``*`` in the place of the service's name, by which folders beside each other are told."""
    parts = template.split("/")
    for index in reversed(range(1, len(parts))):
        if parts[index] != _PLACEHOLDER and parts[index] not in _NO_NAMES:
            return "/".join((*parts[:index], service_paths.STAR, *parts[index + 1 :]))
    return template
