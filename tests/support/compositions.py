"""Local environments made of objects that a test writes down, whatever chart would render them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from hanbae.local import composing, pods
from hanbae.local.composition import Build, Composition
from hanbae.local.local_environment import _sources
from hanbae.policy import documents, loading
from hanbae.releases import objects, reading

POLICY = """\
version: 1
argocd: {repository: "https://git.example.com/shop.git"}
namespaces: {data: {purpose: [PostgreSQL, Valkey]}}
environments:
  dev: {branch: develop}
"""


def policy(more: str = "") -> documents.Policy:
    """A policy that names PostgreSQL and Valkey, with more lines."""
    return loading.parse((POLICY + more).encode(), "hanbae.yaml")[0]


def source(
    text: str, *, service: str = "auth", namespace: str = "services", build: bool = False
) -> pods.Source:
    """A release of the objects in a text."""
    manifests = json.loads(text)
    release = reading.of(
        [
            objects.Object(manifest, "", index, namespace)
            for index, manifest in enumerate(manifests)
        ],
        service=service,
        namespace=namespace,
        name=f"{service}-service",
    )
    image = f"localhost/shop-{service}:local"
    built = Build(f"services/{service}/Dockerfile", ".", image) if build else None
    return pods.Source(release, _sources(release), built)


def of(*texts: str, more: str = "") -> Composition:
    """The local environment of objects; each text is a service: auth, mail, user."""
    names = ("auth", "mail", "user")
    sources = [source(text, service=name) for name, text in zip(names, texts, strict=False)]
    composition = composing.of(policy(more), "dev", "shop", sources)
    rendered = composing.rendered_secrets(entry.release for entry in sources)
    return msgspec.structs.replace(composition, rendered=rendered)


def gaps(composition: Composition) -> dict[str, Sequence[str]]:
    """Id of a sentence → the services that it is said of."""
    result: dict[str, list[str]] = {}
    for gap in composition.gaps:
        result.setdefault(gap.text.id.removeprefix("local.gap-"), []).append(gap.service)
    return result


def deployment(
    container: Mapping[str, Any] | None = None,
    *,
    name: str = "auth-service",
    kind: str = "Deployment",
    annotations: Mapping[str, str] | None = None,
    **pod: Any,
) -> dict[str, Any]:
    """An object with one container, and whatever else its pods have."""
    main = {"name": "main", "image": "registry.example.com/auth:1", **(container or {})}
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [main], **pod},
    }
    return {
        "apiVersion": "batch/v1" if kind == "Job" else "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "annotations": dict(annotations or {})},
        "spec": {"template": template},
    }


def migration(name: str, key: str, wave: int) -> dict[str, Any]:
    """A Job that runs goose as a Sync hook."""
    address = {"secretKeyRef": {"name": "auth-secrets", "key": key}}
    container = {
        "command": ["goose"],
        "args": ["-dir", f"/app/migrations/{name}", "up"],
        "env": [
            {"name": "GOOSE_DRIVER", "value": "postgres"},
            {"name": "GOOSE_DBSTRING", "valueFrom": address},
        ],
    }
    hooks = {
        "argocd.argoproj.io/hook": "Sync",
        "argocd.argoproj.io/sync-wave": str(wave),
    }
    return deployment(container, name=f"auth-service-migrate-{name}", kind="Job", annotations=hooks)


def text(*manifests: Mapping[str, Any]) -> str:
    """Objects as a text, in which a test can replace names."""
    return json.dumps(manifests)
