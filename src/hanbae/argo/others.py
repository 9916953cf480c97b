"""What an Application remembers of syncs and edits that were not hanbae's.

Argo CD keeps the last successful syncs (``status.history``), without the key of who asked for one. A sync is hanbae's
where the history has a deployment of its commit that was under way when it began; both clocks may be apart a little, so
of several it is the one that is nearest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from hanbae.argo import operations
from hanbae.results import deployments, outside

_CLOCKS: Final = timedelta(minutes=2)
"""By which the clocks of two machines may differ."""
_CONTROLLERS: Final = frozenset(
    {"argocd-application-controller", "argocd-applicationset-controller"}
)
"""Managers that do what others have written down."""


def syncs(
    application: Mapping[str, Any],
    service: str,
    environment: str,
    recorded: Iterable[deployments.Deployment],
    *,
    now: datetime,
) -> Iterator[outside.Sync]:
    """The syncs that are in no deployment.

    Args:
        application: The object.
        service: The service.
        environment: The environment.
        recorded: The deployments of the service to the environment.
        now: The time.
    """
    entries = list(_remembered(application, service, environment))
    for deployment in recorded:
        own = [entry for entry in entries if _may_be_of(deployment, entry, now)]
        # One for each deployment: another sync of the same commit right after it is somebody
        # else's.
        if own and deployment.began is not None:
            began = deployment.began
            entries.remove(min(own, key=lambda entry: abs(entry.began - began)))
    yield from entries


def _remembered(
    application: Mapping[str, Any], service: str, environment: str
) -> Iterator[outside.Sync]:
    """The syncs that Argo CD remembers."""
    for entry in (application.get("status") or {}).get("history") or []:
        ended = _moment(entry.get("deployedAt"))
        began = _moment(entry.get("deployStartedAt")) or ended
        revision = operations.revision_of(entry)
        by = entry.get("initiatedBy") or {}
        if began is not None and ended is not None and revision:
            yield outside.Sync(
                service,
                environment,
                revision,
                began,
                ended,
                by.get("username") or "",
                bool(by.get("automated")),
            )


def _may_be_of(deployment: deployments.Deployment, entry: outside.Sync, now: datetime) -> bool:
    """Whether a sync began while a deployment of its commit was under way."""
    if deployment.opened is None or deployment.began is None:
        return False  # it has begun none
    last = deployment.closed or now
    return (
        deployment.revision == entry.revision
        and deployment.opened - _CLOCKS <= entry.began <= last + _CLOCKS
    )


def edits(
    application: Mapping[str, Any], service: str, environment: str, *, own: str
) -> Iterator[outside.Edit]:
    """Who has edited the specification of an Application, by its managed fields.

    Args:
        application: The object.
        service: The service.
        environment: The environment.
        own: How hanbae's own edits are named.
    """
    managed = (application.get("metadata") or {}).get("managedFields")
    for entry in managed if isinstance(managed, list) else ():
        if not isinstance(entry, dict):
            continue
        manager, moment = entry.get("manager"), _moment(entry.get("time"))
        fields = entry.get("fieldsV1")
        parts = fields.get("f:spec") if isinstance(fields, dict) else None
        if not isinstance(manager, str) or manager in {own, *_CONTROLLERS}:
            continue
        if moment is not None and isinstance(parts, dict) and parts:
            names = sorted(str(name).removeprefix("f:") for name in parts)
            yield outside.Edit(service, environment, manager, moment, tuple(names))


def _moment(text: object) -> datetime | None:
    """A time as Kubernetes writes it; None where it is none."""
    try:
        moment = datetime.fromisoformat(str(text or ""))
    except ValueError:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
