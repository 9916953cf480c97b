"""Pods that are evicted through the API, as a drain of their node does it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.support import polling, scenes

from hanbae.policy import labels

Pod = dict[str, Any]


def pods(scene: scenes.Scene, service: str, component: str = "") -> list[Pod]:
    """The pods of a service's namespace that no one has asked to go, of one component where it is named."""
    path = f"/api/v1/namespaces/{scene.namespace(service)}/pods"
    query = f"?labelSelector={labels.COMPONENT}%3D{component}" if component else ""
    status, listed = scene.shop.sandbox.site.api.get(path + query)
    assert status == 200, listed
    return [pod for pod in listed["items"] if "deletionTimestamp" not in pod["metadata"]]


def awaited(take: Callable[[], list[Pod]]) -> Pod:
    """The first pod that there is."""
    met: list[Pod] = []
    polling.until(lambda: met.extend(take()) or met)
    return met[0]


def evict(scene: scenes.Scene, pod: Pod) -> None:
    """Have a pod evicted.

    Raises:
        hanbae.errors.Failed: The API server does not do it.
    """
    metadata = {key: pod["metadata"][key] for key in ("name", "namespace")}
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata}
    path = "/api/v1/namespaces/{namespace}/pods/{name}/eviction".format(**metadata)
    scene.shop.sandbox.kubectl(
        ["create", "--raw", path, "-f", "-"], stdin=json.dumps(eviction).encode()
    )
