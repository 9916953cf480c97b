"""From a part of an object that Kustomize built to the line of the manifest that it was made of."""

from __future__ import annotations

from typing import Any

from hanbae import errors, libyaml, subjects
from hanbae.results import findings
from hanbae.rules import views


def place(project: views.Project, on: views.On) -> tuple[subjects.Place, findings.Precision]:
    """Where a person mends a part of such an object.

    A kustomization around the manifest may have changed or added the part; then the nearest line is told, or only the
    file.
    """
    file = on.object.template
    same = [node for node in _documents(project, file) if _says(node, "kind") == on.object.kind]
    named = [node for node in same if _says(node, "metadata", "name") == on.object.name]
    candidates = named or (same if len(same) == 1 else [])
    if not candidates:
        return subjects.Place(file), "file"
    row, whole = _row(candidates[0], on.pointer)
    return subjects.Place(file, row + 1), "exact" if whole else "template"


def _documents(project: views.Project, file: str) -> list[Any]:
    try:
        text = (project.tree.read(file) or b"").decode("utf-8-sig")
        results = list(libyaml.compose_all(text))
    except (errors.FileFault, libyaml.Fault, UnicodeDecodeError):
        return []
    return [node for node in results if node is not None]


def _says(node: Any, *keys: str) -> str:
    """A scalar in a document; empty where there is none."""
    for key in keys:
        pair = _pair(node, key)
        if pair is None:
            return ""
        node = pair[1]
    return node.value if isinstance(node.value, str) else ""


def _pair(node: Any, key: str) -> tuple[Any, Any] | None:
    pairs = node.value if node.id == "mapping" else []
    return next((pair for pair in pairs if pair[0].value == key), None)


def _row(node: Any, pointer: views.Pointer) -> tuple[int, bool]:
    """The row, counted from 0, of the nearest part that is there, and whether it is the part itself."""
    row = node.start_mark.line
    for part in pointer:
        if isinstance(part, int):
            items = node.value if node.id == "sequence" else []
            if part >= len(items):
                return row, False
            node = items[part]
            row = node.start_mark.line
        else:
            pair = _pair(node, part)
            if pair is None:
                return row, False
            row, node = pair[0].start_mark.line, pair[1]
    return row, True
