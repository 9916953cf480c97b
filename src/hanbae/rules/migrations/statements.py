"""What is in the files: goose's annotations, transactions, and statements that take data away."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from hanbae import patterns, subjects
from hanbae.migrations import cuts, hazards, scripts
from hanbae.rules import rulebook, views
from hanbae.rules.migrations import contract_steps, drivers

_OPENING: Final = ("'", '"', "`", "$", "/*", "(", "BEGIN", "begin", "Begin")
_ANNOTATIONS: Final = "https://pressly.github.io/goose/documentation/annotations/"
_CONTRACTED: Final = frozenset({"drop", "column", "rename"})
"""Losses that wait for another version to run, where the file names that."""
_CREATED: Final = patterns.lazy(
    r"CREATE\s+(?:TEMP(?:ORARY)?\s+|UNLOGGED\s+)?TABLE\s+(?!IF\s+NOT\s+EXISTS\b)([\w.\"]+)",
    re.IGNORECASE,
)
"""With IF NOT EXISTS the table may have been there before."""


@rulebook.of_service("MIG006", "error", source=_ANNOTATIONS, essential=True)
def refused(service: views.Service) -> Iterator[rulebook.Hit]:
    """A file that goose refuses to read."""
    for path, parsed in service.parsed_migrations.items():
        if parsed.fault is not None:
            place = subjects.Place(path, parsed.fault.line)
            yield rulebook.Hit(place, variant=parsed.fault.kind)


@rulebook.of_service("MIG007", "notice", source=_ANNOTATIONS, essential=False)
def no_way_back(service: views.Service) -> Iterator[rulebook.Hit]:
    """A migration without a Down part, or with one that holds nothing and does not say why."""
    for path, parsed in service.parsed_migrations.items():
        if parsed.fault is not None:
            continue
        if parsed.down is None:
            yield rulebook.Hit(subjects.Place(path))
        elif parsed.up and not parsed.down and not parsed.explained:
            yield rulebook.Hit(subjects.Place(path), variant="empty")


@rulebook.of_service(
    "MIG008",
    "error",
    source="https://www.postgresql.org/docs/current/sql-createindex.html",
    essential=True,
)
def needs_no_transaction(service: views.Service) -> Iterator[rulebook.Hit]:
    """A statement that PostgreSQL refuses in a transaction, in one."""
    for path, parsed in service.parsed_migrations.items():
        for statement in (*parsed.up, *(parsed.down or ())):
            if not hazards.may_be_alone(statement.text):
                continue
            several = list(hazards.parts(statement))
            for text, line in several:
                if not hazards.alone(text) or drivers.dialect(service, path) != "postgres":
                    continue
                facts = {"statement": hazards.alone_words(text)}
                if parsed.transaction:
                    yield rulebook.Hit(subjects.Place(path, line), facts)
                elif len(several) > 1:
                    yield rulebook.Hit(subjects.Place(path, line), facts, "together")


@rulebook.of_service(
    "MIG009", "warning", source="https://github.com/pressly/goose/issues/728", essential=False
)
def half_done(service: views.Service) -> Iterator[rulebook.Hit]:
    """Several statements outside a transaction, one of which cannot run a second time after a later one failed."""
    for path, parsed in service.parsed_migrations.items():
        if parsed.transaction:
            continue
        # After the last one nothing can fail that would have the file run again.
        for statement in parsed.up[:-1]:
            stuck = [part for part in hazards.parts(statement) if not hazards.repeatable(part[0])]
            if stuck:
                text, line = stuck[0]
                yield rulebook.Hit(
                    subjects.Place(path, line), {"statement": hazards.words(text, 4)}
                )
                break


@rulebook.of_service(
    "MIG010",
    "warning",
    source="https://www.postgresql.org/docs/current/sql-altertable.html",
    essential=True,
)
def destructive(service: views.Service) -> Iterator[rulebook.Hit]:
    """A statement that takes away data, or a name that pods of the old version still use."""
    for path, parsed in service.parsed_migrations.items():
        losses = tuple(hazards.losses(parsed.up))
        if losses and contract_steps.is_announced(service, path):
            losses = tuple(hazard for hazard in losses if hazard.loss not in _CONTRACTED)
        created = _created(parsed) if losses else {}
        for hazard in losses:
            names = hazard.words.split()
            if not any(name in names and line <= hazard.line for name, line in created.items()):
                facts = {"statement": hazard.words}
                yield rulebook.Hit(subjects.Place(path, hazard.line), facts, hazard.loss)


def _created(parsed: scripts.Parsed) -> dict[str, int]:
    """Tables that the file makes itself, with the line: what it then does to them takes nothing away."""
    created: dict[str, int] = {}
    for statement in parsed.up:
        for text, line in hazards.parts(statement):
            if match := _CREATED.match(text):
                created.setdefault(match[1], line)
    return created


@rulebook.of_service("MIG024", "error", source=_ANNOTATIONS, essential=True)
def cut(service: views.Service) -> Iterator[rulebook.Hit]:
    """A statement that goose ends at a ``;`` inside a body, a string, a comment or parentheses, or loses a line of."""
    for path, parsed in service.parsed_migrations.items():
        for line in parsed.lost:
            lost = subjects.Place(path, line)
            yield rulebook.Hit(lost, {"line": str(line)}, "lost", fix="rule.mig024-fix-lost")
        if not any(_may_be_cut(statement) for statement in (*parsed.up, *(parsed.down or ()))):
            continue
        dialect = drivers.dialect(service, path)
        for part in (parsed.up, parsed.down or ()):
            for place in cuts.cuts(part, dialect):
                yield rulebook.Hit(
                    subjects.Place(path, place.line), {"line": str(place.opened)}, place.inside
                )


def _may_be_cut(statement: scripts.Statement) -> bool:
    """Whether it is worth the while to read a statement: only with one of these can anything be left open."""
    return not statement.marked and any(character in statement.text for character in _OPENING)


@rulebook.of_service("MIG026", "error", source=_ANNOTATIONS, essential=True)
def not_ended(service: views.Service) -> Iterator[rulebook.Hit]:
    """A statement that begins on a line of its own before the one above it was ended."""
    for path, parsed in service.parsed_migrations.items():
        for statement in (*parsed.up, *(parsed.down or ())):
            for line, above, below in hazards.run_together(statement):
                facts = {"statement": hazards.words(below, 3), "before": hazards.words(above, 3)}
                yield rulebook.Hit(subjects.Place(path, line), facts)
