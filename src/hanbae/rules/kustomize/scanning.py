"""Reads kustomizations without running anything: what a build would read, and what it may not.

A base may be a URL, a plugin a program, and a path may lead anywhere.
So nothing is built before every reference was followed here, and a build sees only the files that were found.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Any, Final

from msgspec import Struct

from hanbae import errors, libyaml
from hanbae.charts import overlay_files
from hanbae.repository import trees
from hanbae.rules import builds, valuesfiles

NAMES: Final = overlay_files.NAMES
_FOLDERS_OR_FILES: Final = ("resources", "components", "bases")
_FILES: Final = ("patchesStrategicMerge", "configurations", "crds")
_WITH_PATH: Final = ("patches", "patchesJson6902", "replacements")
_PLUGINS: Final = ("generators", "transformers", "validators")
_CHARTS: Final = ("helmCharts", "helmChartInflationGenerator", "helmGlobals")
_REMOTE: Final = (
    "git::",
    "git@",
    "github.com/",
    "gitlab.com/",
    "bitbucket.org/",
    "ssh:",
    "hg::",
    "oci:",
)
_MOST_FOLDERS: Final = 500

Keys = tuple[str | int, ...]


class Scan(Struct):
    """What a folder's kustomization needs, in all.

    Attributes:
        files: Path → content of each file that a build reads.
        refusals: What it may not.
        images: The tags that are set.
    """

    files: dict[str, bytes]
    refusals: list[builds.Refusal]
    images: list[builds.Pinned]


def named(tree: trees.Tree, folder: str) -> str | None:
    """The kustomization of a folder; None for a folder without one."""
    files = tree.files(folder)
    return next((path for name in NAMES if (path := f"{folder}/{name}") in files), None)


def scan(tree: trees.Tree, folder: str) -> Scan:
    """Follow every reference from a folder's kustomization."""
    result = Scan({}, [], [])
    waiting, visited = [folder], {folder}
    while waiting and len(visited) <= _MOST_FOLDERS:
        for other in _folder(tree, waiting.pop(), result):
            if other not in visited:
                visited.add(other)
                waiting.append(other)
    return result


def _folder(tree: trees.Tree, folder: str, scan: Scan) -> Iterator[str]:
    path = named(tree, folder)
    if path is None:
        return
    data, content = _parsed(tree, path, scan)
    if not isinstance(content, dict):
        return
    places = valuesfiles.parse(data, path)
    yield from _followed(tree, folder, content, scan, places)
    for keys, value in _plugins(content):
        _refusing(scan, places, keys, value)("plugin")
    scan.images += _pinned(content, places)


def _followed(
    tree: trees.Tree,
    folder: str,
    content: dict[str, Any],
    scan: Scan,
    places: valuesfiles.ValuesFile,
) -> Iterator[str]:
    """Take the files that a kustomization names into the scan; the folders are the caller's to follow."""
    for keys, value, may_be_folder in _references(content):
        refuse = _refusing(scan, places, keys, value)
        target = posixpath.normpath(posixpath.join(folder, value))
        if "://" in value or value.startswith(_REMOTE) or "?ref=" in value:
            refuse("remote")
        elif target.startswith(("..", "/")):
            refuse("outside")
        elif target in tree.files(posixpath.dirname(target)):
            _parsed(tree, target, scan)
        elif may_be_folder and named(tree, target) is not None:
            yield target
        else:
            refuse("missing")


def _pinned(content: dict[str, Any], places: valuesfiles.ValuesFile) -> Iterator[builds.Pinned]:
    for index, image in enumerate(_list(content.get("images"))):
        if isinstance(image, dict) and (image.get("newTag") or image.get("newName")):
            name = str(image.get("newName") or image.get("name"))
            tag, digest = str(image.get("newTag") or ""), str(image.get("digest") or "")
            yield builds.Pinned(places.place(("images", index, "newTag")), name, tag, digest)


def _refusing(scan: Scan, places: valuesfiles.ValuesFile, keys: Keys, value: str) -> Any:
    def refuse(variant: str) -> None:
        scan.refusals.append(builds.Refusal(places.place(keys), variant, value[:200]))

    return refuse


def _parsed(tree: trees.Tree, path: str, scan: Scan) -> tuple[bytes, Any]:
    """Take a file into the scan; its content is only parsed for kustomizations."""
    try:
        data = tree.read(path) or b""
    except errors.FileFault as fault:
        place = valuesfiles.parse(b"", path).place(())
        scan.refusals.append(builds.Refusal(fault.place or place, "outside", path))
        return b"", None
    scan.files[path] = data
    return data, _loaded(data) if path.endswith(NAMES) else None


def _loaded(data: bytes) -> Any:
    try:
        return libyaml.load(data)
    except libyaml.Fault:
        return None  # the build says what is wrong


def _references(content: dict[str, Any]) -> Iterator[tuple[Keys, str, bool]]:
    """Where, what, and whether it may be a folder, of all that a kustomization names."""
    for key in (*_FOLDERS_OR_FILES, *_FILES):
        for index, value in enumerate(_list(content.get(key))):
            # A patch may stand in the list itself; it has more than one line, or a colon with a blank.
            if isinstance(value, str) and not ("\n" in value or ": " in value):
                yield (key, index), value, key in _FOLDERS_OR_FILES
    for key in _WITH_PATH:
        for index, value in enumerate(_list(content.get(key))):
            if isinstance(value, dict) and isinstance(value.get("path"), str):
                yield (key, index, "path"), value["path"], False
    openapi = content.get("openapi")
    if isinstance(openapi, dict) and isinstance(openapi.get("path"), str):
        yield ("openapi", "path"), openapi["path"], False
    yield from _generated(content)


def _generated(content: dict[str, Any]) -> Iterator[tuple[Keys, str, bool]]:
    """The files of generated ConfigMaps and Secrets."""
    for key in ("configMapGenerator", "secretGenerator"):
        for index, value in enumerate(_list(content.get(key))):
            if isinstance(value, dict):
                yield from _read((key, index), value)


def _read(keys: Keys, generator: dict[str, Any]) -> Iterator[tuple[Keys, str, bool]]:
    if isinstance(generator.get("env"), str):
        yield (*keys, "env"), generator["env"], False
    for part in ("files", "envs"):
        for index, value in enumerate(_list(generator.get(part))):
            if isinstance(value, str):
                path = value.partition("=")[2] if part == "files" and "=" in value else value
                yield (*keys, part, index), path, False


def _plugins(content: dict[str, Any]) -> Iterator[tuple[Keys, str]]:
    """What would run a program, or render a chart from somewhere."""
    for key in _CHARTS:
        if content.get(key):
            yield (key,), key
    for key in _PLUGINS:
        for index, value in enumerate(_list(content.get(key))):
            # Only Kustomize's own ones, written where they are used, need no program.
            inline = _loaded(value.encode()) if isinstance(value, str) and "\n" in value else None
            if not (isinstance(inline, dict) and inline.get("apiVersion") == "builtin"):
                yield (key, index), f"{key}: {str(value).partition(chr(10))[0]}"


def _list(document: Any) -> list[Any]:
    return document if isinstance(document, list) else []
