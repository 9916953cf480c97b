"""Which files of a tree are a chart, just as Helm would load its folder.

Links are followed inside the repository and nowhere else; what ``.helmignore`` names stays out; a dependency that is
not vendored is taken from where its ``file://`` repository points, which is what ``helm dependency build`` would do.
A dependency from anywhere else is refused: rendering opens no connection.
"""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from hanbae import errors, libyaml, subjects
from hanbae.charts import helmignore
from hanbae.repository import trees

IGNORE: Final = ".helmignore"
_LINK: Final = "link:"
_FILE: Final = "file://"
_DEEPEST: Final = 100
_MOST_FILES: Final = 20_000
"""What a chart may have; a link to a folder above itself would never end."""

Resolved = tuple[tuple[str, str, str], ...]
"""Name, wanted version and found version of each dependency that was taken from the repository."""


def listed(tree: trees.Tree, chart: str) -> dict[str, str]:
    """The files of a chart: path in its folder → path in the tree; nothing but links and ``.helmignore`` is read.

    Args:
        tree: The files of the repository.
        chart: The chart's folder.

    Raises:
        hanbae.errors.FileFault: A link leads out of the repository, or ``.helmignore`` cannot be understood.
    """
    walked = dict(_walked(tree, chart, "", [_MOST_FILES]))
    content = tree.read(walked[IGNORE]) if IGNORE in walked else b""
    rules = (content or b"").decode("utf-8", "replace")
    try:
        ignored = helmignore.Rules(rules)
        return {name: path for name, path in walked.items() if not ignored.keeps_out(name)}
    except ValueError as error:
        place = subjects.Place(f"{chart}/{IGNORE}")
        raise errors.FileFault("render.bad-ignore", place=place, error=str(error)) from error


def files(tree: trees.Tree, chart: str) -> dict[str, bytes]:
    """The files of a chart by path in its folder.

    Raises:
        hanbae.errors.FileFault: As :func:`listed`, or one of them is too large.
    """
    contents = {name: tree.read(path) for name, path in listed(tree, chart).items()}
    return {name: data for name, data in contents.items() if data is not None}


def digest(tree: trees.Tree, chart: str) -> str:
    """What the files of a chart are: the same only for the same; unchanged files are not read for it.

    Dependencies that are taken from the repository are part of it.

    Raises:
        hanbae.errors.FileFault: As :func:`files`.
    """
    hashed = hashlib.sha256()
    waiting, visited = [chart], {chart}
    while waiting:
        folder = waiting.pop()
        ids = tree.files(folder)
        names = listed(tree, folder)
        for name, path in sorted(names.items()):
            identity = ids.get(path, _LINK)
            if identity.startswith((_LINK, trees.UNREADABLE)):
                identity = hashlib.sha256(tree.read(path) or b"").hexdigest()
            hashed.update(f"{name}\0{identity}\n".encode("utf-8", "surrogateescape"))
        hashed.update(b"\0")
        for near in _near(tree, folder, names):
            if near not in visited:
                visited.add(near)
                waiting.append(near)
    return hashed.hexdigest()


def _near(tree: trees.Tree, chart: str, names: Mapping[str, str]) -> Iterator[str]:
    """The folders of the repository that a chart's dependencies may be taken from."""
    for name in ("Chart.yaml", "requirements.yaml"):
        data = tree.read(names[name]) if name in names else None
        if data and _FILE.encode() in data:
            for dependency in _dependencies(data):
                where = _where(chart, dependency)
                if where is not None:
                    yield where


