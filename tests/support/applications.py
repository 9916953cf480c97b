"""Applications as Argo CD 3.6 leaves them at each moment of a sync, with only what a test is about spelled out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.support import objects

from hanbae.clusters import kinds

REVISION = "1111111111111111111111111111111111111111"
OTHER = "2222222222222222222222222222222222222222"
STARTED = "2026-11-23T11:00:00Z"


def application(
    *,
    automated: bool = True,
    sync: str = "Synced",
    revision: str = REVISION,
    health: str = "Healthy",
    operation: dict[str, Any] | None = None,
    state: dict[str, Any] | None = None,
    conditions: Sequence[tuple[str, str]] = (),
    history: Sequence[dict[str, Any]] = (),
    resources: Sequence[dict[str, Any]] = (),
    refreshing: bool | str = False,
    options: Sequence[str] = (),
    version: int = 0,
) -> kinds.Object:
    """An Application.

    Args:
        automated: Whether Argo CD starts syncs of it.
        sync: Its sync status.
        revision: The revision that it was compared with.
        health: Its health.
        operation: What is asked for; see :func:`asked`.
        state: The record of the operation; see :func:`state`.
        conditions: Type and message of each.
        history: Entries of successful full syncs.
        resources: Objects that Argo CD knows of.
        refreshing: Whether a refresh was asked for; a normal one, unless it is said how.
        options: Sync options.
        version: Its resourceVersion; 0 for the next one.
    """
    policy: dict[str, Any] = {"syncOptions": list(options)} if options else {}
    if automated:
        policy["automated"] = {"prune": True, "selfHeal": True}
    how = refreshing if isinstance(refreshing, str) else "normal"
    annotations = {"argocd.argoproj.io/refresh": how} if refreshing else {}
    status: dict[str, Any] = {
        "sync": {"status": sync, "revision": revision},
        "health": {"status": health},
        "conditions": [{"type": kind, "message": message} for kind, message in conditions],
        "history": list(history),
        "resources": list(resources),
    }
    if state is not None:
        status["operationState"] = state
    application = objects.live(
        kinds.APPLICATION,
        "auth-dev",
        namespace="argocd",
        metadata={"annotations": annotations},
        spec={"source": {"repoURL": "https://git.example.com/shop.git"}, "syncPolicy": policy},
        status=status,
    )
    if operation is not None:
        application["operation"] = operation
    if version:
        application["metadata"]["resourceVersion"] = str(version)
    return application


def operation(
    *,
    revision: str = REVISION,
    automated: bool = True,
    key: str = "",
    selected: bool = False,
) -> dict[str, Any]:
    """An operation as it stands in ``operation``.

    Args:
        revision: What is to be synced.
        automated: Argo CD asked for it itself.
        key: The key of hanbae's intent.
        selected: Only some objects, as self-heal does.
    """
    sync: dict[str, Any] = {"revision": revision, "prune": True}
    if selected:
        sync["resources"] = [{"group": "", "kind": "Service", "name": "auth-service"}]
    asked_by = {"automated": True} if automated else {"username": "hanbae/jiwon"}
    info = [{"name": "hanbae", "value": key}] if key else []
    return {"sync": sync, "initiatedBy": asked_by, "info": info, "retry": {"limit": 0}}


def state(
    phase: str,
    *,
    of: dict[str, Any] | None = None,
    started: str = STARTED,
    message: str = "",
    results: Sequence[dict[str, Any]] = (),
    finished: str = "",
    retries: int = 0,
) -> dict[str, Any]:
    """An operation as it stands in ``status.operationState``.

    Args:
        phase: ``Running``, ``Succeeded`` …
        of: What was asked for; an automated full sync by default.
        started: When it started.
        message: Argo CD's sentence.
        results: See :func:`result`.
        finished: When it finished; also given between two tries.
        retries: How many times it was tried again.
    """
    of = of or operation()
    synced = {"revision": of["sync"]["revision"], "resources": list(results)}
    application = {
        "phase": phase,
        "message": message,
        "startedAt": started,
        "operation": of,
        "retryCount": retries,
        "syncResult": synced,
    }
    return application | ({"finishedAt": finished} if finished else {})


def result(
    kind: str,
    name: str,
    *,
    namespace: str = "services-dev",
    status: str = "Synced",
    phase: str = "Succeeded",
    hook: str = "",
    message: str = "",
) -> dict[str, Any]:
    """What an operation did with one object; `hook` is ``Sync``, ``PreSync`` … for hooks."""
    application = {
        "group": "",
        "version": "v1",
        "kind": kind,
        "namespace": namespace,
        "name": name,
        "status": status,
        "hookPhase": phase,
        "message": message,
    }
    return application | ({"hookType": hook} if hook else {})
