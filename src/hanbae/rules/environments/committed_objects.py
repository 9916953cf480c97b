"""Objects in generated files as they are committed, to be compared with what would be generated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hanbae.rules import valuesfiles, views

_LARGEST: Final = 1024 * 1024
# Characters at the beginning of a generated file, where it says which command has written it.
_HEAD: Final = 400

Key = tuple[str, str, str]
"""Kind, namespace and name."""

Document = tuple[dict[str, Any], valuesfiles.ValuesFile]
"""An object, and where everything in it stands."""


def documents(project: views.Project, path: str) -> list[Document]:
    """The objects of a file; none where it is too large to be one that was generated."""
    text = project.text(path)
    if text is None or len(text) > _LARGEST:
        return []
    return [
        (manifest, places)
        for manifest, places in valuesfiles.documents(text.encode(), path)
        if isinstance(manifest, dict)
    ]


def generated(project: views.Project, folder: str, command: str) -> frozenset[str]:
    """The files below a folder whose first lines say that a command of hanbae's wrote them."""
    return frozenset(
        path
        for path in project.tree.files(folder)
        if path.endswith((".yaml", ".yml")) and command in (project.text(path) or "")[:_HEAD]
    )


def difference(expected: Any, actual: Any, pointer: views.Pointer = ()) -> views.Pointer | None:
    """The first part in which two objects differ; None where they are the same."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key in (*expected, *(key for key in actual if key not in expected)):
            if key not in expected or key not in actual:
                return (*pointer, key)
            deeper = difference(expected[key], actual[key], (*pointer, key))
            if deeper is not None:
                return deeper
        return None
    if isinstance(expected, list | tuple) and isinstance(actual, list):
        for index, (ours, theirs) in enumerate(zip(expected, actual, strict=False)):
            deeper = difference(ours, theirs, (*pointer, index))
            if deeper is not None:
                return deeper
        return None if len(expected) == len(actual) else pointer
    return None if expected == actual else pointer


def key(manifest: Mapping[str, Any]) -> Key:
    """By what an object is the same one in two files."""
    metadata = manifest.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    return (
        str(manifest.get("kind")),
        str(metadata.get("namespace") or ""),
        str(metadata.get("name")),
    )


def label(manifest: Mapping[str, Any]) -> str:
    """How an object is called in findings."""
    kind, _, name = key(manifest)
    return f"{kind}/{name}"[:200]
