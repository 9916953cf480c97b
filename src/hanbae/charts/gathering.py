"""Which files of a tree are a chart, just as Helm would load its folder.

Links are followed inside the repository and nowhere else; what ``.helmignore`` names stays out; a dependency that is
not vendored is taken from where its ``file://`` repository points, or from what ``hanbae dependencies`` has fetched of
the version that ``Chart.lock`` names, which is what ``helm dependency build`` would do.
A dependency that was not fetched is refused: rendering opens no connection.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from hanbae import errors, libyaml, patterns, subjects
from hanbae.charts import declared, dependency_cache, helm_settings, helmignore
from hanbae.policy import folders
from hanbae.repository import keeping, trees

IGNORE: Final = ".helmignore"
_LINK: Final = "link:"
_FILE: Final = "file://"
_DEEPEST: Final = 100
_MOST_FILES: Final = 20_000
"""What a chart may have; a link to a folder above itself would never end."""

_EXACT: Final = patterns.lazy(r"=?v?\d+\.\d+\.\d+(?:[-+][0-9A-Za-z.+-]+)?")
"""A range that is one version."""
# How the addresses begin from which charts are fetched; searched for in the bytes, without parsing.
_REMOTE: Final = (b"https://", b"oci://", b"alias:", b"@")
_DECLARING: Final = ("Chart.yaml", "Chart.lock", "requirements.yaml", "requirements.lock")

Resolved = tuple[tuple[str, str, str], ...]
"""Name, wanted version and found version of each dependency that was taken from the repository."""


class Missing(errors.FileFault):
    """A dependency that is neither in the repository nor fetched."""


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
        place = subjects.Place(folders.path(chart, IGNORE))
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
        # A fetched chart is not in the tree, but it is rendered.
        if _may_be_fetched(tree, names):
            hashed.update(stamp().encode())
        hashed.update(b"\0")
        for near in _near(tree, folder, names):
            if near not in visited:
                visited.add(near)
                waiting.append(near)
    return hashed.hexdigest()


def stamp() -> str:
    """What charts may be given from outside the repository, for results that depend on it.

    That is what was fetched, and what the user's Helm knows of repositories, which decides what it is looked for under.
    """
    return keeping.key(dependency_cache.stamp(), helm_settings.stamp())


def _near(tree: trees.Tree, chart: str, names: Mapping[str, str]) -> Iterator[str]:
    """The folders of the repository that a chart's dependencies may be taken from."""
    for name in ("Chart.yaml", "requirements.yaml"):
        data = tree.read(names[name]) if name in names else None
        # A look at the bytes first: hardly any chart has such a dependency, and parsing takes longer.
        if data and _FILE.encode() in data:
            for dependency in declared.read({name: data}).dependencies:
                where = folder_of(chart, dependency)
                if where is not None:
                    yield where


def completed(
    tree: trees.Tree, chart: str, present: Mapping[str, bytes], missing: Iterable[str]
) -> tuple[dict[str, bytes], Resolved]:
    """A chart's files with the dependencies that are not vendored: from the repository, or as they were fetched.

    Args:
        tree: The files of the repository.
        chart: The chart's folder.
        present: The chart's files.
        missing: Names of the dependencies.

    Raises:
        Missing: One of them is not in the repository, and was not fetched; or Helm would refuse the chart's lock.
    """
    declaration = declarations(present)
    names, result, resolved = frozenset(missing), dict(present), []
    if declared.is_stale(declaration):
        _refuse_stale(chart, declaration, names)
    for index, dependency in enumerate(declaration.dependencies):
        if dependency.name not in names:
            continue
        where = folder_of(chart, dependency)
        if where is None:
            name, archive = _fetched(chart, declaration, index)
            result[name] = archive
            continue
        near = files(tree, where)
        metadata = libyaml.mapping(near.get("Chart.yaml", b"")) or {}
        if metadata.get("name") != dependency.name:
            raise _missing(chart, declaration, index)
        version = str(metadata.get("version") or "")
        once = (dependency.name, dependency.version or "*", version)
        if once in resolved:
            continue  # under another alias
        folder = f"charts/{dependency.name}"
        # A chart of this name from another folder is there already; Helm goes by the name in its
        # Chart.yaml.
        while any(path.startswith(f"{folder}/") for path in result):
            folder += "-"
        result |= {f"{folder}/{path}": data for path, data in near.items()}
        resolved.append(once)
    return result, tuple(resolved)


def brought(tree: trees.Tree, chart: str) -> dict[str, str]:
    """The folders in a chart that :func:`completed` fills from elsewhere in the repository → where they are from.

    Args:
        tree: The files of the repository.
        chart: The chart's folder.
    """
    sources: dict[str, str] = {}
    for file in ("Chart.yaml", "requirements.yaml"):
        content = tree.read(folders.path(chart, file)) or b""
        for dependency in declared.read({file: content}).dependencies:
            where, folder = folder_of(chart, dependency), f"charts/{dependency.name}"
            if where is not None and not tree.files(folders.path(chart, folder)):
                sources[folder] = where
    return sources


