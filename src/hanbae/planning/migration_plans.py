"""What is pending in a database and what that does to it: from files, and from what is known of the database."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

from msgspec import Struct

from hanbae import wording
from hanbae.migrations import dialects, effects, goose_files, lock_timeouts, locks, scripts
from hanbae.results import effects as effects_
from hanbae.results import migration_plans, previews

_SCANNED: Final = 200_000_000
_WRITTEN: Final = 40_000_000
_INDEXED: Final = 30_000_000
"""Bytes a second that PostgreSQL looks at, writes anew with its indexes, or sorts into one, on ordinary disks.

A rule of thumb, which a rehearsal replaces by a measurement.
"""
_SPEED: Final[Mapping[effects_.Work, int]] = {
    "scan": _SCANNED,
    "rewrite": _WRITTEN,
    "build": _INDEXED,
}
_LOSSES: Final = frozenset(
    {
        "table-dropped",
        "column-dropped",
        "column-type",
        "table-truncated",
        "rows-deleted",
        "rows-updated",
        "unread",
        "block",
    }
)
"""What no Down part brings back, or of which nobody can tell."""


class File(Struct, frozen=True):
    """A migration of a revision.

    Attributes:
        path: The file, relative to the repository.
        content: Its bytes.
    """

    path: str
    content: bytes


class Reading(Struct, frozen=True):
    """What is known of a database.

    Attributes:
        basis: How.
        versions: The versions that it has; None where nobody knows.
        tables: Its tables by the names that migrations give them.
        invalid: Indexes that an interrupted concurrent build has left.
        drift: What else is not as a deployment leaves it.
        present: Version that it has not → what of its file is there all the same.
    """

    basis: migration_plans.Basis
    versions: Collection[int] | None = None
    tables: Mapping[str, migration_plans.Table] = {}
    invalid: tuple[str, ...] = ()
    drift: tuple[wording.Text, ...] = ()
    present: Mapping[int, tuple[str, ...]] = {}


def database(
    name: str,
    migrations: Mapping[int, File],
    reading: Reading,
    *,
    dialect: dialects.Dialect = "postgres",
    lock_timeout: str = "",
    why_unknown: previews.WhyUnknown = "",
) -> migration_plans.Database:
    """Where a database stands, and what its pending migrations do.

    Args:
        name: Name of the database.
        migrations: The revision's migrations by version.
        reading: What is known of the database.
        dialect: What it is, by the driver that goose is given.
        lock_timeout: The timeout that its connections bring; empty for none.
        why_unknown: Why nobody knows what it has, where nobody does.
    """
    applied = reading.versions
    if applied is None:
        return migration_plans.Database(
            name, reading.basis, len(migrations), why_unknown=why_unknown
        )
    highest = max(applied, default=0)
    lacking = [version for version in sorted(migrations) if version not in applied]

    def pending(version: int) -> migration_plans.Pending:
        file = migrations[version]
        return _pending(version, file, reading, dialect=dialect, lock_timeout=lock_timeout)

    return migration_plans.Database(
        name,
        reading.basis,
        len(migrations),
        highest,
        tuple(map(pending, lacking)),
        tuple(migrations[version].path for version in lacking if version < highest),
        # goose makes its table with a row of version 0, for which there never is a file.
        tuple(sorted(set(applied) - migrations.keys() - {0})),
        reading.invalid,
        drift=(*reading.drift, *_half_applied(name, migrations, reading)),
    )


def _half_applied(
    name: str, migrations: Mapping[int, File], reading: Reading
) -> Iterator[wording.Text]:
    for version, objects in sorted(reading.present.items()):
        facts = {
            "database": name,
            "file": migrations[version].path,
            "objects": ", ".join(objects),
        }
        yield wording.Text("drift.half-applied", facts)


def creations(migrations: Mapping[int, File]) -> dict[int, tuple[str, ...]]:
    """What migrations outside a transaction make first, by which one that was broken off is told.

    Args:
        migrations: Version → migration.

    Returns:
        Version → tables and indexes, as the file names them; none that an earlier file makes as well.
    """
    result: dict[int, tuple[str, ...]] = {}
    before: set[str] = set()
    for version, file in sorted(migrations.items()):
        parsed = scripts.read(file.content)
        names = [
            effect.table if effect.action == "table-created" else effect.name
            for effect in effects.of(parsed.up)
            if effect.action in {"table-created", "index-created"}
        ]
        if not parsed.transaction:
            result[version] = tuple(name for name in names if name and name not in before)
        before.update(names)
    return result


def tables(migrations: Iterable[File]) -> tuple[str, ...]:
    """The tables that migrations name, for which a database can be asked."""
    named: dict[str, None] = {}
    for file in migrations:
        for effect in effects.of(scripts.read(file.content).up):
            if effect.table and not effect.new:
                named[effect.table] = None
    return tuple(named)


def _pending(
    version: int,
    file: File,
    reading: Reading,
    *,
    dialect: dialects.Dialect,
    lock_timeout: str,
) -> migration_plans.Pending:
    if goose_files.is_go(file.path.rpartition("/")[2]):
        return _unread(version, file, "migrations.unread-go", transaction=True)
    parsed = scripts.read(file.content)
    if parsed.fault is not None:
        place = f"{file.path}:{parsed.fault.line}"
        return _unread(
            version, file, "migrations.unread-goose", transaction=parsed.transaction, place=place
        )
    text = file.content.decode("utf-8", "replace")
    if (dialects.of_text(text) or dialect) != "postgres":
        return _unread(version, file, "migrations.unread-dialect", transaction=parsed.transaction)
    statements = effects.of(parsed.up)
    timeouts = {
        # By identity: a file may have the same statement twice, under different timeouts.
        id(wait.effect): wait.timeout
        for wait in lock_timeouts.waits(
            statements, transaction=parsed.transaction, otherwise=lock_timeout
        )
    }
    impacts = tuple(_impact(effect, reading, timeouts.get(id(effect), "")) for effect in statements)
    return migration_plans.Pending(
        version, file.path, parsed.transaction, _way_back(parsed, statements), impacts
    )


def _unread(
    version: int, file: File, text_id: str, *, transaction: bool, place: str = ""
) -> migration_plans.Pending:
    why = wording.Text(text_id, {"place": place or file.path})
    return migration_plans.Pending(version, file.path, transaction, "none", unread=why)


def _impact(effect: effects_.Effect, reading: Reading, timeout: str) -> migration_plans.Impact:
    table = reading.tables.get(effect.table)
    blocks = locks.blocked(effect.lock)
    if table is None or effect.new:
        return migration_plans.Impact(effect, blocks, timeout)
    rows = table.rows if table.rows >= 0 else None
    return migration_plans.Impact(effect, blocks, timeout, rows, _seconds(effect, table.bytes))


def _seconds(effect: effects_.Effect, size: int) -> float | None:
    speed = _SPEED.get(effect.work)
    if speed is None:
        # How many rows a statement names is not known; an entry in the catalogue takes no time.
        return None if effect.work == "rows" else 0.0
    return round(size / speed, 1)


def _way_back(
    parsed: scripts.Parsed, statements: Iterable[effects_.Effect]
) -> migration_plans.WayBack:
    if not parsed.down:
        return "none"
    lossy = any(effect.action in _LOSSES and not effect.new for effect in statements)
    return "lossy" if lossy else "whole"
