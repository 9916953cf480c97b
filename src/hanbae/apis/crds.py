"""Kinds that a CustomResourceDefinition adds, as strict JSON Schema.

An API server drops, or with strict validation refuses, each field that the schema does not name; JSON Schema lets
them pass unless told otherwise.
Only the keywords that a definition may use are taken over, so a hostile one can refer to nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

METADATA: Final = "meta.v1.ObjectMeta"
# Levels of a definition; whatever lies deeper may be anything.
_DEEPEST: Final = 60
_INTEGERS: Final = {"int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1)}
_PLAIN: Final = (
    "type",
    "enum",
    "pattern",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "minProperties",
    "maxProperties",
    "multipleOf",
    "required",
    "uniqueItems",
)


class Kind(Struct, frozen=True):
    """A kind that a definition adds.

    Attributes:
        api_version: Its ``apiVersion``.
        kind: Its name.
        namespaced: Whether its objects are in namespaces.
        served: Whether the version is served.
        schema: Its JSON Schema, whose metadata refers to ``#/$defs/meta.v1.ObjectMeta``.
    """

    api_version: str
    kind: str
    namespaced: bool
    served: bool
    schema: dict[str, Any]


def kinds(definition: Mapping[str, Any]) -> Iterator[Kind]:
    """The kinds of a CustomResourceDefinition; none of what is none, or has no sane shape."""
    spec = definition.get("spec")
    names = spec.get("names") if isinstance(spec, Mapping) else None
    if not isinstance(spec, Mapping) or not isinstance(names, Mapping):
        return
    versions = spec.get("versions")
    for version in versions if isinstance(versions, list) else ():
        if not isinstance(version, Mapping):
            continue
        whole = version.get("schema")
        root = whole.get("openAPIV3Schema") if isinstance(whole, Mapping) else None
        yield Kind(
            f"{spec.get('group')}/{version.get('name')}",
            str(names.get("kind")),
            spec.get("scope") != "Cluster",
            version.get("served") is not False,
            _root(
                root
                if isinstance(root, Mapping)
                else {"x-kubernetes-preserve-unknown-fields": True}
            ),
        )


def _root(schema: Mapping[str, Any]) -> dict[str, Any]:
    strict = _strict(schema, _DEEPEST)
    properties = strict.setdefault("properties", {})
    properties |= {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"$ref": f"#/$defs/{METADATA}"},
    }
    return strict


def _strict(schema: Any, depth: int) -> dict[str, Any]:
    """A structural schema: every field that it does not name is refused."""
    if not isinstance(schema, Mapping) or depth <= 0:
        return {}
    strict = _values(schema, depth)
    properties = schema.get("properties")
    if isinstance(properties, Mapping):
        strict["properties"] = {
            str(name): _strict(part, depth - 1) for name, part in properties.items()
        }
        _default(strict, properties)
    if "items" in schema:
        strict["items"] = _strict(schema["items"], depth - 1)
    more = schema.get("additionalProperties")
    if isinstance(more, Mapping):
        strict["additionalProperties"] = _strict(more, depth - 1)
    elif schema.get("x-kubernetes-embedded-resource") is True:
        named = strict.setdefault("properties", {})
        for name in ("apiVersion", "kind", "metadata"):
            named.setdefault(name, {})
    if (
        schema.get("type") == "object"
        and not more
        and schema.get("x-kubernetes-preserve-unknown-fields") is not True
    ):
        strict["additionalProperties"] = False
    return strict


def _default(strict: dict[str, Any], properties: Mapping[Any, Any]) -> None:
    """Require no field that has a default: the API server fills it in before it looks what is missing."""
    required = strict.get("required")
    if isinstance(required, list):
        defaulted = {
            name
            for name, part in properties.items()
            if isinstance(part, Mapping) and part.get("default") is not None
        }
        names = (name for name in required if isinstance(name, str))
        strict["required"] = [name for name in names if name not in defaulted]


def _values(schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
    """What a schema says about values, fields apart."""
    strict = {key: schema[key] for key in _PLAIN if key in schema} | _bounds(schema)
    if schema.get("format") in {"byte", "date-time"}:
        strict["format"] = schema["format"]
    if schema.get("x-kubernetes-int-or-string") is True:
        strict["type"] = ["integer", "string"]
    elif schema.get("nullable") is True and isinstance(strict.get("type"), str):
        strict["type"] = [strict["type"], "null"]
        if isinstance(strict.get("enum"), list):
            strict["enum"] = [*strict["enum"], None]
    for key in ("allOf", "anyOf", "oneOf"):
        if isinstance(schema.get(key), list):
            strict[key] = [_loose(part, depth - 1) for part in schema[key]]
    if "not" in schema:
        strict["not"] = _loose(schema["not"], depth - 1)
    return strict


def _bounds(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The range of a number; whether an end belongs to it is a flag here, and a keyword in JSON Schema."""
    bounds: dict[str, Any] = {}
    for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if bound in schema:
            bounds[exclusive if schema.get(exclusive) is True else bound] = schema[bound]
    form = schema.get("format")
    if form in _INTEGERS:
        low, high = _INTEGERS[form]
        bounds.setdefault("minimum", low)
        bounds.setdefault("maximum", high)
    return bounds


def _loose(schema: Any, depth: int) -> dict[str, Any]:
    """A schema inside ``allOf`` and the like: about values only, so fields that it does not name are fine."""
    if not isinstance(schema, Mapping) or depth <= 0:
        return {}
    loose = _values(schema, depth)
    properties = schema.get("properties")
    if isinstance(properties, Mapping):
        loose["properties"] = {
            str(name): _loose(part, depth - 1) for name, part in properties.items()
        }
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), Mapping):
            loose[key] = _loose(schema[key], depth - 1)
    return loose
