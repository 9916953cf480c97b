"""The line of a manifest on which a key stands that is refused."""

from __future__ import annotations

from collections.abc import Sequence

from hanbae import libyaml


def of_fault(data: bytes, fault: libyaml.Fault) -> int:
    """The line of a fault; of bytes that are no text, which the parser does not place, the first of them."""
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        return fault.line or data.count(b"\n", 0, error.start) + 1
    return fault.line


def lines(data: bytes, field: str) -> dict[str, int]:
    """Key → its line, counted from 1, of each key of a mapping at the root; none where the file cannot be read.

    Args:
        data: The file.
        field: The key of the mapping.
    """
    try:
        root = libyaml.compose(data, tags="none")
    except libyaml.Fault:
        return {}
    entries = root.value if root is not None and root.id == "mapping" else ()
    below = next((value for key, value in entries if key.value == field), None)
    if below is None or below.id != "mapping":
        return {}
    return {key.value: key.start_mark.line + 1 for key, _ in below.value if key.id == "scalar"}


def line(data: bytes, path: Sequence[str]) -> int:
    """The line of a key of the one document of a file, counted from 1; 0 where it is not there or cannot be read.

    Args:
        data: The file.
        path: The keys that lead to it, from the root.
    """
    try:
        node = libyaml.compose(data, tags="none")
    except libyaml.Fault:
        return 0
    number = 0
    for name in path:
        entries = node.value if node is not None and node.id == "mapping" else ()
        match = next(((key, value) for key, value in entries if key.value == name), None)
        if match is None:
            return 0
        number, node = match[0].start_mark.line + 1, match[1]
    return number
