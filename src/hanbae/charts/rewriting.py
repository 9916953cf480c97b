"""Plain scalars that are another text once YAML and Helm have read them: ``0644``, ``1.10``, ``yes``, ``10485760``.

YAML makes a number or a truth of them (YAML 1.1, as Helm reads values), JSON makes every number a double, and a
template writes that number as Go does. Where the text was meant, something else reaches the cluster.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any, Final

from msgspec import Struct

from hanbae import libyaml, patterns

_SMALL: Final = -4
_LARGEST: Final = 5
"""Powers of ten between which Go's ``%v`` writes a double without an exponent: a whole number up to six digits."""
_TRUE: Final = frozenset({"y", "Y", "yes", "Yes", "YES", "on", "On", "ON"})
_FALSE: Final = frozenset({"n", "N", "no", "No", "NO", "off", "Off", "OFF"})
# What a value may look like that is not itself afterwards; most files have none, and are not parsed.
# A colon or dash that no space follows is part of a text, as in `app:1.10` and `app-1.10`; but behind a quote, or a
# bracket, it has a value: `{"a":0644}`.
_SUSPECT: Final = patterns.lazy(
    r"(?m)[:,\[-](?:(?=\s)|(?<=[,\[])|(?<=\W:))"
    r"\s*(?:[+-]?(?:0[0-9_]+|0[xXoObB]\w+|\d[\d_]*\.(?:\d*0)?|\d{7,}(?:\.\d*)?"
    r"|\d[\d_]*(?:\.\d*)?[eE][+-]?\d+|\d+_[\d_]*|0?\.0000\d+|\.\d+)|\+[\d_]+|-0"
    r"|[yY](?:es|ES)?|[nN][oO]?|[oO](?:n|N|ff|FF))(?=[ \t\r]*(?:$|[,\]}#]))"
)
_WHOLE: Final = patterns.lazy(
    r"[+-]?(?:0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO][0-7]+|0[0-7]*|[1-9][0-9]*)"
)
_REAL: Final = patterns.lazy(r"[+-]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][+-]?[0-9]+)?")


class Scalar(Struct, frozen=True):
    """A value that is written one way and read another.

    Attributes:
        source: Its text in the file.
        forms: The texts that a template may make of it.
        line: Its line, counted from 1.
        start: Its first character in the file.
    """

    source: str
    forms: tuple[str, ...]
    line: int
    start: int


def scalars(text: str) -> tuple[Scalar, ...]:
    """Such values of a file; none of what is not YAML.

    Args:
        text: The file, without a byte order mark.
    """
    if not _SUSPECT.search(text) or text.count("\n") > libyaml.MOST_LINES:
        return ()
    try:
        root = libyaml.compose(text, tags="none")
    except libyaml.Fault:
        return ()
    return tuple(_walk(root, text)) if root is not None else ()


def quoted(text: str, values: Iterable[Scalar]) -> str:
    """The file with some of its values quoted, so that each is the text that it is written as.

    Args:
        text: The file.
        values: The values.
    """
    # From the end, so that the places of those before stay what they are.
    for scalar in sorted(values, key=lambda item: -item.start):
        end = scalar.start + len(scalar.source)
        text = text[: scalar.start] + json.dumps(scalar.source) + text[end:]
    return text


def forms(source: str) -> tuple[str, ...]:
    """The other texts that a template may make of a plain scalar; none where it stays what it is.

    Args:
        source: The scalar.
    """
    if source in _TRUE or source in _FALSE:
        return ("true" if source in _TRUE else "false",)
    plain = source.replace("_", "")
    if _WHOLE.fullmatch(plain):
        number = Decimal(_whole(plain))
    elif _REAL.fullmatch(plain):
        number = Decimal(repr(float(plain)))
        if not number.is_finite():
            return ()
    else:
        return ()
    texts = {_by_go(number), _by_json(number)} - {source}
    return tuple(sorted(texts))


def _whole(plain: str) -> int:
    digits = plain.lstrip("+-")
    sign = -1 if plain.startswith("-") else 1
    if len(digits) > 1 and digits[0] == "0" and digits[1].isdigit():
        return sign * int(digits, 8)
    return sign * int(digits, 0)


def _by_go(number: Decimal) -> str:
    """As Go's ``%v`` writes a double."""
    number = Decimal(repr(float(number))).normalize()
    sign, digits, exponent = number.as_tuple()
    point = len(digits) + int(exponent) - 1
    if number and not _SMALL <= point <= _LARGEST:
        return _with_exponent(sign, digits, point)
    return _by_json(number)


def _with_exponent(sign: int, digits: tuple[int, ...], point: int) -> str:
    text = "".join(map(str, digits))
    mantissa = text[0] + (f".{text[1:]}" if len(text) > 1 else "")
    return f"{'-' if sign else ''}{mantissa}e{'-' if point < 0 else '+'}{abs(point):02d}"


def _by_json(number: Decimal) -> str:
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _walk(root: Any, text: str) -> Iterator[Scalar]:
    """The values below a node, each once."""
    waiting, met = [root], set()
    while waiting:
        node = waiting.pop()
        if id(node) in met:
            continue
        met.add(id(node))
        if node.id == "mapping":
            waiting += [value for _, value in node.value]
        elif node.id == "sequence":
            waiting += node.value
        elif not node.style:
            start, source = node.start_mark.index, node.value
            other = forms(source)
            # A scalar that is folded over several lines does not stand in the file as it is read.
            if other and text[start : start + len(source)] == source:
                yield Scalar(source, other, node.start_mark.line + 1, start)
