"""What is said of a promotion, the same on a terminal and in a merge request: sections of sentences."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from hanbae import wording
from hanbae.cli.text import catalogue, checklist_words
from hanbae.results import checklists, merge_requests, promotions

_SHORT = 12
_MOST_NAMES = 6


class Section(Struct, frozen=True):
    """A part of what is said.

    Attributes:
        title: Its heading.
        sentences: Its sentences, each with how deep it is indented.
    """

    title: str
    sentences: tuple[tuple[int, str], ...]


def title(promotion: promotions.Promotion) -> str:
    """The promotion in one line."""
    names = [member.service for member in promotion.proven.members]
    listed_names = ", ".join(names[:_MOST_NAMES]) + (", …" if len(names) > _MOST_NAMES else "")
    facts = {"source": promotion.source, "target": promotion.target, "services": listed_names}
    return _sentence("promotion.title", **facts)


def summary(promotion: promotions.Promotion) -> str:
    """What moves, in one sentence."""
    return _sentence(
        "promotion.summary",
        set=promotion.proven.id,
        source=promotion.source,
        target=promotion.target,
        commit=promotion.proven.commit[:_SHORT],
        branch=promotion.into,
    )


def sections(promotion: promotions.Promotion) -> tuple[Section, ...]:
    """Services, commits, databases, and what a person should know; those without sentences are left out."""
    parts = (
        ("promotion.services", services(promotion)),
        ("promotion.commits", _commits(promotion)),
        ("promotion.databases", _databases(promotion)),
        ("promotion.remarks", _remarks(promotion)),
    )
    listed = [(text_id, tuple(sentences)) for text_id, sentences in parts]
    return tuple(
        Section(catalogue.words(text_id), sentences) for text_id, sentences in listed if sentences
    )


def statuses(promotion: promotions.Promotion) -> tuple[merge_requests.Status, ...]:
    """What was looked at, for the commit."""
    found_errors = sum(finding.severity == "error" for finding in promotion.comparison.findings)
    without = sum(not migration.undone_by for migration in promotion.migrations)
    losing = sum(bool(migration.loses) for migration in promotion.migrations)
    number = str(len(promotion.migrations))
    set_facts = {"set": promotion.proven.id, "source": promotion.source}
    return (
        merge_requests.Status(
            "hanbae/set", "success", _sentence("promotion.status-set", **set_facts)
        ),
        merge_requests.Status(
            "hanbae/check",
            "failure" if found_errors else "success",
            _sentence("promotion.status-check", errors=str(found_errors)),
        ),
        merge_requests.Status(
            "hanbae/migrations",
            "success",
            _sentence(
                "promotion.status-migrations",
                number=number,
                without=str(without),
                losing=str(losing),
            ),
        ),
    )


def services(promotion: promotions.Promotion) -> Iterator[tuple[int, str]]:
    """Each service with its image, who has proven it, and how its checklist ended; each sentence with its depth."""
    written = {entry.service: entry for entry in promotion.images}
    for member in promotion.proven.members:
        yield 0, member.service
        entry = written[member.service]
        text_id = "promotion.image" if entry.changed else "promotion.same-image"
        facts = {"image": entry.image, "before": entry.before or "-"}
        yield 1, _sentence(text_id, **facts)
        yield (
            1,
            _sentence(
                "promotion.proven",
                deployment=member.deployment,
                by=member.by or "-",
                commit=member.proven[:_SHORT],
            ),
        )
        yield 1, _gates(member.checklist)


def _gates(phases: tuple[checklists.Checked, ...]) -> str:
    """How the items of the checklist ended."""
    decisions = [decision for phase in phases for decision in phase.decisions]
    if not decisions:
        return _sentence("promotion.gates-elsewhere")
    waived = [
        f"{decision.item} ({decision.by}: {decision.why})"
        for decision in decisions
        if decision.outcome == "waived"
    ]
    return _sentence("promotion.gates", outcomes=checklist_words.counted(phases)) + (
        f" {', '.join(waived)}" if waived else ""
    )


def _commits(promotion: promotions.Promotion) -> Iterator[tuple[int, str]]:
    for commit in promotion.commits:
        yield 0, f"{commit.id[:_SHORT]} {commit.subject} ({commit.author})"
    if promotion.more:
        yield 0, _sentence("promotion.more-commits", number=str(promotion.more))


def _databases(promotion: promotions.Promotion) -> Iterator[tuple[int, str]]:
    if not promotion.migrations:
        yield 0, _sentence("promotion.no-migrations")
    for migration in promotion.migrations:
        name = migration.file.rpartition("/")[2]
        facts = {"service": migration.service, "database": migration.database, "file": name}
        yield 0, _sentence("promotion.migration", **facts)
        yield 1, _sentence("promotion.does", statements="; ".join(migration.does) or "-")
        if migration.loses:
            yield 1, _sentence("promotion.loses", statements="; ".join(migration.loses))
        if not migration.transaction:
            yield 1, _sentence("promotion.no-transaction")
        if migration.undone_by:
            yield 1, _sentence("promotion.way-back", statements="; ".join(migration.undone_by))
        else:
            yield 1, _sentence("promotion.no-way-back")


def _remarks(promotion: promotions.Promotion) -> Iterator[tuple[int, str]]:
    for note in promotion.notes:
        yield 0, catalogue.sentence(note)
    for decision in promotion.waived:
        for text in decision.evidence:
            yield 0, catalogue.sentence(text)
        yield 1, _sentence("promotion.waived", by=decision.by, why=decision.why)


def _sentence(text_id: str, **facts: str) -> str:
    return catalogue.sentence(wording.Text(text_id, facts))