def completed(
    tree: trees.Tree, chart: str, present: Mapping[str, bytes], missing: Iterable[str]
) -> tuple[dict[str, bytes], Resolved]:
    """A chart's files with the dependencies that are not vendored, taken from the repository.

    Args:
        tree: The files of the repository.
        chart: The chart's folder.
        present: The chart's files.
        missing: Names of the dependencies.

    Raises:
        hanbae.errors.FileFault: One of them is not in the repository.
    """
    declared = [
        dependency
        for name in ("Chart.yaml", "requirements.yaml")
        for dependency in _dependencies(present.get(name, b""))
    ]
    result, resolved = dict(present), []
    for name in missing:
        entry = next((dependency for dependency in declared if dependency.get("name") == name), {})
        repository = str(entry.get("repository") or "-")
        where = _where(chart, entry)
        near = files(tree, where) if where is not None else {}
        metadata = libyaml.mapping(near.get("Chart.yaml", b"")) or {}
        if metadata.get("name") != name:
            place = _declaration(chart, present, name)
            raise errors.FileFault(
                "render.dependency-missing", place=place, name=name, repository=repository
            )
        folder = f"charts/{name}"
        while any(path.startswith(f"{folder}/") for path in result):
            folder += "-"
        result |= {f"{folder}/{path}": data for path, data in near.items()}
        version = str(metadata.get("version") or "")
        resolved.append((name, str(entry.get("version") or "*"), version))
    return result, tuple(resolved)


def brought(tree: trees.Tree, chart: str) -> dict[str, str]:
    """The folders in a chart that :func:`completed` fills from elsewhere in the repository → where they are from.

    Args:
        tree: The files of the repository.
        chart: The chart's folder.
    """
    folders: dict[str, str] = {}
    for file in ("Chart.yaml", "requirements.yaml"):
        for dependency in _dependencies(tree.read(f"{chart}/{file}") or b""):
            where, folder = _where(chart, dependency), f"charts/{dependency.get('name')}"
            if where is not None and not tree.files(f"{chart}/{folder}"):
                folders[folder] = where
    return folders


def _declaration(chart: str, present: Mapping[str, bytes], dependency: str) -> subjects.Place:
    """The line on which a chart names a dependency; the file where none can be told."""
    for file in ("Chart.yaml", "requirements.yaml"):
        try:
            root = libyaml.compose(present.get(file, b""))
        except libyaml.Fault:
            continue
        entries = _below(root, "dependencies")
        for entry in entries.value if entries is not None and entries.id == "sequence" else ():
            name = _below(entry, "name")
            if name is not None and name.value == dependency:
                return subjects.Place(f"{chart}/{file}", name.start_mark.line + 1)
    return subjects.Place(f"{chart}/Chart.yaml")


def _below(node: Any, key: str) -> Any:
    """The node under a key of a mapping; None where there is none."""
    pairs = node.value if node is not None and node.id == "mapping" else ()
    return next((value for name, value in pairs if name.value == key), None)


def _walked(
    tree: trees.Tree, folder: str, prefix: str, left: list[int]
) -> Iterator[tuple[str, str]]:
    """Files by their name in the chart; `left` is how many more there may be, each linked folder being one."""
    cut = len(folder) + 1 if folder else 0
    files = tree.files(folder)
    left[0] -= len(files) + 1
    if left[0] < 0 or prefix.count("/") > _DEEPEST:
        raise errors.FileFault("render.too-many-files", place=subjects.Place(folder or "."))
    for path, identity in files.items():
        onward = tree.linked(path) if identity.startswith(_LINK) else None
        if onward is None:
            yield f"{prefix}{path[cut:]}", path
        else:
            linked = "" if onward == "." else onward
            yield from _walked(tree, linked, f"{prefix}{path[cut:]}/", left)


def _where(chart: str, dependency: Mapping[str, Any]) -> str | None:
    """The folder that a dependency's ``file://`` repository names; None for another one, or one outside."""
    repository = dependency.get("repository")
    if not isinstance(repository, str) or not repository.startswith(_FILE):
        return None
    path = repository[len(_FILE) :]
    where = posixpath.normpath(posixpath.join(chart, path))
    inside = not where.startswith(("..", "/")) and where != "."
    return where if path and inside else None


def _dependencies(data: bytes) -> list[dict[str, Any]]:
    entries = (libyaml.mapping(data) or {}).get("dependencies")
    return (
        [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    )
