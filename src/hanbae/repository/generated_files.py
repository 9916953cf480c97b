"""Files that follow from the policy and are never edited: how they are written, and how they are known again.

A file that nothing asks for any more is deleted only when its first lines say that hanbae wrote it.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from hanbae import yaml_scalars
from hanbae.repository import writing_files
from hanbae.results import files

_HEAD: Final = 400
"""Characters in which a file says who wrote it."""


def manifest(header: str, manifests: Sequence[dict[str, Any]]) -> str:
    """Kubernetes objects as a person would write them.

    Args:
        header: Comment lines, with a newline at their end.
        manifests: One document each.
    """
    return header + "---\n".join(_yaml(content) for content in manifests)


def write(
    root: Path, contents: Mapping[str, str], *, folders: Sequence[str], mark: str, check: bool
) -> tuple[files.FileChange, ...]:
    """Write generated files, and delete those that hanbae once wrote beside them and nothing asks for any more.

    Args:
        root: The repository.
        contents: Path relative to the repository → text.
        folders: Where files that nothing asks for are looked for.
        mark: What the first lines of a file hold that hanbae wrote.
        check: Touch nothing, and call ``stale`` what is not fresh.
    """
    changes = writing_files.place(root, contents, overwrite=True, check=check)
    for folder in folders:
        for path in sorted(present(root, folder, mark) - contents.keys()):
            changes += (writing_files.remove(root, path, check=check),)
    return changes


def kustomized(
    files_of_objects: Mapping[str, Sequence[dict[str, Any]]],
) -> dict[str, Sequence[dict[str, Any]]]:
    """Files of objects with the kustomization over them, so that a folder can be applied at once."""
    kustomization = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": list(files_of_objects),
    }
    return {"kustomization.yaml": [kustomization], **files_of_objects}


def present(root: Path, folder: str, mark: str) -> set[str]:
    """The YAML files below a folder that carry a mark, relative to `root`.

    Raises:
        hanbae.errors.FileFault: One of them cannot be read.
    """
    paths = set()
    for file in (root / folder).rglob("*.yaml"):
        path = file.relative_to(root).as_posix()
        try:
            if file.is_file() and mark in _head(file):
                paths.add(path)
        except OSError as error:
            raise writing_files.unusable(path, error) from error
    return paths


def _head(path: Path) -> str:
    with path.open("rb") as file:
        # A letter of UTF-8 has up to four bytes.
        return file.read(4 * _HEAD).decode("utf-8", "replace")[:_HEAD]


def _yaml(content: dict[str, Any]) -> str:
    from ruamel.yaml import YAML

    writer = YAML()
    writer.default_flow_style = False
    # So wide that no line is folded.
    writer.width = 4096
    writer.indent(mapping=2, sequence=4, offset=2)
    text = io.StringIO()
    writer.dump(_readable(content), text)
    return text.getvalue()


def _readable(value: Any) -> Any:
    """Text of several lines as a block, and in quotes where Kubernetes would take it for another type.

    Every part is a copy, because one that is met twice becomes an alias.
    """
    from ruamel.yaml.scalarstring import DoubleQuotedScalarString, LiteralScalarString

    if isinstance(value, dict):
        return {_readable(key): _readable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_readable(item) for item in value]
    if not isinstance(value, str):
        return value
    if "\n" in value:
        return LiteralScalarString(value)
    # ruamel quotes what is empty.
    is_text = not value or isinstance(yaml_scalars.scalar(value), str)
    return value if is_text else DoubleQuotedScalarString(value)
