"""``hanbae history dora``: how fast and how safely a team delivers, from its record and its commits."""

from __future__ import annotations

import functools
import hashlib
from datetime import datetime, timedelta
from typing import Final

from msgspec import structs

from hanbae import errors, workspaces
from hanbae.history import measuring
from hanbae.policy import naming
from hanbae.results import measures

BEFORE: Final = timedelta(days=90)
"""How far back what an environment had before is looked for."""


def measure(
    space: workspaces.Workspace,
    *,
    service: str | None,
    environment: str | None,
    since: datetime,
    until: datetime,
    rollback_hours: int,
) -> measures.Measures:
    """The measures of a time; see :mod:`hanbae.history.measuring`.

    Args:
        space: The workspace.
        service: Only this service.
        environment: Only this environment.
        since: The time's beginning, with a time zone.
        until: Its end, which is not in it, with a time zone.
        rollback_hours: Hours within which a change that is taken back counts as failed.
    """
    recorded = space.store.opened(
        service=service,
        environment=environment,
        since=since - BEFORE,
        # A deployment that takes a change back may come after the time that is measured.
        until=until + timedelta(hours=rollback_hours),
    )
    measured = measuring.measured(
        recorded.deployments,
        lookup(space),
        environments=[environment] if environment else list(space.policy.environments),
        since=since,
        until=until,
        rollback_hours=rollback_hours,
    )
    return structs.replace(measured, unreadable=recorded.unreadable)


def lookup(space: workspaces.Workspace) -> measuring.Lookup:
    """What the clone knows of services' revisions."""
    # What a commit has of a service never changes, and every deployment of it asks again.
    return measuring.Lookup(
        functools.cache(functools.partial(_content, space)), functools.partial(_written, space)
    )


def _content(space: workspaces.Workspace, service: str, revision: str) -> str:
    """What identifies the files of a service at a commit; empty where this clone does not have it."""
    try:
        files = space.checkout.revision(revision).files(folder(space, service))
    except (errors.Error, KeyError):
        return ""
    lines = "\n".join(f"{path} {content}" for path, content in sorted(files.items()))
    return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest() if files else ""


def _written(
    space: workspaces.Workspace, service: str, revision: str, former: str
) -> datetime | None:
    commits = space.checkout.between(revision, former, folder(space, service))
    return min((commit.moment for commit in commits), default=None)


def folder(space: workspaces.Workspace, service: str) -> str:
    """The folder of what is a service's own."""
    return naming.around(space.policy, service).as_posix()
