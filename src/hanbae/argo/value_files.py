"""Which files of the repository the values files of an Application's source are.

A path counts from the chart's folder, or from the repository's root behind a ``/``; behind ``$name/`` it is one of the
source that is called so. It may be a pattern, whose files count in the order of their names.
"""

from __future__ import annotations

import itertools
import posixpath
from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec import Struct

from hanbae.policy import boundaries, folders, globs
from hanbae.repository import trees

_REFERENCE: Final = "$"
_PATTERN: Final = frozenset("*?")
_AS_LETTERS: Final = {ord(letter): "x" for letter in "*?[]${}"}
_MOST: Final = 200
"""Values files of one Application."""


class Listed(Struct, frozen=True):
    """The values files of a source.

    Attributes:
        paths: Those of the repository, in order; patterns, and variables of the build environment, as they are written.
        elsewhere: Those of other repositories and of the web, as they are written.
    """

    paths: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()


def listed(
    spec: Mapping[str, Any],
    source: Mapping[str, Any],
    *,
    is_own: Callable[[Any], bool],
) -> Listed:
    """The values files of a source, besides the chart's own, with which Helm begins whether it is listed or not.

    Args:
        spec: The Application's spec.
        source: The source that renders the chart.
        is_own: Whether a URL is that of the repository.
    """
    helm = source.get("helm")
    files = helm.get("valueFiles") if isinstance(helm, Mapping) else None
    chart = folders.normal(source.get("path"))
    references = _references(spec)
    paths, elsewhere = [], []
    for entry in files[:_MOST] if isinstance(files, list) else ():
        written = str(entry)
        name, slash, rest = written.partition("/")
        if name.startswith(_REFERENCE) and slash and name[1:] in references:
            own = is_own(references[name[1:]])
            path = posixpath.normpath(rest) if own else ""
        elif "://" in written:
            path = ""
        else:
            rooted = written.startswith("/")
            path = posixpath.normpath(
                written.lstrip("/") if rooted else folders.path(chart, written)
            )
        # Patterns and variables pass as letters: what counts is whether the path stays in the
        # repository.
        if boundaries.is_path(path.translate(_AS_LETTERS)):
            paths.append(path)
        else:
            elsewhere.append(written[:200])
    first = folders.path(chart, "values.yaml")
    return Listed(tuple(paths[1:] if paths[:1] == [first] else paths), tuple(elsewhere))


def _references(spec: Mapping[str, Any]) -> dict[str, Any]:
    sources = spec.get("sources")
    return {
        str(source["ref"]): source.get("repoURL")
        for source in (sources if isinstance(sources, list) else ())
        if isinstance(source, Mapping) and source.get("ref")
    }


def matched(tree: trees.Tree, path: str) -> tuple[str, ...]:
    """The files of a tree that a path is, or that fit it, in the order of their names; empty for none.

    Args:
        tree: The files.
        path: A path from the repository's root, which may be a pattern.
    """
    if not _PATTERN & frozenset(path):
        return (path,) if tree.read(path) is not None else ()
    parts = path.split("/")[:-1]
    before = "/".join(itertools.takewhile(_PATTERN.isdisjoint, parts))
    return tuple(sorted(name for name in tree.files(before) if globs.matches(path, name)))
