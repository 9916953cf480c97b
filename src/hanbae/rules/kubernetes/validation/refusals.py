"""What the API server refuses of an object although each field is right by itself, as data."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Literal

from msgspec import Struct

from hanbae.apis import quantities
from hanbae.rules.kubernetes import shapes

Pointer = tuple[str | int, ...]
Variant = Literal["beside", "both-zero", "invalid", "missing", "over-limit", "repeated"]
Refusals = Iterator["Refusal"]
Validation = Callable[[Mapping[str, Any], Pointer], Refusals]
"""Given a part of an object and where that is."""

MOST: Final = 20
"""Refusals of one object that are reported; a template in a loop can make hundreds of the same kind."""


class Refusal(Struct, frozen=True):
    """One reason for which the API server refuses an object.

    Attributes:
        pointer: The field at fault.
        variant: Which sentence says it.
        facts: What goes into the sentence.
    """

    pointer: Pointer
    variant: Variant
    facts: dict[str, str]


def beside(pointer: Pointer, other: str) -> Refusal:
    """A field that may not be there together with another one, or with a value of it."""
    return Refusal(pointer, "beside", {"field": shapes.shown(pointer), "other": other})


def missing(pointer: Pointer, name: str, because: str) -> Refusal:
    """A field that something else of the object asks for."""
    facts = {"field": shapes.shown((*pointer, name)), "because": because}
    return Refusal(pointer, "missing", facts)


def repeated(pointer: Pointer, value: object) -> Refusal:
    """A value that must be unique in its list."""
    return Refusal(pointer, "repeated", {"field": shapes.shown(pointer), "value": str(value)})


def invalid(pointer: Pointer, value: object, expected: str) -> Refusal:
    """A value that is not allowed, here or at all."""
    facts = {"field": shapes.shown(pointer), "value": str(value), "expected": expected}
    return Refusal(pointer, "invalid", facts)


def exclusive(part: Mapping[str, Any], pointer: Pointer, *names: str) -> Refusals:
    """At most one of several fields may be given."""
    present = [name for name in names if part.get(name) not in (None, "", [], {})]
    for name in present[1:]:
        yield beside((*pointer, name), present[0])


def unique(entries: Any, pointer: Pointer, *names: str) -> Refusals:
    """No two entries of a list may be the same in these fields; entries without the first are passed over."""
    before: set[tuple[str, ...]] = set()
    for index, entry in shapes.entries(entries):
        if entry.get(names[0]) in (None, ""):
            continue
        key = tuple(str(entry.get(name) or "") for name in names)
        if key in before:
            yield repeated((*pointer, index, names[0]), "/".join(part for part in key if part))
        before.add(key)


def exceeds(request: Any, limit: Any) -> bool:
    """Whether a quantity is above another; False where either is no quantity."""
    first, second = quantities.quantity(request), quantities.quantity(limit)
    return first is not None and second is not None and first > second


def is_zero(value: Any) -> bool:
    """Whether a number or a percentage of pods is none at all."""
    # To Python, False equals 0.
    return value in (0, "0%", "0") and value is not False
