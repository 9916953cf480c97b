"""Objects of a sandbox's cluster, as its API server has them.

kubectl takes a third of a second of processor time, and what waits asks often. Whatever is not simply there is a
matter for kubectl, which says what is wrong.
"""

from __future__ import annotations

import contextlib
import http
import json
from typing import Any, Final
from urllib.parse import quote

from hanbae.sandbox import running

_GROUPS: Final = {
    "application": "apis/argoproj.io/v1alpha1",
    "configmap": "api/v1",
    "deployment": "apis/apps/v1",
    "job": "apis/batch/v1",
    "lease": "apis/coordination.k8s.io/v1",
    "pod": "api/v1",
    "sealedsecret": "apis/bitnami.com/v1alpha1",
    "secret": "api/v1",
}
"""Kinds that scenes read, with their paths in the API."""


def read(sandbox: running.Sandbox, kind: str, name: str, namespace: str) -> dict[str, Any]:
    """An object."""
    document = _answer(sandbox, kind, namespace, f"/{name}")
    if document is None:
        document = json.loads(sandbox.kubectl(["get", kind, name, "-n", namespace, "-o", "json"]))
    return document


def select(
    sandbox: running.Sandbox, kind: str, namespace: str, *, labels: str = ""
) -> list[dict[str, Any]]:
    """The objects of a kind in a namespace that have some labels."""
    document = _answer(sandbox, kind, namespace, f"?labelSelector={quote(labels)}")
    if document is None:
        words = ["get", kind, "-n", namespace, "-l", labels, "-o", "json"]
        document = json.loads(sandbox.kubectl(words))
    items: list[dict[str, Any]] = document["items"]
    return items


def _answer(
    sandbox: running.Sandbox, kind: str, namespace: str, rest: str
) -> dict[str, Any] | None:
    """What the API server answers; None where it does not, and for kinds that scenes rarely read."""
    if kind in _GROUPS:
        with contextlib.suppress(OSError):
            status, document = sandbox.site.api.get(
                f"/{_GROUPS[kind]}/namespaces/{namespace}/{kind}s{rest}"
            )
            if status == http.HTTPStatus.OK:
                return document
    return None
