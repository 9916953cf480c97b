"""What a plan shows beside its steps: the order in which Argo CD works, migrations, images, how long it may take."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from hanbae import subjects, wording
from hanbae.results import findings, plans

WhyUnknown = Literal["", "new", "failed"]
"""Why nobody knows which migrations a database has."""


class Wave(Struct, frozen=True):
    """What Argo CD applies or runs together.

    Attributes:
        phase: ``PreSync``, ``Sync`` or ``PostSync``.
        number: The sync wave.
        objects: Ordinary objects.
        hooks: Hooks; the next wave waits for their end.
    """

    phase: str
    number: int
    objects: tuple[subjects.Ref, ...] = ()
    hooks: tuple[subjects.Ref, ...] = ()


class Migrations(Struct, frozen=True):
    """The migrations of one database.

    Attributes:
        database: Its name.
        pending: Versions that will be applied, ascending; None when nobody knows the database's version.
        files: How many files the revision has.
        at: The version that it was proven to have last; None when that is not known.
        missing: Versions whose files are gone, ascending; known only between two revisions.
        edited: Versions whose files have changed, ascending; goose does not run them again.
        names: Names of the pending files; empty where only their versions are known.
        why_unknown: Why the version is not known: ``new`` where hanbae has not deployed the service before, ``failed``
            where its last deployment did not succeed; empty otherwise.
    """

    database: str
    pending: tuple[int, ...] | None
    files: int
    at: int | None = None
    missing: tuple[int, ...] = ()
    edited: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    why_unknown: WhyUnknown = ""


class Image(Struct, frozen=True):
    """An image of a pod template that becomes another.

    Attributes:
        object: The object with the template.
        container: The container.
        old: What it runs; empty where it is new.
        new: What it will run; empty where it goes.
    """

    object: subjects.Ref
    container: str
    old: str
    new: str


class Estimate(Struct, frozen=True):
    """How long it may take.

    Attributes:
        gaps: Seconds that Argo CD waits between waves.
        last: Seconds that the last successful deployment took, or None.
    """

    gaps: float
    last: float | None = None


class Preview(Struct, frozen=True):
    """What a deployment of one service to one environment would do.

    Attributes:
        plan: Steps, guards and forecast.
        revision: The commit.
        compared: Who compared: ``argocd`` (its own comparison of this very revision) or ``hanbae``.
        migrations: One entry per database, in the order in which they are migrated.
        waves: What Argo CD will do, in its order; none for Helm, whose step of the plan says it.
        estimate: How long it may take.
        notes: What a person should know about it; `refusals` are the first of them.
        refusals: Why a deployment would be refused before it begins.
    """

    plan: plans.Plan
    revision: str
    compared: Literal["argocd", "hanbae"]
    migrations: tuple[Migrations, ...]
    waves: tuple[Wave, ...]
    estimate: Estimate
    notes: tuple[wording.Text, ...] = ()
    refusals: tuple[wording.Text, ...] = ()

    @property
    def changes(self) -> bool:
        """Whether anything in the environment would become another."""
        moves = {"created", "changed", "deleted"}
        return any(
            change.outcome in moves and not change.kept for change in self.plan.forecast
        ) or any(database.pending for database in self.migrations)


class Compared(Struct, frozen=True):
    """A service in an environment at two revisions.

    Attributes:
        service: The service.
        environment: The environment.
        forecast: Every object of either revision.
        images: Images that become others.
        migrations: One entry per database of either revision that has a migration more or less.
        hooks: The hooks that a sync of the head runs, in their order.
        fault: Why it cannot be compared, or None.
        place: Where the fault is, if it is in a file.
        faulty: Which revision has the fault.
    """

    service: str
    environment: str
    forecast: tuple[plans.Change, ...] = ()
    images: tuple[Image, ...] = ()
    migrations: tuple[Migrations, ...] = ()
    hooks: tuple[subjects.Ref, ...] = ()
    fault: wording.Text | None = None
    place: subjects.Place | None = None
    faulty: Literal["", "base", "head"] = ""

    @property
    def changes(self) -> bool:
        """Whether anything is different."""
        return (
            any(change.outcome != "unchanged" for change in self.forecast)
            or bool(self.migrations)
            or self.fault is not None
        )


class Comparison(Struct, frozen=True):
    """Two revisions held against each other, without a cluster.

    Attributes:
        base: Commit of the first.
        head: Commit of the second.
        services: What was compared, by service and environment.
        findings: What a check of the head finds and one of the base does not.
    """

    base: str
    head: str
    services: tuple[Compared, ...]
    findings: tuple[findings.Finding, ...] = ()

    @property
    def changes(self) -> bool:
        """Whether anything is different."""
        return any(service.changes for service in self.services)
