"""Reads a folder of plain manifests as Argo CD's directory source does."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import Any, Final

from hanbae import errors, foreign_json, libyaml, subjects
from hanbae.charts import rendering
from hanbae.policy import documents, folders, globs
from hanbae.repository import trees

_NAMES: Final = (".yaml", ".yml", ".json", ".jsonnet")
_SKIPPED: Final = b"+argocd:skip-file-rendering"
"""Argo CD looks for this mark anywhere in a file, and skips it before it is parsed."""
_LOOKS_LIKE: Final = (b"apiVersion:", b"kind:", b"metadata:")
_LARGEST: Final = 10 * 1024 * 1024
"""Bytes of all manifests together, as Argo CD's repo-server allows by default."""


def read(
    tree: trees.Tree, folder: str, options: documents.Directory | None = None
) -> tuple[rendering.Manifest, ...]:
    """The objects of a folder, in the order in which Argo CD reads them.

    Args:
        tree: The files of the repository.
        folder: The folder.
        options: What ``spec.source.directory`` says; None for nothing.

    Raises:
        hanbae.errors.FileFault: A file cannot be read, needs jsonnet, or holds what is no object; they are too large.
    """
    manifests: list[rendering.Manifest] = []
    size = 0
    for path in files(tree, folder, options or documents.Directory()):
        data = tree.read(path) or b""
        if _SKIPPED in data:
            continue
        if path.endswith(".jsonnet"):
            raise errors.FileFault("manifests.jsonnet", place=subjects.Place(path))
        size += len(data)
        if size > _LARGEST:
            limit = f"{_LARGEST // 1024**2} MiB"
            raise errors.FileFault("render.beyond-bytes", place=subjects.Place(path), limit=limit)
        manifests += [rendering.Manifest(path, manifest) for manifest in _objects(path, data)]
    return tuple(manifests)


def files(tree: trees.Tree, folder: str, options: documents.Directory) -> Iterator[str]:
    """The files of a folder that Argo CD takes for manifests, in its order: by path, folder by folder.

    Args:
        tree: The files of the repository.
        folder: The folder.
        options: What ``spec.source.directory`` says.
    """
    below = {
        folders.name(folder, path) for path in tree.files(folder) if folders.holds(folder, path)
    }
    # Go walks a tree folder by folder: `a/b.yaml` comes before `a.yaml`, although a dot is sorted before a slash.
    for relative in sorted(below, key=lambda path: path.split("/")):
        if "/" in relative and not options.recurse:
            continue
        if not posixpath.basename(relative).endswith(_NAMES):
            continue
        if options.exclude and _matches(options.exclude, relative):
            continue
        if not options.include or _matches(options.include, relative):
            yield folders.path(folder, relative)


def is_skipped(tree: trees.Tree, path: str) -> bool:
    """Whether a file says that Argo CD shall pass over it.

    Args:
        tree: The files of the repository.
        path: The file.

    Raises:
        hanbae.errors.FileFault: It cannot be read.
    """
    return _SKIPPED in (tree.read(path) or b"")


def _matches(pattern: str, path: str) -> bool:
    """Whether a path fits a glob of Argo CD's: ``*`` is any text, slashes too, and ``{a,b}`` one of several."""
    return any(globs.part_matches(part, path) for part in _alternatives(pattern))


def _alternatives(pattern: str) -> list[str]:
    """The globs that a glob with ``{a,b}`` stands for; a nested one is not taken apart further."""
    braces = re.search(r"\{([^{}]{0,200})\}", pattern)
    if braces is None:
        return [pattern]
    before, after = pattern[: braces.start()], pattern[braces.end() :]
    return [f"{before}{choice}{after}" for choice in braces[1].split(",")[:20]]


def _objects(path: str, data: bytes) -> Iterator[dict[str, Any]]:
    """The objects of a file; none of one that does not look as if it had any, which Argo CD passes over as well."""
    looks = all(word in data for word in _LOOKS_LIKE) or path.endswith(".json")
    try:
        for document in _documents(path, data):
            if document is None:
                continue
            if not isinstance(document, dict) or not isinstance(document.get("kind"), str):
                if looks:
                    raise errors.FileFault("manifests.no-object", place=subjects.Place(path))
                return
            # A file with one object in it is one of manifests: what follows must be objects too.
            looks = True
            items = document.get("items")
            for item in items if isinstance(items, list) else [document]:
                yield _whole(item, path)
    except (libyaml.Fault, foreign_json.Fault) as fault:
        if looks:
            line, column = getattr(fault, "line", 0), getattr(fault, "column", 0)
            place = subjects.Place(path, line, column)
            facts = {"problem": str(fault)[:200]}
            raise errors.FileFault("manifests.unreadable", place=place, **facts) from fault


def _documents(path: str, data: bytes) -> Iterator[Any]:
    if path.endswith(".json"):
        yield foreign_json.shallow(data)
    else:
        yield from libyaml.load_all(data)


def _whole(item: Any, path: str) -> dict[str, Any]:
    is_object = (
        isinstance(item, dict)
        and isinstance(item.get("kind"), str)
        and isinstance(item.get("apiVersion"), str)
        and isinstance(item.get("metadata") or {}, dict)
    )
    if not is_object:
        raise errors.FileFault("manifests.no-object", place=subjects.Place(path))
    whole: dict[str, Any] = item
    return whole
