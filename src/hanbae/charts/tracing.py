"""Where in a template, or in a values file, a part of a rendered object comes from.

Helm keeps no track of that, so the templates are rendered once more with each line's number in a comment at its end.
A comment changes nothing in YAML, mostly: inside a block scalar it would be text, and behind an action that trims it
would join what comes before.
Such lines get none, and in the end the objects must be the same as without the comments; where they are not, only the
template is told.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, Final

from msgspec import Struct

from hanbae import libyaml, patterns

Pointer = tuple[str | int, ...]

# YAML takes `#` for the beginning of a comment only behind white space.
_MARK: Final = " #@@"
_MARKED: Final = patterns.lazy(r" #@@(\d+)\s*$")
# What ends a line of YAML, and is counted as one by whoever reads it.
_BREAK: Final = patterns.lazy("\r\n|[\r\n\x85\u2028\u2029]")
_ACCEPTING: Final = patterns.lazy(r"(?<=\s)#\s*hanbae:\s*ignore\b")
_CONTROL: Final = patterns.lazy(
    r"\{\{-?\s*(?:if|else|end|range|with|define|block|break|continue|/\*|\$\w+\s*:?=)", re.DOTALL
)
_DEFINE: Final = patterns.lazy(r"\{\{-?\s*(?:define|block)\b")
_OPENS: Final = patterns.lazy(r"\{\{-?\s*(?:define|block|if|range|with)\b")
_ENDS: Final = patterns.lazy(r"\{\{-?\s*end\s*-?\}\}")
_BLOCK: Final = patterns.lazy(r"(?:^|[:\-]\s+)[|>][-+0-9]*\s*$")
_VALUE: Final = patterns.lazy(r"\.Values((?:\.[A-Za-z_][A-Za-z0-9_-]*)+)")
_NAMED: Final = patterns.lazy(
    r"\{\{-?\s*define\s+\"([^\"]+)\"\s*-?\}\}(.*?)(?=\{\{-?\s*define\s+\"|\Z)", re.DOTALL
)
_INCLUDES: Final = patterns.lazy(r"\b(?:include|template)\s+\"([^\"]+)\"")
_SCOPE: Final = patterns.lazy(r"\{\{-?\s*(?:(if|range|with|define|block|end)\b)([^}]*)")
_WITH: Final = patterns.lazy(r"\s*\$?\.Values((?:\.[A-Za-z_][A-Za-z0-9_-]*)+)\s*-?$")
_DOT: Final = patterns.lazy(r"(?<![\w)\].$])\.(?![\w])")
_DEEPEST: Final = 100
_NULLS: Final = ("", "~", "null", "Null", "NULL")


class NumberedText:
    """What a numbered template rendered to: divided and parsed once, for all the parts that are looked for in it.

    Args:
        text: The text.

    Attributes:
        rows: Its lines.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self.rows = _BREAK.split(text)

    def document(self, index: int) -> Any:
        """One of its documents as PyYAML's node, empty ones not counted; None where there is none."""
        return self._documents[index] if index < len(self._documents) else None

    @cached_property
    def _documents(self) -> list[Any]:
        try:
            # Keys and places are looked at, no types.
            nodes = list(libyaml.compose_all(self._text, tags="none"))
        except libyaml.Fault:
            return []
        return [node for node in nodes if not _is_empty(node)]


def _is_empty(node: Any) -> bool:
    """Whether the renderer counts a document for none: it holds nothing, or nothing but ``null`` or ``{}``."""
    if node.id == "scalar":
        return node.value in _NULLS and not node.style
    return node.id == "mapping" and not node.value


class Origin(Struct, frozen=True):
    """Where a part of an object comes from.

    Attributes:
        line: The template's line; 0 where only the template is known.
        literal: Whether that line says it as it is, without any action.
        values: The path of the values that the line refers to, such as ``("image", "tag")``; of several, or of those
            in a named template that it includes, what they have in common, such as ``("image",)``; empty for nothing.
        reached: How much of the pointer is there: a missing part is told by what is around it.
    """

    line: int = 0
    literal: bool = False
    values: tuple[str, ...] = ()
    reached: Pointer = ()


def numbered(template: str) -> str:
    """A template with its line numbers in comments, where that does no harm."""
    lines = template.split("\n")
    # A comment that accepts a finding must not be what hides the line that it stands in.
    bare = [_without_acceptance(line) for line in lines]
    return "\n".join(
        _marked(without, number) if safe else line
        for number, (line, without, safe) in enumerate(
            zip(lines, bare, _safe(bare), strict=True), 1
        )
    )


def _marked(line: str, number: int) -> str:
    """A line with its number at its end, before a carriage return: that alone would end the line."""
    text = line.removesuffix("\r")
    return f"{text}{_MARK}{number}{line[len(text) :]}"


def _without_acceptance(line: str) -> str:
    """A line without a comment at its end that accepts a finding; one that an action makes stays."""
    # A pattern that begins with \\s+ or ends with [^{}]*$ would look at a long line once for each place to begin at.
    tail = max(line.rfind("{"), line.rfind("}")) + 1
    comment = _ACCEPTING.search(line, tail)
    return line if comment is None else line[: comment.start()].rstrip()


def _actions(text: str) -> list[str]:
    """The actions in a text, ``{{`` to the next ``}}``."""
    actions, _ = _divided(text)
    return actions


def _without_actions(text: str) -> str:
    """A text without its actions."""
    _, outside = _divided(text)
    return "".join(outside)


def _divided(text: str) -> tuple[list[str], list[str]]:
    """The actions in a text, and what is around them; searched for, because a pattern is slow over many ``{{``."""
    actions, outside, end = [], [], 0
    while (start := text.find("{{", end)) >= 0 and (close := text.find("}}", start + 2)) >= 0:
        outside.append(text[end:start])
        end = close + 2
        actions.append(text[start:end])
    return actions, [*outside, text[end:]]


