"""Where a service stands in an environment, by its Application alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hanbae.argo import applications, operations
from hanbae.results import standings

_WELL: Final = frozenset({"Healthy", "Suspended"})
"""Health of an Application that nobody needs to look at; a suspended one was suspended by somebody."""


def judge(
    application: Mapping[str, Any] | None, service: str, environment: str, *, head: str
) -> standings.Standing:
    """Where it stands.

    Argo CD gives an Application the newest commit even where that changes nothing for it, so whether something is to
    be deployed is its comparison with the branch, not a comparison of commits.

    Args:
        application: The Application; None where there is none.
        service: The service.
        environment: The environment.
        head: The commit at the head of the branch; empty where that is not known.
    """
    if application is None:
        return standings.Standing(service, environment, "absent", head=head)
    deployed, since = _deployed(application)
    health, message = applications.health(application)
    operation = operations.active(application)
    return standings.Standing(
        service,
        environment,
        _state(application, deployed=deployed, head=head),
        deployed,
        head,
        since,
        _images(application),
        health,
        operation.message if operation is not None else message,
        applications.out_of_sync(application),
    )


def _state(application: Mapping[str, Any], *, deployed: str, head: str) -> standings.State:
    if operations.active(application) is not None:
        return "busy"
    if not deployed:
        return "absent"
    health, _ = applications.health(application)
    if health == "Progressing":
        return "progressing"
    if health and health not in _WELL:
        return "degraded"
    return _compared(application, deployed, head) if health else "unknown"


def _compared(application: Mapping[str, Any], deployed: str, head: str) -> standings.State:
    """What Argo CD's comparison with the branch comes to."""
    status, compared = applications.sync(application)
    if status not in {"Synced", "OutOfSync"}:
        return "unknown"
    if head and compared != head:
        return "unseen"
    if status == "Synced":
        return "current"
    return "drifted" if deployed == compared else "behind"


def _deployed(application: Mapping[str, Any]) -> tuple[str, str]:
    """Commit and time of the last sync that succeeded."""
    entries = (application.get("status") or {}).get("history") or []
    if not entries:
        return "", ""
    return operations.revision_of(entries[-1]), str(entries[-1].get("deployedAt") or "")


def _images(application: Mapping[str, Any]) -> tuple[str, ...]:
    summary = (application.get("status") or {}).get("summary") or {}
    return tuple(str(image) for image in summary.get("images") or [])
