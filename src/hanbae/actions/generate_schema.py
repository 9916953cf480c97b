"""Writes the schema of ``hanbae.yaml`` beside it, and the line by which editors find it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from hanbae.policy import loading, schemas
from hanbae.repository import writing_files
from hanbae.results.files import FileChange

NAME: Final = "hanbae.schema.json"
_MODELINE: Final = "# yaml-language-server:"
_BYTE_ORDER_MARK: Final = "\ufeff"


def generate_schema(directory: Path, *, check: bool = False) -> tuple[FileChange, ...]:
    """Write the schema; the policy may have any fault, as an editor is where it is mended.

    Args:
        directory: The repository or a folder in it.
        check: Touch nothing, and call ``stale`` what is not fresh.

    Returns:
        What became of the schema and of the policy.

    Raises:
        hanbae.errors.WrongUse: No policy.
        hanbae.errors.FileFault: A file cannot be read or written.
    """
    policy = loading.find(directory)
    root = policy.parent
    present = writing_files.read(root, policy.name) or ""
    contents = {NAME: schemas.text(), policy.name: _with_line(present)}
    return writing_files.place(root, contents, overwrite=True, check=check)


def _with_line(text: str) -> str:
    """A policy with the line on its top; a line of that kind which is there, such as one with a URL, is the team's."""
    if any(line.startswith(_MODELINE) for line in text.splitlines()):
        return text
    end = "\r\n" if "\r\n" in text else "\n"
    # A byte order mark stays the first of the file; behind anything else it is a letter of the
    # text.
    bare = text.removeprefix(_BYTE_ORDER_MARK)
    mark = text[: len(text) - len(bare)]
    return f"{mark}{_MODELINE} $schema={NAME}{end}{bare}"
