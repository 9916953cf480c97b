"""Whether values surely satisfy a ``values.schema.json``: Helm's own answer, without the time that Helm takes for it.

Helm compiles the schema anew for every release, which takes longer than all templates together.
So the plain parts of JSON Schema are decided here, and only with yes: whatever is not plain, or does not hold, is
left to Helm, which then says so in its own words.

Pure functions: this runs in the disposable worker.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any

_Check = Callable[[Any], bool]
_DIALECT = re.compile(r"https?://json-schema\.org/draft-07/schema#?")
_SAYS = frozenset({"title", "description", "$comment"})
# Nothing that regular expressions of Go and Python read differently; \d and \w, for example, are others in Unicode.
_PATTERN = re.compile(
    r"\^(?:[A-Za-z0-9_:/,@%= -]|\[\^?[A-Za-z0-9_.:/,@%=+ -]+\]|\\\.|[.()*+?]|\{\d{1,3}(?:,\d{0,3})?\})*\$?"
)
# A repeated group, or many repetitions, can take Python for ever, and Go no time: each multiplies the ways to try.
_SLOW = re.compile(r"\)[*+{]|(?:[*+?]|\}).*(?:[*+?]|\}).*(?:[*+?]|\}).*(?:[*+?]|\})")
_LONGEST = 256
_TYPES: dict[str, _Check] = {
    "object": lambda value: isinstance(value, dict),
    "array": lambda value: isinstance(value, list),
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "number": lambda value: _is_number(value),  # noqa: PLW0108  it is defined below
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
}


class _Unsure(Exception):
    """Something that is left to Helm."""


def surely_holds(schema: bytes, values: Any) -> bool:
    """Whether values satisfy a schema; False where that is not certain.

    Args:
        schema: The content of ``values.schema.json``.
        values: The merged values, as JSON has them.
    """
    try:
        return _compiled(schema)(values)
    except (_Unsure, RecursionError):
        return False


@lru_cache(maxsize=32)
def _compiled(schema: bytes) -> _Check:
    try:
        root = json.loads(schema)
    except ValueError as error:
        raise _Unsure from error
    if not isinstance(root, dict) or not _DIALECT.fullmatch(str(root.pop("$schema", ""))):
        raise _Unsure
    definitions = root.pop("definitions", {})
    if not isinstance(definitions, dict):
        raise _Unsure
    known: dict[str, _Check] = {}
    for name, each in definitions.items():
        known[f"#/definitions/{name}"] = _check(each, known)
    return _check(root, known)


def _check(schema: Any, known: dict[str, _Check]) -> _Check:
    if not isinstance(schema, dict):
        raise _Unsure
    if "$ref" in schema:
        # Of a definition before it only, so that none refers to itself; other keys would count for nothing.
        if set(schema) - _SAYS != {"$ref"} or schema["$ref"] not in known:
            raise _Unsure
        return known[schema["$ref"]]
    checks = []
    for key, value in schema.items():
        if key in _KEYWORDS:
            checks.append(_KEYWORDS[key](value, schema, known))
        elif key not in _SAYS or not isinstance(value, str):
            raise _Unsure
    return lambda value: all(check(value) for check in checks)


def _type(names: Any, *_: Any) -> _Check:
    listed = names if isinstance(names, list) else [names]
    if not listed or not all(isinstance(n, str) and n in _TYPES for n in listed):
        raise _Unsure
    if len(set(listed)) != len(listed):
        raise _Unsure
    checks = [_TYPES[name] for name in listed]
    return lambda value: any(check(value) for check in checks)


def _properties(given: Any, _: Any, known: dict[str, _Check]) -> _Check:
    if not isinstance(given, dict):
        raise _Unsure
    checks = {name: _check(each, known) for name, each in given.items()}
    return lambda value: (
        not isinstance(value, dict)
        or all(check(value[name]) for name, check in checks.items() if name in value)
    )


def _additional(given: Any, schema: dict[str, Any], known: dict[str, _Check]) -> _Check:
    names = frozenset(schema.get("properties", ()))
    if given is False:
        return lambda value: not isinstance(value, dict) or value.keys() <= names
    if given is True:
        return lambda _: True
    check = _check(given, known)
    return lambda value: (
        not isinstance(value, dict)
        or all(check(each) for name, each in value.items() if name not in names)
    )


def _names(given: Any, _: Any, known: dict[str, _Check]) -> _Check:
    check = _check(given, known)
    return lambda value: not isinstance(value, dict) or all(map(check, value))


def _required(given: Any, *_: Any) -> _Check:
    if not isinstance(given, list) or not all(isinstance(name, str) for name in given):
        raise _Unsure
    if len(set(given)) != len(given):
        raise _Unsure
    names = frozenset(given)
    return lambda value: not isinstance(value, dict) or names <= value.keys()


def _items(given: Any, _: Any, known: dict[str, _Check]) -> _Check:
    check = _check(given, known)
    return lambda value: not isinstance(value, list) or all(map(check, value))


def _enum(given: Any, *_: Any) -> _Check:
    if not isinstance(given, list) or not given or not all(isinstance(g, str) for g in given):
        raise _Unsure
    if len(set(given)) != len(given):
        raise _Unsure
    return lambda value: isinstance(value, str) and value in given


def _const(given: Any, *_: Any) -> _Check:
    return _enum([given])


def _pattern(given: Any, *_: Any) -> _Check:
    if not isinstance(given, str) or not _PATTERN.fullmatch(given) or _SLOW.search(given):
        raise _Unsure
    try:
        pattern = re.compile(given[1:].removesuffix("$"))
    except re.error as error:
        raise _Unsure from error
    match = pattern.fullmatch if given.endswith("$") else pattern.match
    return lambda value: (
        not isinstance(value, str) or (len(value) < _LONGEST and match(value) is not None)
    )


def _length(compare: Callable[[int, int], bool]) -> Callable[..., _Check]:
    def make(given: Any, *_: Any) -> _Check:
        if not isinstance(given, int) or isinstance(given, bool) or given < 0:
            raise _Unsure
        return lambda value: not isinstance(value, str) or compare(len(value), given)

    return make


def _bound(compare: Callable[[float, float], bool]) -> Callable[..., _Check]:
    def make(given: Any, *_: Any) -> _Check:
        if not isinstance(given, int) or isinstance(given, bool):
            raise _Unsure
        return lambda value: not _is_number(value) or compare(value, given)

    return make


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_KEYWORDS: dict[str, Callable[..., _Check]] = {
    "type": _type,
    "properties": _properties,
    "additionalProperties": _additional,
    "propertyNames": _names,
    "required": _required,
    "items": _items,
    "enum": _enum,
    "const": _const,
    "pattern": _pattern,
    "minLength": _length(lambda have, wanted: have >= wanted),
    "maxLength": _length(lambda have, wanted: have <= wanted),
    "minimum": _bound(lambda have, wanted: have >= wanted),
    "maximum": _bound(lambda have, wanted: have <= wanted),
    "exclusiveMinimum": _bound(lambda have, wanted: have > wanted),
    "exclusiveMaximum": _bound(lambda have, wanted: have < wanted),
}
