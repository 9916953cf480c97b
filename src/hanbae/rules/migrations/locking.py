"""What a migration does to a table that is in use: how long others wait for it, and whether it can succeed at all.

Read by PostgreSQL's own parser; what another database is given is not looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from hanbae import subjects
from hanbae.migrations import effects, lock_timeouts, locks, scripts
from hanbae.rules import rulebook, views
from hanbae.rules.migrations import drivers

_ALTER: Final = "https://www.postgresql.org/docs/current/sql-altertable.html"
_INDEX: Final = "https://www.postgresql.org/docs/current/sql-createindex.html"
_LOCKS: Final = "https://www.postgresql.org/docs/current/explicit-locking.html"
_TIMEOUT: Final = "https://www.postgresql.org/docs/current/runtime-config-client.html"
_INDEXES: Final = {
    "index-created": "created",
    "index-dropped": "dropped",
    "index-rebuilt": "rebuilt",
}
"""What is done to an index → which sentence says it."""
_SCANS: Final = frozenset({"scan", "build"})


def ups(service: views.Service) -> Mapping[str, tuple[effects.Effect, ...]]:
    """Path → what the Up part does, of the files for PostgreSQL that goose can read."""
    return {path: effects.of(parsed.up) for path, parsed in readable(service)}


def readable(service: views.Service) -> tuple[tuple[str, scripts.Parsed], ...]:
    """The files that goose can read and that are for PostgreSQL."""
    return service.once(_readable)


def _readable(service: views.Service) -> tuple[tuple[str, scripts.Parsed], ...]:
    return tuple(
        (path, parsed)
        for path, parsed in service.parsed_migrations.items()
        if parsed.fault is None and drivers.dialect(service, path) == "postgres"
    )


def facts(effect: effects.Effect) -> dict[str, str]:
    """What sentences say of an effect."""
    return {
        "table": effect.table,
        "name": effect.name,
        "lock": effect.lock,
        "to": effect.to,
    }


@rulebook.of_service("MIG029", "error", source=_ALTER, essential=True)
def required_and_empty(service: views.Service) -> Iterator[rulebook.Hit]:
    """A column that must not be NULL, without a value for the rows that are there."""
    for path, statements in service.once(ups).items():
        for effect in statements:
            if effect.fails:
                yield rulebook.Hit(subjects.Place(path, effect.line), facts(effect))


@rulebook.of_service("MIG030", "warning", source=_INDEX, essential=False)
def index_blocks(service: views.Service) -> Iterator[rulebook.Hit]:
    """An index that is built or dropped while writers, or everybody, wait."""
    for path, statements in service.once(ups).items():
        for effect in statements:
            if effect.action in _INDEXES and locks.queues(effect.lock):
                variant = _INDEXES[effect.action]
                yield rulebook.Hit(subjects.Place(path, effect.line), facts(effect), variant)


@rulebook.of_service("MIG031", "warning", source=_ALTER, essential=False)
def rewrites(service: views.Service) -> Iterator[rulebook.Hit]:
    """A table that is written anew while nobody can read it; that a type changes, MIG010 says."""
    for path, statements in service.once(ups).items():
        for effect in statements:
            if effect.work == "rewrite" and effect.action != "column-type":
                variant = "column" if effect.action == "column-added" else ""
                yield rulebook.Hit(subjects.Place(path, effect.line), facts(effect), variant)


@rulebook.of_service("MIG032", "warning", source=_LOCKS, essential=False)
def checks_rows(service: views.Service) -> Iterator[rulebook.Hit]:
    """A constraint for which every row is looked at while others wait."""
    for path, statements in service.once(ups).items():
        for effect in statements:
            if effect.action in _INDEXES or not locks.queues(effect.lock):
                continue
            if effect.work in _SCANS:
                variant = "" if effect.action == "constraint-added" else effect.work
                yield rulebook.Hit(subjects.Place(path, effect.line), facts(effect), variant)


@rulebook.of_service("MIG033", "warning", source=_TIMEOUT, essential=False)
def waits_for_ever(service: views.Service) -> Iterator[rulebook.Hit]:
    """A statement that waits for its lock without an end, and everybody else behind it: the first one of a file.

    Where the policy asks for no timeout, only a file that takes one away is found fault with.
    """
    brought = _brought(service)
    asks = service.policy.migrations.lock_timeout is not None
    for path, parsed in readable(service):
        statements = service.once(ups)[path]
        waits = lock_timeouts.waits(statements, transaction=parsed.transaction, otherwise=brought)
        for wait in waits:
            if not wait.timeout and (asks or wait.switched_off):
                place = subjects.Place(path, wait.effect.line)
                variant = "zero" if wait.switched_off else ""
                yield rulebook.Hit(place, facts(wait.effect), variant)
                break


def _brought(service: views.Service) -> str:
    """The timeout that every connection of goose brings; empty where one of them brings none."""
    timeouts = [
        migration.lock_timeout
        for release in service.releases.values()
        for migration in drivers.goose(release)
    ]
    return timeouts[0] if timeouts and all(timeouts) else ""