def without(present: Mapping[str, bytes], missing: Iterable[str]) -> dict[str, bytes]:
    """A chart's files as if it did not depend on what is missing: what it renders by itself.

    Args:
        present: The chart's files.
        missing: Names of the dependencies.
    """
    names, result = frozenset(missing), dict(present)
    for file in ("Chart.yaml", "requirements.yaml"):
        content = libyaml.mapping(present.get(file, b""))
        entries = (content or {}).get("dependencies")
        if content is not None and isinstance(entries, list):
            dependencies = [
                e for e in entries if not isinstance(e, dict) or e.get("name") not in names
            ]
            # JSON is YAML, and no text of it is taken for something else.
            text = json.dumps(
                content | {"dependencies": dependencies}, ensure_ascii=False, default=str
            )
            result[file] = text.encode("utf-8", "replace")
    return result


def declarations(present: Mapping[str, bytes]) -> declared.Chart:
    """What a chart declares, with the addresses of repositories that it names as the user's Helm does.

    Args:
        present: The chart's files.

    Raises:
        hanbae.errors.FileFault: What the user's Helm knows of repositories cannot be read.
    """
    declaration = declared.read(present)
    if any(dependency.origin == "named" for dependency in declaration.dependencies):
        return declaration.with_addresses(helm_settings.aliases())
    return declaration


def version(declaration: declared.Chart, index: int) -> str:
    """The version of a dependency that Argo CD would fetch; empty where only its repository would tell."""
    locked, dependency = declaration.locked(index), declaration.dependencies[index]
    if locked is not None:
        return locked.version
    exact = declaration.lock is None and _EXACT.fullmatch(dependency.version)
    return dependency.version.removeprefix("=") if exact else ""


def _fetched(chart: str, declaration: declared.Chart, index: int) -> tuple[str, bytes]:
    """The archive of a dependency, and where it belongs in the chart."""
    dependency, exactly = declaration.dependencies[index], version(declaration, index)
    archive = (
        dependency_cache.find(dependency.repository, dependency.name, exactly) if exactly else None
    )
    if archive is None:
        raise _missing(chart, declaration, index)
    # The version is the lock's, which may say anything: a slash would make a folder of it.
    return f"charts/{dependency.name}-{exactly.replace('/', '-')}.tgz", archive


def _refuse_stale(chart: str, declaration: declared.Chart, names: frozenset[str]) -> None:
    """Refuse what ``helm dependency build`` refuses, at the first dependency that it would have to fetch."""
    for index, dependency in enumerate(declaration.dependencies):
        if dependency.name in names:
            place = declared.place(chart, declaration, index)
            lock = folders.path(chart, declaration.lock_file)
            raise Missing("render.stale-lock", place=place, name=dependency.name, lock=lock)


def _missing(chart: str, declaration: declared.Chart, index: int) -> Missing:
    """Which dependency is not there, and what cures that."""
    dependency = declaration.dependencies[index]
    fetchable = dependency.origin in ("https", "oci")
    text_id = "render.dependency-missing"
    if fetchable:
        locked = bool(version(declaration, index))
        text_id = "render.dependency-not-fetched" if locked else "render.dependency-unlocked"
    return Missing(
        text_id,
        place=declared.place(chart, declaration, index),
        name=dependency.name,
        version=version(declaration, index) or dependency.version or "-",
        repository=dependency.repository or "-",
    )


def _may_be_fetched(tree: trees.Tree, names: Mapping[str, str]) -> bool:
    """Whether a chart may have dependencies that are fetched."""
    contents = (tree.read(names[name]) or b"" for name in _DECLARING if name in names)
    return any(word in content for content in contents for word in _REMOTE)


def _walked(
    tree: trees.Tree, folder: str, prefix: str, budget: list[int]
) -> Iterator[tuple[str, str]]:
    """Files by their name in the chart; `budget` is how many more there may be, each linked folder being one."""
    files = tree.files(folder)
    budget[0] -= len(files) + 1
    if budget[0] < 0 or prefix.count("/") > _DEEPEST:
        raise errors.FileFault("render.too-many-files", place=subjects.Place(folder or "."))
    for path, identity in files.items():
        onward = tree.linked(path) if identity.startswith(_LINK) else None
        if onward is None:
            yield f"{prefix}{folders.name(folder, path)}", path
        else:
            inside = f"{prefix}{folders.name(folder, path)}/"
            yield from _walked(tree, onward, inside, budget)


def folder_of(chart: str, dependency: declared.Dependency) -> str | None:
    """The folder that a dependency's ``file://`` repository names; None for another one, or one outside."""
    if not dependency.repository.startswith(_FILE):
        return None
    path = dependency.repository[len(_FILE) :]
    where = posixpath.normpath(posixpath.join(chart, path))
    inside = not where.startswith(("..", "/")) and where != "."
    return where if path and inside else None
