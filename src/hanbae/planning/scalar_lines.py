"""Replaces single texts on their lines in files of YAML that people own: every other byte stays as it is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hanbae import errors, subjects
from hanbae.charts import splicing
from hanbae.releases import objects


def replaced(text: str, path: str, nodes: Iterable[Any], value: str) -> str:
    """A file in which some texts are another one.

    Args:
        text: The file.
        path: Its path, for faults.
        nodes: The parser's nodes of the texts.
        value: What they become, quoted as they were.

    Raises:
        hanbae.errors.FileFault: One of them is on several lines, or has an anchor or a tag.
    """
    # This ends lines also at U+0085, U+2028 and U+2029, as libyaml does, whose marks count them.
    lines = text.splitlines(keepends=True)
    # An alias has the node of its anchor: what several places share is written once.
    by_place = {(node.start_mark.line, node.start_mark.column): node for node in nodes}
    # From the end, so that the marks of the texts in front still hold.
    for _, node in sorted(by_place.items(), key=lambda item: item[0], reverse=True):
        start, end = node.start_mark, node.end_mark
        place = subjects.Place(path, start.line + 1)
        if start.line != end.line or node.style in ("|", ">"):
            raise errors.FileFault("values.cannot-edit", place=place)
        line = lines[start.line]
        # The node begins at its anchor or tag, which a new value would take away.
        if line[start.column : start.column + 1] in ("&", "!"):
            raise errors.FileFault("values.anchored", place=place)
        token = splicing.token(value, style=node.style or None)
        lines[start.line] = line[: start.column] + token + line[end.column :]
    return "".join(lines)


def scalar(node: Any, pointer: objects.Pointer, path: str) -> Any:
    """The node of a text below another node.

    Args:
        node: The parser's node of a document.
        pointer: Where in it the text is.
        path: The file's path, for faults.

    Raises:
        hanbae.errors.FileFault: It is no text, or a key on the way is merged from elsewhere.
    """
    place = subjects.Place(path, node.start_mark.line + 1)
    for key in pointer:
        if node.id == "sequence" and isinstance(key, int):
            node = node.value[key]
        elif node.id == "mapping":
            node = next((value for name, value in node.value if name.value == key), None)
        else:
            node = None
        if node is None:
            raise errors.FileFault("values.cannot-edit", place=place)
    if node.id != "scalar":
        raise errors.FileFault("values.cannot-edit", place=place)
    return node
