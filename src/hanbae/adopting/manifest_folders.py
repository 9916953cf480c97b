"""Folders that deploy workloads without a chart: plain manifests, and what Kustomize builds of them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from hanbae import errors, libyaml, patterns
from hanbae.policy import folders, service_paths
from hanbae.repository import trees

_KINDS: Final = frozenset({"Deployment", "StatefulSet", "DaemonSet", "CronJob", "Rollout"})
# Looked for in the bytes first: most YAML files of a repository have no workload, and parsing takes
# much longer.
_WORKLOAD: Final = patterns.lazy(
    rb"^['\"]?kind['\"]?: {1,4}['\"]?(?:Deployment|StatefulSet|DaemonSet|CronJob|Rollout)\b",
    re.MULTILINE,
)
_ENDS: Final = (".yaml", ".yml")
_PARTS: Final = ("resources", "bases", "components")
"""What a kustomization builds of other files and folders."""
_LARGEST: Final = 1_000_000
"""Bytes of a file that is looked into."""
_MOST_FILES: Final = 5_000
"""Files that are looked into."""
_MOST_NAMES: Final = 3
_ELSEWHERE: Final = patterns.lazy(r"(^|/)(templates|node_modules|vendor|\.[^/]{1,80})/")
"""Folders of charts' templates, of other people's code, and of tools."""


class Folder(Struct, frozen=True):
    """Such a folder.

    Attributes:
        path: The folder.
        workloads: The names of the first workloads of it.
    """

    path: str
    workloads: tuple[str, ...]


def of(
    tree: trees.Tree, charts: Collection[str], deployed: Mapping[str, bool]
) -> tuple[Folder, ...]:
    """The folders of a tree that deploy workloads, without those that are only a part of another one.

    Args:
        tree: The files.
        charts: The folders of charts, in which nothing is looked for.
        deployed: The folders that Applications deploy, each with whether what is below it is read too.
    """
    looked = _Looked(tree, charts)
    whole = {path for path, recurses in deployed.items() if recurses}
    covered = looked.parts | {
        inner for inner in looked.holding for outer in whole if folders.holds(outer, f"{inner}/")
    }
    results = []
    for path in sorted({*looked.holding, *looked.built, *deployed}):
        names = looked.workloads(path, below=path in whole)
        if names and (path in deployed or path not in covered):
            results.append(Folder(path, tuple(dict.fromkeys(names))[:_MOST_NAMES]))
    return tuple(results)


class _Looked:
    """What the files of a tree hold.

    Attributes:
        holding: Folder → the workloads of the manifests that are directly in it, by file.
        built: Folder with a kustomization → the files and folders that it is built of.
        parts: The folders that some kustomization takes something from, besides its own.
    """

    def __init__(self, tree: trees.Tree, charts: Collection[str]) -> None:
        self.holding: dict[str, dict[str, tuple[str, ...]]] = {}
        self.built: dict[str, tuple[str, ...]] = {}
        for path in list(_candidates(tree, charts))[:_MOST_FILES]:
            folder, data = posixpath.dirname(path) or folders.ROOT, _bytes(tree, path)
            if posixpath.basename(path) in service_paths.KUSTOMIZATIONS:
                self.built[folder] = tuple(_references(data, folder))
            elif _WORKLOAD.search(data) and (names := tuple(_names(data))):
                self.holding.setdefault(folder, {})[path] = names
        self.parts = {
            target
            for folder, parts in self.built.items()
            for target in map(self._folder, parts)
            if target != folder
        }

    def workloads(self, folder: str, *, below: bool = False) -> list[str]:
        """The workloads of a folder as Argo CD reads it: what Kustomize builds, or its own manifests.

        Args:
            folder: The folder.
            below: Whether manifests are read, those of the folders below it included.
        """
        if below:
            inner = [other for other in self.holding if folders.holds(folder, f"{other}/")]
            return [name for part in (folder, *inner) for name in self._of_files(part)]
        names: list[str] = []
        waiting, passed = [folder], set[str]()
        while (
            waiting
        ):  # each part once: kustomizations may name each other, and one another's parts
            part = waiting.pop()
            if part in passed:
                continue
            passed.add(part)
            if part in self.built:
                waiting += reversed(self.built[part])
            else:
                names += self._of_files(part)
        return names

    def _folder(self, part: str) -> str:
        """A folder that a kustomization names, or that of a file."""
        is_folder = part in self.holding or part in self.built
        return part if is_folder else posixpath.dirname(part) or folders.ROOT

    def _of_files(self, part: str) -> list[str]:
        """The workloads of a file, or of the files that are directly in a folder."""
        own = self.holding.get(part)
        if own is None:
            by_name = self.holding.get(posixpath.dirname(part) or folders.ROOT, {})
            return list(by_name.get(part, ()))
        return [name for names in own.values() for name in names]


def _candidates(tree: trees.Tree, charts: Collection[str]) -> Iterator[str]:
    inside = tuple(chart for chart in charts if not folders.is_root(chart))
    for path in tree.files():
        is_file = path.endswith(_ENDS) or posixpath.basename(path) in service_paths.KUSTOMIZATIONS
        if not is_file or _ELSEWHERE.search(path):
            continue
        if not any(folders.holds(chart, path) for chart in inside):
            yield path


def _references(data: bytes, folder: str) -> Iterator[str]:
    """The files and folders that a kustomization names, from the repository's root."""
    for content in _documents(data)[:1]:
        for key in _PARTS:
            entries = content.get(key)
            for entry in entries if isinstance(entries, list) else []:
                # A URL names a remote base, which is not part of the repository.
                if isinstance(entry, str) and "://" not in entry:
                    yield posixpath.normpath(posixpath.join(folder, entry))


def _names(data: bytes) -> Iterator[str]:
    for document in _documents(data):
        metadata = document.get("metadata")
        if document.get("kind") in _KINDS and isinstance(metadata, dict):
            yield str(metadata.get("name") or "")[:80]


def _documents(data: bytes) -> list[Mapping[str, Any]]:
    try:
        return [item for item in libyaml.load_all(data) if isinstance(item, dict)]
    except (libyaml.Fault, ValueError, RecursionError):
        return []  # a template of some tool, or what `check` will say once it is a service


def _bytes(tree: trees.Tree, path: str) -> bytes:
    try:
        data = tree.read(path) or b""
    except errors.FileFault:
        return b""
    return data if len(data) <= _LARGEST else b""
