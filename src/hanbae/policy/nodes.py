"""YAML as a tree in which every value knows its place.

The parser's own objects stop here.
A policy is foreign input when it comes from a branch, so the size, the number of nodes (aliases counted as often
as they are used, against "billion laughs") and the depth are limited, and only YAML's plain types exist: no tags,
no dates, no merge keys.
"""

from __future__ import annotations

from typing import Any, Final

from msgspec import Struct

from hanbae import errors, libyaml, patterns, subjects

LARGEST_FILE: Final = 1024 * 1024
"""Bytes; a policy of two hundred services has about 20 KiB."""

MOST_NODES: Final = 50_000
DEEPEST: Final = 50

# libyaml is of YAML 1.1: these end lines there, it takes tabs that YAML 1.2 does not, and tags are told otherwise.
_OTHERWISE: Final = patterns.lazy("[\\t\\x85\\u2028\\u2029]|!|[|>]#")

_TAG: Final = "tag:yaml.org,2002:"
# Text that YAML would make a date or bytes of: nothing in a policy is one, so it stays text.
_TEXT: Final = frozenset({"str", "timestamp", "binary"})


class Node(Struct, frozen=True):
    """One value.

    Attributes:
        path: Key path from the root, empty at the root.
        value: A scalar, a tuple of nodes, or a dict of key to :class:`Entry`.
        place: Where the value begins; for a mapping or list under a key, where the key is.
    """

    path: str
    value: Any
    place: subjects.Place


class Entry(Struct, frozen=True):
    """One key of a mapping: where it is, and its value."""

    place: subjects.Place
    node: Node


def read(data: bytes, name: str) -> Node:
    """Compose YAML to nodes.

    Args:
        data: UTF-8.
        name: How the file is called in places.

    Raises:
        errors.FileFault: Not one YAML document, or one beyond the limits.
    """
    if len(data) > LARGEST_FILE:
        limit = str(LARGEST_FILE // 1024)
        raise errors.FileFault("policy.too-large", place=subjects.Place(name), limit=limit)
    try:
        # Without the byte order mark that some editors put in front.
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise errors.FileFault("policy.not-utf8", place=subjects.Place(name, line)) from error
    composed = _compose(text, name)
    if composed is None:
        raise errors.FileFault("policy.empty-file", place=subjects.Place(name))
    return _Walk(name).node(composed, "", None, 0)


def places(node: Node) -> dict[str, subjects.Place]:
    """The place of every key path in a tree."""
    by_path = {node.path: node.place} if node.path else {}
    children: tuple[Node, ...] = ()
    if isinstance(node.value, dict):
        children = tuple(entry.node for entry in node.value.values())
    elif isinstance(node.value, tuple):
        children = node.value
    for child in children:
        by_path |= places(child)
    return by_path


def _compose(text: str, name: str) -> Any:
    try:
        if not _OTHERWISE.search(text):
            return libyaml.compose(text, tags="core")
        libyaml.check(text)
    except libyaml.Depth as fault:
        place = subjects.Place(name, fault.line, fault.column)
        raise errors.FileFault("policy.too-deep", place=place) from fault
    except libyaml.Excess as fault:
        place, limit = subjects.Place(name, fault.line, fault.column), str(MOST_NODES)
        raise errors.FileFault("policy.too-many-values", place=place, limit=limit) from fault
    except libyaml.Fault:
        pass
    # libyaml is many times faster; what it refuses is read again by ruamel, which has words and a
    # place for it.
    return _composed_slowly(text, name)


def _composed_slowly(text: str, name: str) -> Any:
    """By ruamel, which says better what is wrong."""
    from ruamel.yaml import YAML, error

    try:
        return YAML(typ="safe", pure=True).compose(text)
    except error.MarkedYAMLError as fault:
        mark = fault.problem_mark or fault.context_mark
        place = _place(name, mark) if mark else subjects.Place(name)
        problem = fault.problem or fault.context or type(fault).__name__
        # Not chained: the parser's own words may repeat a secret.
        raise errors.FileFault(
            "policy.syntax", place=place, problem=libyaml.withheld(problem)
        ) from None
    except error.YAMLError as fault:
        raise errors.FileFault(
            "policy.syntax", place=subjects.Place(name), problem=type(fault).__name__
        ) from fault
    except RecursionError as fault:
        raise errors.FileFault("policy.too-deep", place=subjects.Place(name)) from fault
    except (ValueError, TypeError, AttributeError, AssertionError) as fault:
        # The parser trips over some malformed directives and escapes with whatever comes first.
        raise errors.FileFault(
            "policy.syntax", place=subjects.Place(name), problem=type(fault).__name__
        ) from fault


def _place(name: str, mark: Any) -> subjects.Place:
    return subjects.Place(name, mark.line + 1, mark.column + 1)


class _Walk:
    """Turns the parser's nodes into ours, within the limits."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.count = 0

    def node(self, composed: Any, path: str, key: subjects.Place | None, depth: int) -> Node:
        place = _place(self.name, composed.start_mark)
        self.count += 1
        if self.count > MOST_NODES:
            raise errors.FileFault("policy.too-many-values", place=place, limit=str(MOST_NODES))
        if depth > DEEPEST:
            raise errors.FileFault("policy.too-deep", place=place)
        if composed.id == "mapping":
            return Node(path, self.mapping(composed, path, depth), key or place)
        if composed.id == "sequence":
            items = tuple(
                self.node(item, f"{path}[{index}]", None, depth + 1)
                for index, item in enumerate(composed.value)
            )
            return Node(path, items, key or place)
        return Node(path, self.scalar(composed, place), place)

    def mapping(self, composed: Any, path: str, depth: int) -> dict[str, Entry]:
        entries: dict[str, Entry] = {}
        for key, value in composed.value:
            place = _place(self.name, key.start_mark)
            if key.id != "scalar":
                raise errors.FileFault("policy.key-not-text", place=place)
            name = str(key.value)
            if name in entries:
                first = str(entries[name].place.line)
                raise errors.FileFault("policy.duplicate-key", place=place, key=name, line=first)
            below = f"{path}.{name}" if path else name
            entries[name] = Entry(place, self.node(value, below, place, depth + 1))
        return entries

    def scalar(self, composed: Any, place: subjects.Place) -> Any:
        tag, text = str(composed.tag).removeprefix(_TAG), str(composed.value)
        if tag in _TEXT:
            return text
        if tag == "null":
            return None
        if tag == "bool":
            return text.lower() == "true"
        try:
            if tag == "int":
                return int(text.replace("_", ""), 0)
            if tag == "float":
                return float(text.replace("_", ""))
        except ValueError:
            # Such as 017 or .inf: never a number of a policy, so `conforming` refuses the text in its place.
            return text
        raise errors.FileFault("policy.tag", place=place, tag=str(composed.tag))
