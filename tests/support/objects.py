"""Kubernetes objects as an API server sends them, with only what a test is about spelled out."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from hanbae.clusters import kinds

_numbers = itertools.count(1)


def live(
    kind: kinds.Kind, name: str, *, namespace: str = "services-dev", **parts: Any
) -> kinds.Object:
    """An object of any kind, with a uid and a resourceVersion of its own.

    Args:
        kind: Its kind.
        name: Its name.
        namespace: Its namespace; left out for cluster-scoped kinds.
        parts: ``spec``, ``status`` …; ``metadata`` is merged with what every object has.
    """
    number = next(_numbers)
    metadata: dict[str, Any] = {
        "name": name,
        "uid": f"00000000-0000-4000-8000-{number:012}",
        "resourceVersion": str(number),
        "creationTimestamp": "2026-11-23T00:00:00Z",
    }
    if kind.namespaced:
        metadata["namespace"] = namespace
    return kind.complete({"metadata": metadata | parts.pop("metadata", {}), **parts})


def pod(
    name: str,
    *,
    containers: Sequence[dict[str, Any]] = (),
    phase: str = "Pending",
    namespace: str = "services-dev",
    labels: dict[str, str] | None = None,
) -> kinds.Object:
    """A pod whose containers have these statuses; see :func:`running`, :func:`waiting`, :func:`terminated`."""
    names = [status["name"] for status in containers] or ["app"]
    return live(
        kinds.POD,
        name,
        namespace=namespace,
        metadata={"labels": labels or {}},
        spec={"containers": [{"name": container, "image": "example"} for container in names]},
        status={"phase": phase, "containerStatuses": list(containers)},
    )


def running(name: str = "app", *, restarts: int = 0) -> dict[str, Any]:
    """The status of a container that runs."""
    return _status(name, {"running": {"startedAt": "2026-11-23T00:00:01Z"}}, restarts=restarts)


def waiting(
    reason: str,
    *,
    name: str = "app",
    message: str = "",
    restarts: int = 0,
    last: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The status of a container that waits, such as for ``CreateContainerConfigError``.

    Args:
        reason: Why it waits.
        name: Its name.
        message: The kubelet's sentence.
        restarts: How often it was restarted.
        last: Its status before, as :func:`terminated` gives it.
    """
    state = {"waiting": {"reason": reason, "message": message}}
    status = _status(name, state, restarts=restarts, started=last is not None)
    status["lastState"] = last["state"] if last else {}
    return status


def terminated(
    exit_code: int = 0, *, name: str = "app", reason: str = "", message: str = ""
) -> dict[str, Any]:
    """The status of a container that has ended; the reason follows from the exit code if none is given."""
    ended = {
        "exitCode": exit_code,
        "reason": reason or ("Error" if exit_code else "Completed"),
        "message": message,
        "containerID": f"containerd://{name}-0",
        "startedAt": "2026-11-23T00:00:01Z",
        "finishedAt": "2026-11-23T00:00:02Z",
    }
    return _status(name, {"terminated": ended})


def job(
    name: str,
    *,
    namespace: str = "services-dev",
    condition: str = "",
    reason: str = "",
    message: str = "",
    failed: int = 0,
    labels: dict[str, str] | None = None,
) -> kinds.Object:
    """A Job; `condition` is ``Complete`` or ``Failed`` when it is over."""
    status: dict[str, Any] = {"failed": failed, "succeeded": int(condition == "Complete")}
    if condition:
        fields = {"type": condition, "status": "True", "reason": reason, "message": message}
        status["conditions"] = [fields]
    container = {"name": "migrate", "image": "example"}
    template = {"spec": {"containers": [container], "restartPolicy": "Never"}}
    return live(
        kinds.JOB,
        name,
        namespace=namespace,
        metadata={"labels": labels or {}},
        spec={"backoffLimit": 3, "template": template},
        status=status,
    )


def event(about: kinds.Object, reason: str, message: str, *, warning: bool = True) -> kinds.Object:
    """An Event about an object."""
    metadata = about["metadata"]
    involved = {
        "kind": about["kind"],
        "namespace": metadata.get("namespace", ""),
        "name": metadata["name"],
        "uid": metadata["uid"],
    }
    return live(
        kinds.EVENT,
        f"{metadata['name']}.{next(_numbers)}",
        namespace=metadata.get("namespace", "default"),
        involvedObject=involved,
        reason=reason,
        message=message,
        type="Warning" if warning else "Normal",
    )


def _status(
    name: str, state: dict[str, Any], *, restarts: int = 0, started: bool = True
) -> dict[str, Any]:
    return {
        "name": name,
        "containerID": f"containerd://{name}-{restarts}" if started else "",
        "state": state,
        "lastState": {},
        "restartCount": restarts,
        "ready": "running" in state,
    }
