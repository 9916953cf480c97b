"""Data on stdout: the formats that machines read, and the one place that writes them."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import Any

import click
import msgspec


def emit_json(data: Any) -> None:
    """Write one JSON document to stdout, indented, with a newline at its end.

    Args:
        data: msgspec structs, dicts, lists and scalars; datetimes become RFC 3339.
    """
    _write(msgspec.json.format(msgspec.json.encode(data), indent=2))


def emit_jsonl(data: Any) -> None:
    """Write one JSON line to stdout and flush it, so that a reader sees it at once."""
    _write(msgspec.json.encode(data))


def emit(words: str) -> None:
    """Write a line of text to stdout."""
    with _writable():
        click.echo(words)


def _write(encoded: bytes) -> None:
    with _writable():
        sys.stdout.buffer.write(encoded + b"\n")
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

        reason = error.strerror or type(error).__name__
        raise errors.Failed("output.unwritable", reason=reason) from error
