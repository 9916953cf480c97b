"""Reads kustomizations without running anything: what a build would read, and what it may not.

A base may be a URL, a plugin a program, and a path may lead anywhere.
So nothing is built before every reference was followed here, and a build sees only the files that were found.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Any, Final

from msgspec import Struct, field

from hanbae import errors, libyaml
from hanbae.charts import overlay_files
from hanbae.policy import folders
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
# Folders that are followed. Of others the build sees nothing, and says so by failing.
_MOST_FOLDERS: Final = 500
_WITH_FILES: Final = ("configMapGenerator", "secretGenerator")
_NAMED: Final = (
    *_FOLDERS_OR_FILES,
    *_FILES,
    *_WITH_PATH,
    *_PLUGINS,
    *_CHARTS,
    *_WITH_FILES,
    *("images", "name", "newName", "newTag", "digest", "openapi", "path", "env", "envs", "files"),
    *("apiVersion", "kind"),
)
_KEYS: Final = {key.casefold(): key for key in _NAMED}

Keys = tuple[str | int, ...]


class Scan(Struct):
    """What a folder's kustomization needs, in all.

    Attributes:
        files: Path → content of each file that a build reads.
        refusals: What it may not.
        images: The tags that are set.
        resources: Those of the files whose objects are built; the others change or configure them.
        fault: Why a kustomization cannot be read as Kustomize would, in the words of an error; empty where it can.
    """

    files: dict[str, bytes]
    refusals: list[builds.Refusal]
    images: list[builds.Pinned]
    resources: set[str] = field(default_factory=set)
    fault: str = ""


def named(tree: trees.Tree, folder: str) -> str | None:
    """The kustomization of a folder; None for a folder without one."""
    files = tree.files(folder)
    return next((path for name in NAMES if (path := folders.path(folder, name)) in files), None)


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
    data = _parsed(tree, path, scan)
    places = valuesfiles.parse(data, path)
    content = _kustomization(data, path, places, scan)
    yield from _followed(tree, folder, content, scan, places)
    for keys, value in _plugins(content):
        _refusing(scan, places, keys, value)("plugin")
    scan.images += _pinned(content, places)


def _kustomization(
    data: bytes, path: str, places: valuesfiles.ValuesFile, scan: Scan
) -> dict[str, Any]:
    """What a kustomization says; of one that other readers may read otherwise, nothing, and why.

    Kustomize's reader takes keys in any case, lets what is merged (``<<``) win over what stands before it, and reads
    ``!!binary`` as text: what it would see must not be more than was seen here.
    """
    try:
        content = libyaml.load(data)
    except libyaml.Fault as fault:
        content, reason = None, str(fault)
    else:
        reason = "not a mapping" if content and not isinstance(content, dict) else ""
    if places.doubled:
        reason = f"{places.doubled[0][0][-1]} is there twice"
    if any(keys[-1] == "<<" for keys in places.places):
        reason = "<< is not read"
    if reason:
        scan.fault = scan.fault or f"{path}: {reason}"[:500]
        return {}
    return _canonical(content) if isinstance(content, dict) else {}


def _canonical(node: Any) -> Any:
    """The same with keys as Kustomize documents them, in whatever case they are written, and texts for bytes."""
    if isinstance(node, bytes):
        return node.decode("utf-8", "replace")
    if isinstance(node, list):
        return [_canonical(item) for item in node]
    if not isinstance(node, dict):
        return node
    result: dict[Any, Any] = {}
    for written, value in node.items():
        text = _canonical(written)
        key = _KEYS.get(text.casefold(), text) if isinstance(text, str) else text
        value = _canonical(value)  # noqa: PLW2901
        before = result.get(key)
        # One key in two spellings: whichever of them Kustomize takes, all of it is looked at.
        if isinstance(before, list) and isinstance(value, list):
            value = [*before, *value]  # noqa: PLW2901
        result[key] = value
    return result


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
        if _is_url(value) or value.startswith(_REMOTE) or "?ref=" in value:
            refuse("remote")
        elif target.startswith(("..", "/")):
            refuse("outside")
        elif target in tree.files(posixpath.dirname(target)):
            _parsed(tree, target, scan)
            if may_be_folder:
                scan.resources.add(target)
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


def _begins_as_url(value: str) -> bool:
    return value.strip().casefold().startswith(("http:", "https:"))


def _is_url(value: str) -> bool:
    return "://" in value


def _parsed(tree: trees.Tree, path: str, scan: Scan) -> bytes:
    """Take a file into the scan."""
    try:
        data = tree.read(path) or b""
    except errors.FileFault as fault:
        place = valuesfiles.parse(b"", path).place(())
        scan.refusals.append(builds.Refusal(fault.place or place, "outside", path))
        return b""
    scan.files[path] = data
    return data


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
            inline = isinstance(value, str) and ("\n" in value or ": " in value)
            if isinstance(value, str) and (not inline or _begins_as_url(value)):
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
    for key in _WITH_FILES:
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
            builtin = isinstance(inline, dict) and inline.get("apiVersion") == "builtin"
            # A file that such a one names may be a URL; what else it names is not there for the build.
            if not builtin or any(map(_is_url, _texts(inline))):
                yield (key, index), f"{key}: {str(value).partition(chr(10))[0]}"


def _texts(node: Any) -> Iterator[str]:
    if isinstance(node, bytes):
        yield node.decode("utf-8", "replace")
    elif isinstance(node, str):
        yield node
    elif isinstance(node, list | dict):
        for item in node.values() if isinstance(node, dict) else node:
            yield from _texts(item)


def _list(document: Any) -> list[Any]:
    return document if isinstance(document, list) else []
