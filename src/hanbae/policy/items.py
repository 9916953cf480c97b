"""The checklists of ``hanbae.yaml``: their items, what decides each, and what services answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal, get_args

from msgspec import field

from hanbae.policy.bases import Document, Duration, Name
from hanbae.policy.forms import (
    Excerpt,
    NameTemplate,
    PortName,
    ServiceTemplate,
    Statement,
    Status,
    UrlPath,
    Word,
)

ARCHIVED: Final = (
    "SELECT last_archived_time FROM pg_stat_archiver"
    " WHERE last_failed_time IS NULL OR last_failed_time <= last_archived_time"
)
"""When PostgreSQL has archived its log last; no row while archiving fails."""

Check = Literal[
    "image-pushed",
    "migrations-in-image",
    "secrets-sealed",
    "migration-enabled",
    "manual-sync",
    "migration-watched",
    "migration-logs",
    "versions-updated",
    "logs-clean",
    "api-tested",
    "health-checked",
    "restore-point",
    "person",
]
"""What decides an item: one of hanbae's gates, or a person."""


class Endpoint(Document, frozen=True):
    """An address of a service, and what it answers to a GET.

    Attributes:
        path: The path, such as ``/healthz``; without a query.
        port: Name or number of the Service's port; default ``http``.
        status: The status that it answers; default 200. Redirects are not followed.
        contains: Text that the answer contains; default any.
        service: The Service, which the release must have; default the one that is called as the release is.
    """

    path: UrlPath
    port: PortName = "http"
    status: Status = 200
    contains: Excerpt | None = None
    service: Name | None = None


class Item(Document, frozen=True):
    """One item of a checklist.

    Attributes:
        id: Short stable name.
        text: The policy's sentence.
        check: The gate that decides it, or ``person`` for one that a person attests; default what `command` or
            `endpoint` says, the gate that is called as the item is, else ``person``.
        command: A program and its arguments, which decides it by leaving with 0. It is a program of the machine that
            deploys, found by ``PATH``, and runs in an empty folder, with the service, the environment and the commit in
            ``HANBAE_SERVICE``, ``HANBAE_ENVIRONMENT`` and ``HANBAE_REVISION``; only if the policy on the default branch
            of ``origin`` names it as well.
        timeout: How long the program may run; default 1 minute, at most 1 hour.
        endpoint: What the service must answer, which decides it.
    """

    id: Name
    text: str
    check: Check | None = None
    command: tuple[Word, ...] = ()
    timeout: Duration = "1m"
    endpoint: Endpoint | None = None

    @property
    def decided_by(self) -> str:
        """What decides it: a gate, ``command``, ``endpoint`` or ``person``."""
        if self.command:
            return "command"
        if self.endpoint is not None:
            return "endpoint"
        if self.check is not None:
            return self.check
        return self.id if self.id in get_args(Check) else "person"


def _own(*ids: str) -> tuple[Item, ...]:
    """The items of the policy that hanbae knows by itself; their sentences are in its catalogues."""
    return tuple(Item(id, "") for id in ids)  # noqa: A001


class RestorePoint(Document, frozen=True):
    """How old the newest backup may be where a deployment may migrate, and what knows it: one of three.

    Attributes:
        within: How old it may be; default 24 hours.
        environments: The environments in which it is asked for; default all.
        cluster: A PostgreSQL cluster of CloudNativePG's, whose newest completed ``Backup`` counts; ``{service}`` and
            ``{environment}`` may be in it.
        namespace: The namespace of that cluster, as `namespaces` names it; default that of the service.
        database: A connection of libpq's (``pg_service.conf`` of whoever deploys) over which ``psql`` runs `query`;
            ``{service}`` and ``{environment}`` may be in it. It runs only where a `command` would run.
        query: What answers with the time of the newest backup; default when the log was archived last, by
            ``pg_stat_archiver``, and nothing while archiving fails.
        command: A program and its arguments, whose last line is the time of the newest backup, in RFC 3339 or in
            seconds since 1970; nothing where there is none. It runs as an item's `command` does.
        timeout: How long ``psql`` or the program may run; default 1 minute, at most 1 hour.
    """

    within: Duration = "24h"
    environments: tuple[Name, ...] = ()
    cluster: NameTemplate | None = None
    namespace: Name | None = None
    database: ServiceTemplate | None = None
    query: Statement | None = None
    command: tuple[Word, ...] = ()
    timeout: Duration = "1m"

    @property
    def program(self) -> tuple[str, ...]:
        """The words of what runs on the machine that deploys, with their placeholders; none for a cluster."""
        if self.database is None:
            return self.command
        options = ("--no-psqlrc", "--no-align", "--tuples-only", "--quiet", "--no-password")
        return ("psql", f"service={self.database}", *options, "--command", self.query or ARCHIVED)


class Checklists(Document, frozen=True):
    """The policy's checklists.

    Attributes:
        before: Items before a deployment; default those that hanbae has gates for.
        during: Items while it runs; likewise.
        after: Items after it; likewise.
        settle: How long the health checks must go on passing after a rollout; default 3 seconds.
        endpoints: What each service answers, besides what the ``smoke`` of its chart's values lists.
        restore_point: How old the newest backup may be, for an item that ``restore-point`` decides.
        unclean: Text that no line of a log may contain, in whatever case; default that of breakdowns, as ``panic:``.
    """

    before: tuple[Item, ...] = _own(
        "image-pushed", "migrations-in-image", "secrets-sealed", "migration-enabled"
    )
    during: tuple[Item, ...] = _own("manual-sync", "migration-watched", "migration-logs")
    after: tuple[Item, ...] = _own("versions-updated", "logs-clean", "api-tested", "health-checked")
    settle: Duration = "3s"
    endpoints: dict[Name, tuple[Endpoint, ...]] = field(default_factory=dict)
    unclean: tuple[Excerpt, ...] | None = None
    restore_point: RestorePoint | None = None

    @property
    def items(self) -> Iterator[tuple[str, Item]]:
        """Every item, with its key in the policy."""
        for phase in ("before", "during", "after"):
            for index, item in enumerate(getattr(self, phase)):
                yield f"checklists.{phase}[{index}]", item

    @property
    def commands(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Every command that runs on the machine of whoever deploys, with its key in the policy."""
        for key, item in self.items:
            if item.command:
                yield f"{key}.command", item.command
        if self.restore_point is not None and self.restore_point.program:
            part = "database" if self.restore_point.database is not None else "command"
            yield f"checklists.restore_point.{part}", self.restore_point.program
