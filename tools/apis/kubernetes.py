"""Definitions of a minor version as strict JSON Schema, and the kinds that it serves."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gosource
import tightening

_INTEGERS = {"int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1)}
_SPECIAL: dict[str, Any] = {
    "Quantity": {
        "type": ["string", "number"],
        "pattern": r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?$",
    },
    "IntOrString": {"type": ["integer", "string"]},
    "RawExtension": {"type": "object"},
    "FieldsV1": {"type": "object"},
}
_BETA = re.compile(r"^v\d+(alpha|beta)\d+$")
_ON_BY_DEFAULT: frozenset[str] = frozenset()
"""Beta APIs that are served without being asked for: none since flowcontrol's v1beta3 went with 1.32."""

Kind = tuple[str, str, bool, bool, bool]


def short(name: str) -> str:
    """A definition's name without what all have in common: ``core.v1.Pod``."""
    for prefix in ("io.k8s.api.", "io.k8s.apimachinery.pkg.apis.", "io.k8s.apimachinery.pkg."):
        name = name.removeprefix(prefix)
    return name.replace("io.k8s.apiextensions-apiserver.pkg.apis.", "").replace(
        "io.k8s.kube-aggregator.pkg.apis.", ""
    )


def definitions(module: Path, enums: gosource.Enums) -> dict[str, Any]:
    """Name → schema, for everything that a kind of the version may need."""
    swagger = json.loads((module / "api/openapi-spec/swagger.json").read_text("utf-8"))
    schemas = {short(name): _strict(schema) for name, schema in swagger["definitions"].items()}
    for name in list(schemas):
        special = _SPECIAL.get(name.rpartition(".")[2])
        if special is not None:
            schemas[name] = special
    for (name, field), (shape, values) in enums.items():
        schema = schemas.get(name, {}).get("properties", {}).get(field)
        if schema is not None and not name.endswith(("Status", "Condition")):
            target = schema["items"] if shape else schema
            # Go decodes a missing string and an empty one alike, and the API server then takes the default.
            target["enum"] = sorted({*values, ""})
    tightening.tighten(schemas)
    return schemas


def kinds(module: Path, names: dict[str, Any]) -> Iterator[Kind]:
    """``group/version/Kind``, definition, namespaced, served by default, and whether it can be listed and watched."""
    swagger = json.loads((module / "api/openapi-spec/swagger.json").read_text("utf-8"))
    by_kind = {}
    for name, schema in swagger["definitions"].items():
        for kind in schema.get("x-kubernetes-group-version-kind", ()):
            by_kind[kind["group"], kind["version"], kind["kind"]] = short(name)
    for group, version, resource in _resources(module):
        response = resource["responseKind"]
        kind = response["kind"]
        name = by_kind.get((group, version, kind))
        if name is None or name not in names:
            continue
        full = "/".join(part for part in (group, version, kind) if part)
        served = not _BETA.match(version) or f"{group}/{version}" in _ON_BY_DEFAULT
        watched = {"list", "watch"} <= set(resource["verbs"])
        yield full, name, resource["scope"] == "Namespaced", served, watched


def _resources(module: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    aggregated = json.loads((module / "api/discovery/aggregated_v2.json").read_text("utf-8"))
    for item in aggregated["items"]:
        for version in item["versions"]:
            for resource in version["resources"]:
                yield item["metadata"]["name"], version["version"], resource
    core = json.loads((module / "api/discovery/api__v1.json").read_text("utf-8"))
    for resource in core["resources"]:
        if "/" not in resource["name"]:
            scope = "Namespaced" if resource["namespaced"] else "Cluster"
            about = {"kind": resource["kind"]}
            yield "", "v1", {"responseKind": about, "scope": scope, "verbs": resource["verbs"]}


def _strict(schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        return {"$ref": f"#/$defs/{short(schema['$ref'].rpartition('/')[2])}"}
    strict_schema: dict[str, Any] = {}
    if "type" in schema:
        strict_schema["type"] = schema["type"]
    form = schema.get("format")
    if form in _INTEGERS:
        strict_schema["minimum"], strict_schema["maximum"] = _INTEGERS[form]
    elif form in {"byte", "date-time"}:
        strict_schema["format"] = form
    if "properties" in schema:
        strict_schema["properties"] = {
            name: _strict(field) for name, field in schema["properties"].items()
        }
        strict_schema["additionalProperties"] = False
        if schema.get("required"):
            strict_schema["required"] = schema["required"]
    if "items" in schema:
        strict_schema["items"] = _strict(schema["items"])
    if isinstance(schema.get("additionalProperties"), dict):
        strict_schema["additionalProperties"] = _strict(schema["additionalProperties"])
    return strict_schema