def _safe(lines: list[str]) -> Iterator[bool]:
    """For each line, whether a comment may be put behind it."""
    inside_action = False
    block: int | None = None  # indentation of the line that begins a block scalar
    defining = 0
    for line in lines:
        text = line.strip()
        indent = len(line) - len(line.lstrip())
        starts_inside = inside_action
        inside_action = line.rfind("{{") > line.rfind("}}") or (inside_action and "}}" not in line)
        # What a named template writes may be included in the middle of a line.
        if defining or _DEFINE.search(line):
            defining += len(_OPENS.findall(line)) - len(_ENDS.findall(line))
            yield False
            continue
        # An action further left, as control structures mostly are, does not end a block scalar.
        if block is not None and text and indent <= block and not text.startswith("{{"):
            block = None
        if block is not None or starts_inside or inside_action:
            yield False
            continue
        if _BLOCK.search(_without_actions(line)) and not text.startswith("{{"):
            block = indent
        yield bool(text) and not text.startswith("#") and _emits(text)


def _emits(text: str) -> bool:
    """Whether a line writes YAML, and does not trim what would come after it."""
    if text.endswith("-}}") or text.startswith("---"):
        return False
    actions = _actions(text)
    outside = _without_actions(text).strip()
    if not outside:
        return any(not _CONTROL.match(action) for action in actions)
    return "#" not in outside


def named(templates: Iterable[str]) -> dict[str, str]:
    """The named templates of a chart, by name.

    Args:
        templates: The texts of the chart's templates, those that only define included.
    """
    return {match[1]: match[2] for text in templates for match in _NAMED.finditer(text)}


def trace(
    template: str,
    numbered_text: NumberedText,
    document: int,
    pointer: Pointer,
    defines: Mapping[str, str] | None = None,
) -> Origin:
    """Where a part of an object comes from.

    Args:
        template: The template's own text.
        numbered_text: What the numbered template rendered to.
        document: Which of its documents the object is, empty ones not counted.
        pointer: The part.
        defines: The chart's named templates.
    """
    node = numbered_text.document(document)
    if node is None:
        return Origin()
    row, reached = _row(node, pointer)
    source = template.split("\n")
    line = _line(numbered_text.rows, row, source)
    if not 1 <= line <= len(source):
        return Origin(reached=reached)
    text = source[line - 1]
    return Origin(line, "{{" not in text, _values(source, line, defines or {}), reached)


def _values(source: list[str], line: int, defines: Mapping[str, str]) -> tuple[str, ...]:
    """What the values that a line refers to have in common."""
    text = source[line - 1]
    for name in _INCLUDES.findall(text):
        text += defines.get(name, "")
    paths = [tuple(match[1:].split(".")) for match in _VALUE.findall(text)]
    if not paths and any(_DOT.search(action) for action in _actions(text)):
        around = _around(source, line)
        return around or ()
    common = paths[0] if paths else ()
    for path in paths[1:]:
        both = zip(common, path, strict=False)
        common = tuple(
            part for part, _ in itertools.takewhile(lambda pair: pair[0] == pair[1], both)
        )
    return common


def _around(source: list[str], line: int) -> tuple[str, ...] | None:
    """The values that ``.`` stands for in a line: those of the ``with`` around it, if that names them."""
    open_: list[tuple[str, ...] | None] = []
    for match in _SCOPE.finditer("\n".join(source[: line - 1])):
        word, rest = match[1], match[2]
        if word == "end":
            del open_[-1:]
            continue
        path = _WITH.match(rest) if word == "with" else None
        # An `if` changes nothing about what `.` is.
        inherited = open_[-1] if open_ and word == "if" else None
        open_.append(tuple(path[1][1:].split(".")) if path else inherited)
    return open_[-1] if open_ else None


def _row(node: Any, pointer: Pointer) -> tuple[int, Pointer]:
    """The row, counted from 0, of the nearest part that is there, and how much of the pointer that is."""
    row, reached = node.start_mark.line, []
    for part in pointer[:_DEEPEST]:
        if node.id == "mapping":
            entry = next(((k, v) for k, v in node.value if k.value == str(part)), None)
            if entry is None:
                break
            row, node = entry[0].start_mark.line, entry[1]
        elif node.id == "sequence" and isinstance(part, int):
            if part >= len(node.value):
                break
            node = node.value[part]
            row = node.start_mark.line
        else:
            break
        reached.append(part)
    return row, tuple(reached)


def _line(rendered: list[str], row: int, source: list[str]) -> int:
    """The template's line of a rendered row.

    A row without a number was written by an action of several rows, whose last row has the number.
    """
    for row_above in range(row, len(rendered)):
        mark = _MARKED.search(rendered[row_above])
        if mark:
            line = int(mark[1])
            if row_above == row or (line <= len(source) and "{{" in source[line - 1]):
                return line
            break
    for row_above in range(row, -1, -1):
        mark = _MARKED.search(rendered[row_above])
        if mark:
            return int(mark[1])
    return 0


def value_keys(origin: Origin, pointer: Pointer, places: Mapping[Pointer, Any]) -> Pointer | None:
    """The keys in a values file that make a part of an object; None where they cannot be told.

    Args:
        origin: Where the part comes from.
        pointer: The part.
        places: What the values file has.
    """
    if not origin.values:
        return None
    part = tuple(pointer[: len(origin.reached)])
    # `toYaml .Values.resources` goes on with the keys that the values file has. How many keys of
    # the pointer the template itself has written is not known, so that each number is tried.
    for cut in range(len(part) + 1):
        keys = (*origin.values, *part[cut:])
        if keys in places:
            return keys
    return None
