"""Where Kustomize's words about a kustomization that it cannot read belong: the file, and the line of the field."""

from __future__ import annotations

from typing import Any, Final

from hanbae import errors, libyaml, patterns, subjects
from hanbae.charts import rewriting
from hanbae.rules import builds, valuesfiles, views
from hanbae.rules.kustomize import scanning

_FOLDER: Final = patterns.lazy(r"for path '([^']{1,500})'")
_TYPE: Final = patterns.lazy(
    r"cannot unmarshal \w{1,40} into Go struct field \w{1,80}\.([\w.]{1,200}) of type \w"
)
_UNKNOWN: Final = patterns.lazy(r'unknown field \\?"([^"\\]{1,200})')


def place(project: views.Project, built: builds.Built) -> subjects.Place:
    """Where an error of a build is mended; the overlay's own kustomization where it names no other.

    Args:
        project: The repository.
        built: The overlay, with its error.
    """
    folders = [folder.strip("/") for folder in _FOLDER.findall(built.error)]
    named = [scanning.named(project.tree, folder) for folder in (*folders[-1:], built.folder)]
    file = next((path for path in named if path is not None), built.folder)
    field = _TYPE.search(built.error) or _UNKNOWN.search(built.error)
    try:
        data = project.tree.read(file) or b""
    except errors.FileFault:
        data = b""
    keys = _keys(data, file, field[1].split(".")) if field else None
    return valuesfiles.parse(data, file).place(keys) if keys else subjects.Place(file)


def _keys(data: bytes, file: str, field: list[str]) -> tuple[str | int, ...] | None:
    """The keys of a field: of several the first that is not text; of a map of texts, the entry."""
    content = libyaml.mapping(data)
    matching = [
        keys
        for keys in valuesfiles.parse(data, file).places
        if [key for key in keys if isinstance(key, str)][: len(field)] == field
    ]
    return next(
        (keys for keys in matching if not _is_text(content, keys)),
        matching[0] if matching else None,
    )


def _is_text(content: Any, keys: tuple[str | int, ...]) -> bool:
    """Whether a value is text, or holds other values."""
    for key in keys:
        try:
            content = content[key]
        except (KeyError, IndexError, TypeError):
            return False
    if isinstance(content, dict | list):
        return True
    return isinstance(content, str) and not rewriting.forms(content)
