"""Operations of Argo CD's that stand in the way of a deployment: broken ones of its own, and those of a person."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from tests.support import polling, scenes

from hanbae import errors

NOWHERE: Final = "9.9.9-nowhere"


def state(scene: scenes.Scene, service: str) -> dict[str, object]:
    """Phase and revision of the last operation."""
    application = scene.operation(service)
    record = application.get("status", {}).get("operationState") or {}
    return {
        "phase": record.get("phase"),
        "revision": record.get("operation", {}).get("sync", {}).get("revision"),
        "message": record.get("message", ""),
        "automated": record.get("operation", {}).get("initiatedBy", {}).get("automated"),
    }


def refresh(scene: scenes.Scene, service: str) -> None:
    """Have Argo CD look at the branch now, not at its next turn."""
    namespace = scene.shop.policy.argocd.namespace
    words = ["annotate", "application", f"{service}-{scene.environment}", "-n", namespace]
    scene.shop.sandbox.kubectl([*words, "argocd.argoproj.io/refresh=normal", "--overwrite"])


def break_image(scene: scenes.Scene, service: str) -> str:
    """Publish an image that is in no registry; returns the commit."""
    scene.edit(service, {"image.tag": NOWHERE, "image.digest": ""})
    return scene.publish(f"An image of {service} that nobody has pushed")


def hang_own_sync(scene: scenes.Scene, service: str) -> str:
    """Break the image in an automated environment, and wait until Argo CD's own sync hangs in it.

    Returns:
        The broken commit.
    """
    broken = break_image(scene, service)
    refresh(scene, service)

    def hangs() -> bool:
        now = state(scene, service)
        return now["revision"] == broken and "hook" in str(now["message"])

    polling.until(hangs, pause=1, state=lambda: state(scene, service))
    return broken


def image_is_missing(scene: scenes.Scene, service: str) -> bool:
    """Whether the node has tried to pull an image for one of the service's pods and was told that there is none."""
    pods = scene.select("pod", namespace=scene.namespace(service))
    return any(
        "Pull" in container.get("state", {}).get("waiting", {}).get("reason", "")
        for pod in pods
        # One of an earlier operation may still be going away.
        if pod["metadata"]["name"].startswith(service)
        and "deletionTimestamp" not in pod["metadata"]
        for container in pod["status"].get("containerStatuses", [])
    )


def _start(scene: scenes.Scene, service: str, revision: str) -> None:
    """Start a sync as a person called mina."""
    name, namespace = f"{service}-{scene.environment}", scene.shop.policy.argocd.namespace
    operation = {
        "initiatedBy": {"username": "mina"},
        "sync": {
            "revision": revision,
            "syncStrategy": {"hook": {}},
            "syncOptions": ["ServerSideApply=true"],
        },
    }
    patch = ["patch", "application", name, "-n", namespace, "--type", "merge", "-p"]
    scene.shop.sandbox.kubectl([*patch, json.dumps({"operation": operation})])


def end(scene: scenes.Scene, service: str) -> None:
    """End the operation that runs, if one does.

    Argo CD may overwrite the word with what it has new, so it is said until it is heard.
    """
    namespace = scene.shop.policy.argocd.namespace

    def is_over() -> bool:
        application = scene.operation(service)
        if "operation" not in application:
            return True
        # The version makes it a word about this operation: said of one that has ended since, it would stay.
        name, version = (application["metadata"][key] for key in ("name", "resourceVersion"))
        change = {
            "metadata": {"resourceVersion": version},
            "status": {"operationState": {"phase": "Terminating"}},
        }
        patch = ["patch", "application", name, "-n", namespace, "--type", "merge", "-p"]
        with suppress(errors.Failed):
            scene.shop.sandbox.kubectl([*patch, json.dumps(change)])
        return False

    polling.until(is_over, pause=1)


def sync_as_a_person(scene: scenes.Scene, service: str, revision: str) -> None:
    """Have a person called mina sync a commit, and wait until that has succeeded."""

    def remembered() -> int:
        history = scene.operation(service).get("status", {}).get("history") or []
        return max((int(entry["id"]) for entry in history), default=-1)

    before = remembered()
    _start(scene, service, revision)
    polling.until(lambda: remembered() > before, pause=1, state=lambda: state(scene, service))


@contextmanager
def started_by_a_person(scene: scenes.Scene, service: str, revision: str) -> Iterator[None]:
    """A sync that a person called mina has started, while the block runs; it waits for a hook without an image."""
    _start(scene, service, revision)
    polling.until(
        lambda: (
            "waiting for completion" in str(state(scene, service)["message"])
            and image_is_missing(scene, service)
        ),
        pause=1,
        state=lambda: state(scene, service),
    )
    try:
        yield
    finally:
        end(scene, service)
