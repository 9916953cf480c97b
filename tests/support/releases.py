"""Releases made by hand, for what the examples do not show."""

from __future__ import annotations

import base64
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import msgspec
from tests.support import trees

from hanbae import subjects
from hanbae.policy import documents, loading
from hanbae.rules import rulebook, views

POLICY = """\
version: 1
argocd: {repository: "https://git.example.com/shop.git"}
environments:
  dev: {branch: develop, values: values-dev.yaml, namespace_suffix: -dev, overlay: k8s/overlays/dev%s}
  production: {branch: main, values: values-prod.yaml, namespace_suffix: -production%s}
"""
VALUES = "services/auth/helm/values-dev.yaml"


def ciphertext(seed: str, *, bits: int = 4096, cut: int = 0) -> str:
    """A text of a sealed value's form."""
    block = bits // 8
    raw = block.to_bytes(2, "big") + seed.encode().ljust(block, b"x") + b"y" * (16 - cut)
    return base64.b64encode(raw).decode()


def project(
    files: Mapping[str, str] | None = None,
    *,
    dev: str = "",
    production: str = "",
    branches: Mapping[str, Mapping[str, str]] | None = None,
    policy: str = "",
) -> views.Project:
    """A repository with these files.

    Args:
        files: Path → text.
        dev: More keys of the environment.
        production: More keys of the other.
        branches: Environment → files on its branch.
        policy: More lines of the policy.
    """
    text = POLICY % (dev, production) + policy
    parsed, places = _parsed(text)
    # A test may take environments out of it.
    loaded = msgspec.structs.replace(parsed, environments=dict(parsed.environments))

    def tree(texts: Mapping[str, str]) -> trees.MemoryTree:
        return trees.MemoryTree({path: text.encode() for path, text in texts.items()})

    heads = {name: tree(texts) for name, texts in (branches or {}).items()}
    return views.Project(loaded, places, tree(files or {}), ("auth",), heads)


@functools.cache
def _parsed(text: str) -> tuple[documents.Policy, Mapping[str, subjects.Place]]:
    """A policy and its places; thousands of repositories of tests have the same one."""
    return loading.parse(text.encode(), "hanbae.yaml")


def release(
    objects: Iterable[Mapping[str, Any]] = (),
    values: Mapping[str, Any] | None = None,
    *,
    of: views.Project | None = None,
    environment: str = "dev",
    service: views.Service | None = None,
) -> views.Release:
    """A release of auth with these objects, prepared unless the values say otherwise."""
    owner = service or views.Service(of or project(), "auth")
    release = views.Release(owner, environment, {"image": {"tag": "1"}, **(values or {})}, ())
    manifests = tuple(
        views.Object(
            dict(manifest),
            "services/auth/helm/templates/x.yaml",
            index,
            str((manifest.get("metadata") or {}).get("namespace") or release.namespace),
        )
        for index, manifest in enumerate(objects)
    )
    result = views.Release(owner, environment, release.values, manifests)
    owner.releases[environment] = result
    return result


def manifest(kind: str, name: str = "auth-service", **more: Any) -> dict[str, Any]:
    """An object."""
    metadata = {"name": name, **more.pop("metadata", {})}
    return {"apiVersion": "v1", "kind": kind, "metadata": metadata, **more}


def pod(kind: str = "Deployment", name: str = "auth-service", **spec: Any) -> dict[str, Any]:
    """An object with pods of one container, whose own keys are taken out of the spec."""
    container = {"name": "app", "image": "x:1"}
    own = ("image", "env", "envFrom", "command", "args")
    container |= {key: spec.pop(key) for key in own if key in spec}
    return manifest(kind, name, spec={"template": {"spec": {"containers": [container], **spec}}})


def sealed(name: str = "auth-secrets", **data: Any) -> dict[str, Any]:
    """A SealedSecret with these keys; a value of True for one that is well-formed."""
    texts = {key: ciphertext(key) if value is True else value for key, value in data.items()}
    annotations = {"argocd.argoproj.io/sync-wave": "-10"}
    return manifest(
        "SealedSecret",
        name,
        metadata={"annotations": annotations},
        spec={"encryptedData": texts},
    )


def hits(check: Callable[[Any], Iterator[rulebook.Hit]], view: Any) -> list[tuple[str, ...]]:
    """What a rule finds: variant and facts, in their order."""
    return [(hit.variant, *hit.facts.values()) for hit in check(view)]
