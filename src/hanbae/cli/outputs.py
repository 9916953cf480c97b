"""Data on stdout: the formats that machines read, and the one place that writes them."""

from __future__ import annotations

import sys
from typing import Any

import click
import msgspec


def emit_json(data: Any) -> None:
    """Write one JSON document to stdout, indented, with a newline at its end.

    Args:
        data: msgspec structs, dicts, lists and scalars; datetimes become RFC 3339.
    """
    encoded = msgspec.json.format(msgspec.json.encode(data), indent=2)
    sys.stdout.buffer.write(encoded + b"\n")
    sys.stdout.flush()


def emit_jsonl(data: Any) -> None:
    """Write one JSON line to stdout and flush it, so that a reader sees it at once."""
    sys.stdout.buffer.write(msgspec.json.encode(data) + b"\n")
    sys.stdout.flush()


def emit(words: str) -> None:
    """Write a line of text to stdout."""
    click.echo(words)
