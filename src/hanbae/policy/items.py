"""The checklists of ``hanbae.yaml``: their items, what decides each, and what services answer."""

from __future__ import annotations

from typing import Literal, get_args

from msgspec import field

from hanbae.policy.bases import Document, Duration, Name
from hanbae.policy.forms import Excerpt, PortName, Status, UrlPath, Word

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


class Checklists(Document, frozen=True):
    """The policy's checklists.

    Attributes:
        before: Items before a deployment; default those that hanbae has gates for.
        during: Items while it runs; likewise.
        after: Items after it; likewise.
        settle: How long the health checks must go on passing after a rollout; default 3 seconds.
        endpoints: What each service answers, besides what the ``smoke`` of its chart's values lists.
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
