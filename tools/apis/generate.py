"""Writes ``src/hanbae/apis/data``: ``./dev apis``.

Everything comes from Go modules: Kubernetes' OpenAPI and discovery documents, the Go types of ``k8s.io/api`` for
what these do not say, and the CustomResourceDefinitions of Argo CD, Sealed Secrets and the Gateway API.
"""

from __future__ import annotations

import json
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import gosource
import kubernetes
import yaml

from hanbae.apis import crds

VERSIONS = ("1.32.13", "1.33.13", "1.34.4", "1.35.4", "1.36.3")
"""One patch release of each minor version; their schemas are the same within a minor."""
_LIVES = ("k8s.io/api@v0.21.14", "k8s.io/api@v0.24.17", "k8s.io/api@v0.36.3")
"""Old ones first: types that are gone from the newest are still told of."""
_CRDS = (
    ("github.com/argoproj/argo-cd/v3@v3.6.1", "manifests/crds/*-crd.yaml"),
    ("github.com/bitnami-labs/sealed-secrets@v0.40.0", "helm/sealed-secrets/crds/*.yaml"),
    ("sigs.k8s.io/gateway-api@v1.5.1", "config/crd/standard/gateway*.yaml"),
)
_BY_HAND = {
    # Its Go types went with it: https://kubernetes.io/docs/reference/using-api/deprecation-guide/#psp-v125
    "policy/v1beta1/PodSecurityPolicy": ["1.21", "1.25", None],
    "extensions/v1beta1/PodSecurityPolicy": ["1.9", "1.16", None],
    # The API server warns of these by itself, without a date: pkg/registry/core/{endpoint,componentstatus}.
    "v1/Endpoints": ["1.33", None, "discovery.k8s.io/v1/EndpointSlice"],
    "v1/ComponentStatus": ["1.19", None, None],
}
_DATA = Path(__file__).parents[2] / "src/hanbae/apis/data"
_SHARED = 200


def main() -> int:
    """Write both files and say how large they are."""
    stored: dict[str, int] = {}
    versions = {}
    lives: dict[str, list[str | None]] = {}
    for api in _LIVES:
        lives |= dict(gosource.lives(module(api)))
    for full in VERSIONS:
        source = module(f"k8s.io/kubernetes@v{full}")
        names = kubernetes.definitions(source, gosource.enums(module(f"k8s.io/api@v0{full[1:]}")))
        kinds = list(kubernetes.kinds(source, names))
        needed = closure(names, [kind[1] for kind in kinds] + [crds.METADATA])
        versions[full.rpartition(".")[0]] = {
            "names": {name: stored.setdefault(packed(names[name]), len(stored)) for name in needed},
            "kinds": {kind[0]: list(kind[1:]) for kind in sorted(kinds)},
        }
    whole = {"definitions": [json.loads(text) for text in stored], "versions": versions}
    write("kubernetes", {**whole, "lives": dict(sorted((lives | _BY_HAND).items()))})
    write("crds", {"kinds": dict(custom())})
    return 0


def module(named: str) -> Path:
    """A Go module's folder in the module cache, downloaded if need be."""
    ended = subprocess.run(
        ["go", "mod", "download", "-json", named], capture_output=True, text=True, check=True
    )
    return Path(json.loads(ended.stdout)["Dir"])


def closure(names: dict[str, Any], roots: list[str]) -> list[str]:
    """The wanted definitions and what they refer to."""
    needed: set[str] = set()
    waiting = list(roots)
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting += references(names[name])
    return sorted(needed)


def references(schema: Any) -> list[str]:
    """The names of the definitions that a schema refers to."""
    if isinstance(schema, dict):
        own = (
            [schema["$ref"].removeprefix("#/$defs/")] if isinstance(schema.get("$ref"), str) else []
        )
        return own + [name for part in schema.values() for name in references(part)]
    return (
        [name for part in schema for name in references(part)] if isinstance(schema, list) else []
    )


def custom() -> list[tuple[str, Any]]:
    """``group/version/Kind`` → scope, schema and shared parts."""
    kinds = []
    for named, pattern in _CRDS:
        for path in sorted(module(named).glob(pattern)):
            for document in yaml.load_all(path.read_text("utf-8"), Loader=yaml.CSafeLoader):
                for kind in crds.kinds(document or {}):
                    if kind.served:
                        schema, shared = folded(kind.schema)
                        about = {"namespaced": kind.namespaced, "schema": schema, "shared": shared}
                        kinds.append((f"{kind.api_version}/{kind.kind}", about))
    return sorted(kinds)


def folded(schema: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """A schema whose repeated parts are kept once: generators of an ApplicationSet nest the same ones many times."""
    folding = Folding()
    folding.count(schema)
    return folding.fold(schema, is_schema=True), folding.shared


class Folding:
    """Finds what is repeated in one schema."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._named: dict[str, str] = {}
        self.shared: dict[str, Any] = {}

    def count(self, part: Any) -> None:
        """See how often each part is there; below a repeated one, once is enough."""
        if isinstance(part, dict | list):
            text = packed(part)
            self._counts[text] = self._counts.get(text, 0) + 1
            if self._counts[text] == 1:
                for child in part.values() if isinstance(part, dict) else part:
                    self.count(child)

    def fold(self, part: Any, *, is_schema: bool) -> Any:
        """A part with references in place of what is repeated."""
        if isinstance(part, list):
            return [self.fold(item, is_schema=is_schema) for item in part]
        if not isinstance(part, dict):
            return part
        text = packed(part)
        often = is_schema and self._counts[text] > 1 and len(text) > _SHARED
        if often and text in self._named:
            return {"$ref": f"#/$defs/{self._named[text]}"}
        schema = {key: self._within(key, value, is_schema=is_schema) for key, value in part.items()}
        if not often:
            return schema
        self._named[text] = f"s{len(self._named)}"
        self.shared[self._named[text]] = schema
        return {"$ref": f"#/$defs/{self._named[text]}"}

    def _within(self, key: str, part: Any, *, is_schema: bool) -> Any:
        if is_schema and key == "properties":
            return {name: self.fold(field, is_schema=True) for name, field in part.items()}
        return (
            part if is_schema and key in {"enum", "required"} else self.fold(part, is_schema=True)
        )


def packed(value: Any) -> str:
    """JSON in its shortest form, with sorted keys."""
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def write(name: str, content: Any) -> None:
    """Write a file of data, the same bytes for the same content."""
    text = packed(content).encode()
    data = zlib.compress(text, 9)
    _DATA.mkdir(exist_ok=True)
    (_DATA / f"{name}.json.z").write_bytes(data)
    sys.stdout.write(f"{name}: {len(text):,} bytes, {len(data):,} compressed\n")


if __name__ == "__main__":
    sys.exit(main())
