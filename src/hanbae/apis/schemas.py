"""Holds objects against the schemas of their kinds, as strictly as ``kubectl apply --validate=strict`` would.

Validators are compiled when a kind is first seen and kept; an object then takes microseconds.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec
from msgspec import Struct

from hanbae.apis import crds, serving

if TYPE_CHECKING:
    import jsonschema_rs

Pointer = tuple[str | int, ...]

_MOST: Final = 20
"""Problems of one object that are told; a wrong indentation can make hundreds."""
_LARGEST_PATTERN: Final = 1 << 20


class Problem(Struct, frozen=True):
    """One thing that the API server would refuse.

    Attributes:
        pointer: The part of the object; of a missing field, what it is missing in.
        keyword: What is wrong: ``unknown``, ``required``, ``type``, ``enum``, ``pattern``, ``range``, ``format`` or
            ``other``.
        name: The field that is unknown or missing.
        expected: What would be right: types, values, a pattern or a bound; empty where no few words say it.
        fields: The fields that may stand there, of an unknown one.
    """

    pointer: Pointer
    keyword: str
    name: str = ""
    expected: str = ""
    fields: tuple[str, ...] = ()


class Schema:
    """The schema of one kind.

    Args:
        schema: A JSON Schema, complete in itself.
    """

    def __init__(self, schema: dict[str, Any]) -> None:
        import jsonschema_rs as rs

        self._schema = schema
        self._validator: jsonschema_rs.Draft202012Validator = rs.Draft202012Validator(
            schema,
            # Patterns of foreign definitions are run in linear time.
            pattern_options=rs.RegexOptions(size_limit=_LARGEST_PATTERN),
            validate_formats=True,
            formats={"byte": _is_base64},
        )

    def problems(self, data: dict[str, Any]) -> list[Problem]:
        """What is wrong with an object; usually nothing."""
        try:
            if self._validator.is_valid(data):
                return []
            # A field that is null is to the API server one that is not there.
            without_nulls = _without_nulls(data)
            problems = []
            for error in self._validator.iter_errors(without_nulls):
                problems += self._problems(error)
                if len(problems) >= _MOST:
                    break
        except (ValueError, RecursionError, OverflowError) as error:
            # What JSON cannot say: keys that are no text, numbers without end, nesting without end.
            return [Problem((), "other", expected=type(error).__name__)]
        return problems[:_MOST]

    def _problems(self, error: jsonschema_rs.ValidationError) -> list[Problem]:
        pointer, path, kind = tuple(error.instance_path), error.schema_path, cast("Any", error.kind)
        # The value itself is never told: it may be a secret.
        match kind.name:
            case "additionalProperties":
                fields = self._fields(path)
                return [
                    Problem((*pointer, name), "unknown", name, fields=fields)
                    for name in kind.unexpected
                ]
            case "falseSchema":  # the same where there are no fields at all
                return [Problem(pointer, "unknown", str(pointer[-1]) if pointer else "")]
            case "required":
                return [Problem(pointer, "required", str(kind.property))]
            case name:
                keyword, expected = self._expectation(name, kind, path)
                return [Problem(pointer, keyword, expected=expected)]

    def _expectation(self, name: str, kind: Any, path: list[str | int]) -> tuple[str, str]:
        """What is wrong with a value, and what would be right."""
        match name:
            case "type":
                problem = "type", ", ".join(kind.types)
            case "enum":
                options = kind.options if isinstance(kind.options, list) else []
                problem = "enum", ", ".join(str(option) for option in options if option)
            case "pattern":
                problem = "pattern", str(kind.pattern)
            case "propertyNames":
                problem = "pattern", self._value(path, "pattern")
            case "format":
                problem = "format", str(kind.format)
            case _ if name in _RANGES:
                problem = "range", f"{_RANGES[name]} {getattr(kind, 'limit', '')}"
            case _:
                problem = "other", self._choices(path)
        return problem

    def _part(self, path: list[str | int]) -> Any:
        part: Any = self._schema
        for key in path:
            part = part[key]
        return part

    def _fields(self, path: list[str | int]) -> tuple[str, ...]:
        try:
            return tuple(self._part(path[:-1]).get("properties", ()))
        except (KeyError, IndexError, TypeError, AttributeError):
            return ()

    def _value(self, path: list[str | int], key: str) -> str:
        try:
            return str(self._part(path).get(key, ""))
        except (KeyError, IndexError, TypeError, AttributeError):
            return ""

    def _choices(self, path: list[str | int]) -> str:
        """The fields of which just one may be there, where a ``oneOf`` says no more than that."""
        try:
            names = [choice["required"][0] for choice in self._part(path)]
        except (KeyError, IndexError, TypeError, AttributeError):
            return str(path[-1]) if path else ""
        return " | ".join(names)


_RANGES: Final[Mapping[str, str]] = {
    "minimum": ">=",
    "exclusiveMinimum": ">",
    "maximum": "<=",
    "exclusiveMaximum": "<",
    "minLength": "length >=",
    "maxLength": "length <=",
    "minItems": "items >=",
    "maxItems": "items <=",
    "minProperties": "fields >=",
    "maxProperties": "fields <=",
}


@cache
def of(version: str, api_version: str, kind: str) -> Schema | None:
    """The schema of a kind that Kubernetes or a well-known operator has; None for others."""
    builtin = serving.kind(version, api_version, kind)
    if builtin is not None:
        return Schema(_closed({"$ref": f"#/$defs/{builtin.definition}"}, {}, version))
    about = serving.custom().get(f"{api_version}/{kind}")
    if about is None:
        return None
    return Schema(_closed(about["schema"], about["shared"], version))


def added(kind: crds.Kind, version: str) -> Schema | None:
    """The schema of a kind that a repository's own definition adds; None where the definition cannot be used."""
    try:
        return Schema(_closed(kind.schema, {}, version))
    except (ValueError, RecursionError, OverflowError):
        return None


def _closed(schema: dict[str, Any], shared: dict[str, Any], version: str) -> dict[str, Any]:
    """A schema with the definitions that it needs, and no others."""
    data = serving.data()
    names = data.versions[serving.nearest(version)].names
    definitions = dict(shared)
    waiting = [*_references(schema), *_references(shared)]
    while waiting:
        name = waiting.pop()
        if name not in definitions:
            definitions[name] = msgspec.json.decode(data.definitions[names[name]])
            waiting += _references(definitions[name])
    return {**schema, "$defs": definitions}


def _references(schema: Any) -> list[str]:
    if isinstance(schema, dict):
        own = schema.get("$ref")
        references = [own.removeprefix("#/$defs/")] if isinstance(own, str) else []
        return references + [name for part in schema.values() for name in _references(part)]
    if isinstance(schema, list):
        return [name for part in schema for name in _references(part)]
    return []


def _without_nulls(part: Any) -> Any:
    if isinstance(part, dict):
        return {key: _without_nulls(value) for key, value in part.items() if value is not None}
    return [_without_nulls(value) for value in part] if isinstance(part, list) else part


def _is_base64(text: str) -> bool:
    """Whether Go's decoder takes it, which skips ends of lines and nothing else."""
    try:
        base64.b64decode(text.replace("\n", "").replace("\r", ""), validate=True)
    except (binascii.Error, ValueError):
        return False
    return True
