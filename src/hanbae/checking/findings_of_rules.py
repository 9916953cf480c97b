"""From what rules find to findings: in the rule's words, each said once, in the order of files and lines."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from hanbae import subjects, wording
from hanbae.results import findings
from hanbae.rules import rulebook, running, views

# What reading a link fails with; LAY012 tells of the same links in words of its own.
_OF_LINKS: Final = frozenset(
    {"repository.link-out", "repository.link-unlisted", "repository.unreadable"}
)
_LINKS: Final = "LAY012"
_ANY_SERVICE: Final = "SERVICE"
_ANY_ENVIRONMENT: Final = "ENV"
_ANY_KEY: Final = "KEY"
"""Stand in a command for what a finding does not know, or for each of several."""
_NAMES: Final = ("service", "environment", "key")
"""Facts that stand in the commands of fixes; keys of a Secret in ``arguments`` are quoted already."""


def elsewhere(
    code: str, hit: rulebook.Hit, *, service: str = "", environment: str = ""
) -> findings.Finding:
    """The finding of what was not met by running the rules over files: in git's history, in a cluster.

    Args:
        code: The rule's code.
        hit: What the rule says, at a place in a file.
        service: The service; empty for the whole repository.
        environment: The environment; empty where it depends on none.
    """
    return plain(running.RuleHit(rulebook.rules()[code], hit, service, environment))


def located(
    hits: Iterable[running.RuleHit],
) -> tuple[list[findings.Finding], list[running.RuleHit]]:
    """The findings whose place the rule names itself, and the hits in objects whose place is still to be traced."""
    placed, unplaced = [], []
    for hit in hits:
        if isinstance(hit.hit.place, views.On):
            unplaced.append(hit)
        else:
            placed.append(plain(hit))
    return placed, unplaced


def plain(hit: running.RuleHit) -> findings.Finding:
    """A finding at the place that the rule itself names."""
    where = hit.hit.place
    if isinstance(where, views.On):  # of a rule over the repository; only its template is known
        place = subjects.Place(where.object.template)
        return finding(hit, place, "template", where.object.ref)
    return finding(hit, where, "exact" if where.line else "file", None)


def finding(
    hit: running.RuleHit,
    place: subjects.Place,
    precision: findings.Precision,
    ref: subjects.Ref | None,
) -> findings.Finding:
    """A finding.

    Args:
        hit: What a rule says, and of which service and environment.
        place: Where a person mends it.
        precision: How exact the place is.
        ref: The object that is at fault; None where it is a file.
    """
    rule, variant, facts = hit.rule, hit.hit.variant, hit.hit.facts
    environments = (hit.environment,) if hit.environment else ()
    if hit.hit.fault is not None:
        return unreadable(place, hit.hit.fault, hit.service, environments)
    failed = variant == rulebook.FAILED
    part = f"found-{variant}" if variant else "found"
    return findings.Finding(
        rule.code,
        hit.hit.severity or rule.severity,
        place,
        rulebook.failure(rule, facts) if failed else rule.text(part, facts),
        precision,
        hit.service,
        environments,
        ref,
        None if failed else _fix(hit),
        hit.hit.edits,
    )


def _fix(hit: running.RuleHit) -> wording.Text:
    """What to do about it; the names that its commands take are written as a shell takes them."""
    text = hit.rule.text("fix", hit.hit.facts)
    facts = {"service": _ANY_SERVICE, "environment": _ANY_ENVIRONMENT, "arguments": _ANY_KEY}
    facts |= {"service": hit.service} if hit.service else {}
    facts |= {"environment": hit.environment} if hit.environment else {}
    facts |= text.facts
    # These names come from the checkout, and a person pastes the command into a shell: whatever a
    # folder is called, it must stay one word.
    words = {name: shlex.quote(facts[name]) for name in _NAMES if name in facts}
    return wording.Text(hit.hit.fix or text.id, facts | words)


def unreadable(
    place: subjects.Place, text: wording.Text, service: str, environments: tuple[str, ...] = ()
) -> findings.Finding:
    """What cannot be read or rendered, as a finding.

    Args:
        place: Where the fault is.
        text: What is wrong.
        service: The service that it was met in; empty for the whole repository.
        environments: The environments that it was met in.
    """
    precision: findings.Precision = "exact" if place.line else "file"
    fix = wording.Text("rule.inp001-fix")
    return findings.Finding(
        "INP001", "error", place, text, precision, service, environments, fix=fix
    )


def merged(collected: Iterable[findings.Finding]) -> tuple[findings.Finding, ...]:
    """Findings in the order of files, lines and codes, those that differ only in the environment as one.

    What reading says of a link is left out where a rule says it of the same file in its own words.
    """
    alike: dict[Any, list[findings.Finding]] = {}
    for item in _without_repeated_links(list(collected)):
        # An object's reference has its namespace, which differs from environment to environment.
        kind = item.object.kind if item.object else ""
        key = (item.place, item.code, str(item.text), item.service, kind)
        alike.setdefault(key, []).append(item)
    order = sorted(alike, key=lambda key: key[:3])
    return tuple(_joined(alike[key]) for key in order)


def ordered(collected: Iterable[findings.Finding]) -> tuple[findings.Finding, ...]:
    """Findings in the order of files, lines and codes."""
    return tuple(sorted(collected, key=lambda item: (item.place, item.code, str(item.text))))


def _without_repeated_links(
    collected: list[findings.Finding],
) -> Iterator[findings.Finding]:
    files = {item.place.file for item in collected if item.code == _LINKS}
    for item in collected:
        if item.text.id not in _OF_LINKS or item.place.file not in files:
            yield item


def _joined(alike: list[findings.Finding]) -> findings.Finding:
    """One finding of those that differ only in the environment."""
    if len(alike) == 1:
        return alike[0]
    names = dict.fromkeys(name for item in alike for name in item.environments)
    fix = alike[0].fix
    if fix is not None and "environment" in fix.facts:  # a command is to be run for each of them
        fix = wording.Text(fix.id, fix.facts | {"environment": _ANY_ENVIRONMENT})
    return msgspec.structs.replace(alike[0], environments=tuple(names), fix=fix)
