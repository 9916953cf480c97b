"""Data on stdout: the formats that machines read, and the one place that writes them."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from hanbae import files, patterns
from hanbae.cli.text import wrapping
from hanbae.policy import boundaries

# What GitHub, Azure Pipelines and TeamCity obey anywhere in a line. GitHub's `::error::` counts
# only at the beginning of a line, where JSON never has text: a quote stands before it.
_COMMAND: Final = patterns.lazy(rb"##(?=\[|vso|teamcity)")
FORMAT: Final = 1
"""Version of the form that the JSON documents have; see :mod:`hanbae.cli.json_schemas`."""


def emit_json(data: msgspec.Struct | Mapping[str, Any]) -> None:
    """Write one JSON document to stdout, indented, with its ``format`` first and a newline at its end.

    Args:
        data: The document; datetimes become RFC 3339.
    """
    document = {"format": FORMAT, **msgspec.to_builtins(data)}
    _write(msgspec.json.format(_encoded(document), indent=2))


def emit_jsonl(data: Any) -> None:
    """Write one JSON line to stdout and flush it, so that a reader sees it at once."""
    _write(_encoded(data))


def emit(words: str) -> None:
    """Write a line of text to stdout."""
    with _writable():
        click.echo(words)


def emit_text(text: str, *, head: str = "", indent: str = "") -> None:
    """Write a sentence to stdout, on a terminal in as many lines as it needs.

    Args:
        text: The sentence.
        head: What the first line begins with.
        indent: What the others begin with.
    """
    columns = wrapping.width(sys.stdout, fallback=wrapping.ENDLESS)
    for line in wrapping.paragraph(text, columns, head=head, indent=indent):
        emit(line)


def document(text: str) -> None:
    """Write text that is data, such as YAML; on a terminal, without what would steer it."""
    if sys.stdout.isatty():
        from hanbae.cli.text import catalogue

        text = "\n".join(map(catalogue.printable, text.split("\n")))
    with _writable():
        sys.stdout.buffer.write(text.encode("utf-8", "replace"))
        sys.stdout.flush()


class Array:
    """A JSON document with one array, written item by item so that none has to be kept.

    Nothing is written before the first item: what fails until then writes a document of its own.
    """

    def __init__(self, key: str) -> None:
        self._key = key
        self.begun = False

    def add(self, item: Any) -> None:
        """Write an item."""
        lines = msgspec.json.format(_encoded(item), indent=2)
        start = b",\n" if self.begun else self._head()
        with _writable():
            # Every newline here is layout: inside a string JSON escapes it.
            lines = _unheard(lines).replace(b"\n", b"\n    ")
            sys.stdout.buffer.write(start + b"    " + lines)
        self.begun = True

    def end(self) -> None:
        """Write the end of the document."""
        _write((b"" if self.begun else self._head()) + b"\n  ]\n}")

    def _head(self) -> bytes:
        return f'{{\n  "format": {FORMAT},\n  "{self._key}": [\n'.encode()


def _encoded(data: Any) -> bytes:
    try:
        return msgspec.json.encode(data)
    except UnicodeEncodeError:
        import json

        # A file's name that is no UTF-8 has surrogates in it, which JSON cannot have.
        text = json.dumps(msgspec.to_builtins(data), ensure_ascii=False)
        return text.encode("utf-8", "replace")


@contextlib.contextmanager
def array(written: bool, key: str) -> Iterator[Array]:
    """A JSON document whose one key is an array; nothing is written unless it is wanted."""
    items = Array(key)
    try:
        yield items
    except BaseException:
        # The error's own document follows: a reader of several takes both.
        if items.begun:
            items.end()
        raise
    if written:
        items.end()


def save(path: Path, text: str) -> None:
    """Write a file in one step, so that a reader meets either the old one or the new one.

    Args:
        path: The file.
        text: Its content.

    Raises:
        hanbae.errors.Failed: It cannot be written.
    """
    try:
        # Of a link, what it leads to is written; a pipe or a device takes no other file's place.
        target = boundaries.output(path)
        if target.exists() and not target.is_file():
            target.write_text(text, "utf-8", "backslashreplace")
            return
        files.replace(target, text.encode("utf-8", "backslashreplace"), durable=False)
    except OSError as error:
        from hanbae import errors

        reason = f"{path}: {files.reason(error)}"
        raise errors.Failed("check.unwritable", reason=reason) from error


def _unheard(encoded: bytes) -> bytes:
    """JSON of the same value in which no build server finds a command: it stands in a log as often as in a file."""
    return _COMMAND.sub(rb"#\\u0023", encoded) if b"##" in encoded else encoded


def _write(encoded: bytes) -> None:
    with _writable():
        sys.stdout.buffer.write(_unheard(encoded) + b"\n")
        sys.stdout.flush()


@contextlib.contextmanager
def _writable() -> Iterator[None]:
    """A full disk behind ``> file`` is no bug of ours; a reader that has gone is left to the front door."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        from hanbae import errors

        raise errors.Failed("output.unwritable", reason=files.reason(error)) from error
