"""What the migrations of a service will do to its databases, and where each of them stands."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from hanbae import wording
from hanbae.results import effects, previews

Basis = Literal["database", "history", "revision", "unknown"]
"""How it is known what a database has: it was asked, by its last proof, by another revision, or not at all."""
WayBack = Literal["whole", "lossy", "none"]
"""What Down gives back: all of it, the form without the data that Up takes away, or nothing."""


class Table(Struct, frozen=True):
    """A table as the database reports it.

    Attributes:
        name: Its name, as the migration writes it.
        rows: Rows by PostgreSQL's own estimate; -1 where it has never counted them.
        bytes: Size on the disk, indexes included.
    """

    name: str
    rows: int
    bytes: int


class Impact(Struct, frozen=True):
    """What one statement does, and what others notice of it.

    Attributes:
        effect: What it does.
        blocks: What an application cannot do while it holds its lock.
        timeout: The lock_timeout under which it waits for that; empty for without an end.
        rows: Rows of the table; None where the database was not asked, or has no such table.
        seconds: How long the work may take at that size, by rule of thumb; None where it is not known.
    """

    effect: effects.Effect
    blocks: effects.Blocked
    timeout: str = ""
    rows: int | None = None
    seconds: float | None = None


class Pending(Struct, frozen=True):
    """A migration that the database does not have.

    Attributes:
        version: Its version.
        file: The file, relative to the repository.
        transaction: Whether goose runs it in a transaction.
        way_back: What its Down part gives back.
        impacts: What it does, in order; empty for a file that was not understood.
        unread: Why it was not understood; None where it was.
    """

    version: int
    file: str
    transaction: bool
    way_back: WayBack
    impacts: tuple[Impact, ...] = ()
    unread: wording.Text | None = None


class Database(Struct, frozen=True):
    """One database of a service in an environment.

    Attributes:
        name: Its name.
        basis: How it is known what it has.
        files: How many migrations the revision has.
        at: The highest version that it has; None where nobody knows, 0 for none.
        pending: What it lacks, in the order in which goose applies it; None where nobody knows what it has.
        overtaken: Files below `at` that it does not have: goose refuses to go on.
        untracked: Versions that it has and the revision has no file for, ascending.
        invalid: Indexes that an interrupted concurrent build has left.
        why_unknown: Why nobody knows what it has.
        drift: What else is not as a deployment leaves it, each with its cure.
    """

    name: str
    basis: Basis
    files: int
    at: int | None = None
    pending: tuple[Pending, ...] | None = None
    overtaken: tuple[str, ...] = ()
    untracked: tuple[int, ...] = ()
    invalid: tuple[str, ...] = ()
    why_unknown: previews.WhyUnknown = ""
    drift: tuple[wording.Text, ...] = ()

    @property
    def is_faulty(self) -> bool:
        """Whether goose would refuse to go on, or somebody has to look first."""
        return bool(self.overtaken or self.untracked or self.invalid or self.drift)


class Plan(Struct, frozen=True):
    """The migrations of a service in an environment.

    Attributes:
        service: The service.
        environment: The environment.
        revision: The commit whose files these are; empty for the working tree.
        databases: Its databases, in the order in which they are migrated.
    """

    service: str
    environment: str
    revision: str
    databases: tuple[Database, ...]

    @property
    def is_faulty(self) -> bool:
        """Whether one of the databases is not as it should be."""
        return any(database.is_faulty for database in self.databases)


class Plans(Struct, frozen=True):
    """What ``hanbae migrations`` writes."""

    plans: tuple[Plan, ...]
