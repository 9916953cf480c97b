"""JSON of which nobody knows who wrote it: what cannot be read is one kind of fault, whatever the library makes of it.

msgspec counts no levels and lets Python's own bound end it, with an exception that has nothing to do with JSON, and
from Python 3.12 on ten times as deep as functions in Python can follow; the standard library takes half of a surrogate
pair for a letter, which then can be written nowhere.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import re
from typing import Any, Final, TypeVar, overload

import msgspec

from hanbae import patterns

DEEPEST: Final = 250
"""Levels of a file of a checkout, as of one in YAML (:mod:`hanbae.yaml_bounds`)."""
_MOST_LEVELS: Final = 900
"""Levels of any text; what people and programs write has some dozens."""
_T = TypeVar("_T")
_STEPS: Final = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
"""Turns what begins a level into 1, and what ends one into -1."""
_OTHERS: Final = bytes(code for code in range(256) if code not in b"[{]}")
# A step for each escape and not for each letter, of which each would be remembered.
_TEXT: Final = patterns.lazy(rb'"[^"\\]*(?:\\.[^"\\]*)*"?', re.DOTALL)
_DIGITS_ALONE: Final = bytes(ord("0" if chr(code) in "0123456789" else " ") for code in range(256))
"""Turns each digit into 0, and all else into space."""
_LONG: Final = b"0" * 19
"""As many digits as a whole number of more than 64 bits has."""
_BEHIND_WHOLE: Final = b",]} \t\r\n"
"""What may follow a whole number."""
_LONGEST: Final = 20
"""Characters of the longest whole number of 64 bits."""


class Fault(ValueError):
    """A text that is no JSON, goes too deep, or is not of the type that was asked for."""


@overload
def decode(data: bytes | str) -> Any: ...
@overload
def decode(data: bytes | str, kind: type[_T]) -> _T: ...
def decode(data: bytes | str, kind: Any = Any) -> Any:
    """The value that a text stands for.

    Args:
        data: The text, UTF-8.
        kind: The type that the value must have, as for `msgspec.json.decode`.

    Raises:
        Fault: It stands for none, or not for one of this type.
    """
    try:
        # What was kept raw of another text is bytes by another name.
        stored = data.encode() if isinstance(data, str) else bytes(data)
        if _goes_beyond(_MOST_LEVELS, stored):
            raise Fault("too many levels")
        decoded = msgspec.json.decode(data, type=kind)
        # Hardly any text has such a number, so hardly any is read twice.
        return decoded if not _has_long_number(stored) else _bounded(data, kind, decoded)
    except RecursionError:
        raise Fault("too many levels") from None
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise Fault(str(error)) from error


def shallow(data: bytes | str) -> Any:
    """The value that a text of a checkout stands for: whoever walks through it calls himself once a level and more.

    Args:
        data: The text, UTF-8.

    Raises:
        Fault: It stands for none, or goes deeper than `DEEPEST`.
    """
    value = decode(data)
    if _goes_beyond(DEEPEST, data.encode() if isinstance(data, str) else data):
        raise Fault(f"more than {DEEPEST} levels")
    return value


def _goes_beyond(levels: int, stored: bytes) -> bool:
    # A bracket within a text may only seem to begin a level.
    return _depth(stored, levels) > levels and _depth(_TEXT.sub(b"", stored), levels) > levels


def _depth(stored: bytes, levels: int) -> int:
    """The most brackets that are open in one place, or how many there are where they are no more than some levels."""
    steps = stored.translate(_STEPS, _OTHERS)
    begun = steps.count(b"\x01")
    return begun if begun <= levels else max(itertools.accumulate(memoryview(steps).cast("b")))


def _has_long_number(stored: bytes) -> bool:
    digits = stored.translate(_DIGITS_ALONE)
    begin = digits.find(_LONG)
    while begin >= 0:
        end = digits.find(b" ", begin)
        # Digits with anything else behind them are part of a text, such as those of a digest, or of a fraction.
        if end < 0 or stored[end] in _BEHIND_WHOLE:
            return True
        begin = digits.find(_LONG, end)
    return False


def _bounded(data: bytes | str, kind: Any, decoded: Any) -> Any:
    """A value in which no whole number has more than 64 bits: msgspec reads those, and writes them nowhere.

    It has seen that the text is JSON; what it keeps raw is left as it is.
    """
    # What has raw parts cannot be made of Python's objects, and json.loads takes no raw text:
    # in both cases what msgspec has read is kept.
    with contextlib.suppress(msgspec.ValidationError, TypeError):
        return msgspec.convert(json.loads(data, parse_int=_whole), kind, str_keys=True)
    return decoded


def _whole(digits: str) -> int | float:
    """A whole number, or the nearest that a computer counts to, as Go, Java and JavaScript read it.

    Raises:
        Fault: There is none: it is as far out of range as ``1e999`` is.
    """
    # Beyond that length int() takes quadratic time, and refuses more than 4300 digits.
    number = int(digits) if len(digits) <= _LONGEST else float(digits)
    if math.isinf(number):
        raise Fault("number out of range")
    return number if -(1 << 63) <= number < 1 << 64 else float(number)


def mapping(data: bytes | str) -> dict[str, Any]:
    """The object that a text stands for; empty where it stands for none."""
    try:
        return decode(data, dict[str, Any])
    except Fault:
        return {}


def mappings(value: Any) -> list[dict[str, Any]]:
    """The objects in a list; none of what is no list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def texts(value: Any) -> list[str]:
    """The texts in a list; none of what is no list."""
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def number(value: Any, otherwise: int) -> int:
    """A whole number, or another one where it is none."""
    return value if isinstance(value, int) else otherwise


def below(value: Any, *path: str) -> dict[str, Any]:
    """The object at a path of keys; empty where there is none."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}
