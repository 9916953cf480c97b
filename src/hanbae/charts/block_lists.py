"""Changes the items of lists in YAML text, line by line, and leaves every other line as it is.

People own kustomizations: only the items that are asked for are added, replaced or taken out.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from hanbae import errors, libyaml, subjects


class Item(Struct, frozen=True):
    """One item of a list in a file.

    Attributes:
        line: Its first line, counted from 1.
        data: What it is.
    """

    line: int
    data: Any


def read(text: str, key: str, file: str) -> tuple[Item, ...]:
    """The items of a list at the top of a document; none where there is no such key, or nothing in it.

    Raises:
        errors.FileFault: The file is no YAML, or the key holds something else than a list.
    """
    node, data = _value(text, key, file)
    if node is None or data is None:
        return ()
    if not isinstance(data, list):
        raise _uneditable(file, node)
    return tuple(
        Item(item.start_mark.line + 1, content)
        for item, content in zip(node.value, data, strict=True)
    )


def edited(
    text: str,
    key: str,
    file: str,
    *,
    replaced: Mapping[int, Sequence[str] | None] | None = None,
    added: Sequence[Sequence[str]] = (),
) -> str:
    """The text with items of a list changed.

    Args:
        text: One YAML document whose root is a mapping.
        key: The list's key, at the top of the document; it is made where it is missing.
        file: What places call the file.
        replaced: Index of an item → the lines that replace it, without indentation and dash; None to take it out.
        added: The lines of each new item, which come after all others.

    Raises:
        errors.FileFault: The list is not written with one item a line, or as for :func:`read`.
    """
    replaced = replaced or {}
    if not replaced and not added:
        return text
    items = read(text, key, file)
    node, _ = _value(text, key, file)
    # With a newline at its end, so that what is added behind it begins a line of its own.
    lines = text.splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    if node is None:
        return "".join([*lines, f"{key}:\n", *_written(added, 2)])
    # Neither `[a, b]` nor an empty list has a line that says how far its items are indented.
    if not items or node.flow_style:
        raise _uneditable(file, node)
    column = lines[items[0].line - 1].index("-")
    starts = [item.line - 1 for item in items]
    if any(lines[start][:column].strip() or lines[start][column] != "-" for start in starts):
        raise _uneditable(file, node)
    limits = [*starts[1:], node.end_mark.line]
    ends = [_end(lines, limit, column) for limit in limits]
    pieces: list[str] = []
    former = 0
    for index, (start, end) in enumerate(zip(starts, ends, strict=True)):
        # What stands before an item is no part of the one before it, which may go.
        pieces += lines[former:start]
        new = replaced.get(index)
        if new is not None:
            pieces += _written([new], column)
        elif index not in replaced:
            pieces += lines[start:end]
        former = end
    pieces += _written(added, column)
    remaining = len(items) - sum(new is None for new in replaced.values()) + len(added)
    # A key with nothing below it would be null.
    if not remaining:
        pieces = _without_key(pieces, key)
    return "".join([*pieces, *lines[ends[-1] :]])


def _value(text: str, key: str, file: str) -> tuple[Any, Any]:
    """The node and the data of a key at the top of a document."""
    try:
        documents = _documents(text)
    except libyaml.Fault as fault:
        place = subjects.Place(file, fault.line, fault.column)
        raise errors.FileFault("values.syntax", place=place, problem=str(fault)) from fault
    if len(documents) != 1 or not isinstance(documents[0][1], dict):
        raise errors.FileFault("values.not-a-mapping", place=subjects.Place(file, 1))
    root, data = documents[0]
    entries = [(name, value) for name, value in root.value if name.value == key]
    if len(entries) > 1:  # YAML forbids it, and readers differ in which of them counts
        raise _uneditable(file, entries[1][0])
    return (entries[0][1], data.get(key)) if entries else (None, None)


@functools.lru_cache(maxsize=1)
def _documents(text: str) -> tuple[tuple[Any, Any], ...]:
    """The documents of a text, which nobody changes: several lists are read of each file, one after the other."""
    return tuple(libyaml.both(text))


def _end(lines: Sequence[str], limit: int, column: int) -> int:
    """The line after an item: blank lines and comments below it are its own only where they are indented as it is.

    Args:
        lines: The lines of the file.
        limit: Where the next item begins, or whatever comes after the list.
        column: How far the items are indented.
    """
    while _is_between(lines[limit - 1], column):
        limit -= 1
    return limit


def _is_between(line: str, column: int) -> bool:
    content = line.strip()
    indent = len(line) - len(line.lstrip())
    return not content or (content.startswith("#") and indent <= column)


def _written(items: Sequence[Sequence[str]], column: int) -> list[str]:
    written = []
    for item in items:
        for number, line in enumerate(item):
            written.append(f"{' ' * column}{'- ' if number == 0 else '  '}{line}\n")
    return written


def _without_key(lines: list[str], key: str) -> list[str]:
    """Lines without the last one that begins a list, whose items are all gone."""
    for index in range(len(lines) - 1, -1, -1):
        if lines[index].startswith(f"{key}:"):
            return [*lines[:index], *lines[index + 1 :]]
    return lines


def _uneditable(file: str, node: Any) -> errors.FileFault:
    place = subjects.Place(file, node.start_mark.line + 1)
    return errors.FileFault("values.cannot-edit", place=place)
