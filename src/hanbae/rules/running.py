"""Runs rules over views. What goes wrong in a rule is a finding as well: one odd object stops nothing else."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Final

import msgspec
from msgspec import Struct

from hanbae import errors, masking, subjects
from hanbae.rules import rulebook, views

_LOG: Final = logging.getLogger(__name__)
_REDACT: Final = masking.Redactor()


NEEDS_ALL: Final = frozenset(
    {
        "ARG012", "ARG047", "KUB015", "KUB022", "KUB025", "KUB026", "KUB027", "KUB029", "LAY005", "LAY007", "MIG014",
        "MIG015", "MIG016", "MIG017", "MIG019", "SEC001", "SEC002", "SEC003", "SEC019", "SEC020", "SEC021",
    }
)  # fmt: skip
"""The rules that find that something is not there: of a release of which a part is not known they can say nothing."""


class RuleHit(Struct, frozen=True):
    """A hit, and where it was looked for.

    Attributes:
        rule: The rule.
        hit: What it found.
        service: The service; empty for the whole repository.
        environment: The environment; empty where it depends on none.
        assumed: API versions that the cluster must have for it beyond those that are known, where that is so.
    """

    rule: rulebook.Rule
    hit: rulebook.Hit
    service: str = ""
    environment: str = ""
    assumed: tuple[str, ...] = ()


def over_project(project: views.Project, rules: Iterable[rulebook.Rule]) -> list[RuleHit]:
    """What the rules over the whole repository find."""
    return [
        RuleHit(rule, hit)
        for rule in rules
        if rule.scope == "project"
        for hit in _hits(rule, project, "hanbae.yaml")
    ]


def over_service(service: views.Service, rules: Iterable[rulebook.Rule]) -> list[RuleHit]:
    """What the rules over a service and over each of its releases find."""
    results: list[RuleHit] = []
    releases = tuple(service.releases.values())
    for rule in rules:
        if service.incomplete and rule.code in NEEDS_ALL:
            continue
        if rule.scope == "service":
            hits = _hits(rule, service, service.chart)
            results += [RuleHit(rule, hit, service.name) for hit in hits]
        elif rule.scope == "release":
            for release in releases:
                # Nearly every rule finds nothing in nearly every release, and most clusters are known.
                hits = _hits(rule, release, release.values_file)
                if hits or release.alternatives:
                    results += _over_release(rule, release, hits)
    return results


def _over_release(
    rule: rulebook.Rule, release: views.Release, hits: list[rulebook.Hit]
) -> list[RuleHit]:
    """What a rule finds in a release, and what it finds besides where the cluster has more API versions."""
    name, environment = release.service.name, release.environment
    results = [RuleHit(rule, hit, name, environment, release.assumed) for hit in hits]
    reported = {_identity(hit) for hit in hits}
    for rendering in release.alternatives:
        for hit in _hits(rule, rendering, release.values_file):
            if _identity(hit) not in reported:
                reported.add(_identity(hit))
                results.append(RuleHit(rule, hit, name, environment, rendering.assumed))
    return results


def _identity(hit: rulebook.Hit) -> tuple[object, ...]:
    """What makes two hits the same although their objects were rendered apart."""
    where = hit.place
    place = (
        (where.object.template, where.object.ref, where.pointer, where.key)
        if isinstance(where, views.On)
        else where
    )
    return place, tuple(sorted(hit.facts.items())), hit.variant


def _hits(
    rule: rulebook.Rule, view: views.Project | views.Service | views.Release, file: str
) -> list[rulebook.Hit]:
    hits: list[rulebook.Hit] = []
    try:
        for hit in rule.check(view):
            if hit.variant == rulebook.FAILED:
                message = f"the variant {rulebook.FAILED!r} is the runner's own"
                raise ValueError(message)  # noqa: TRY301  it would be told as a failure of the rule
            hits.append(_redacted(hit))
    except errors.Error as fault:
        # A fault of the user's files, with a place and words of its own: the rule itself is sound.
        place = fault.place or subjects.Place(file)
        hits.append(rulebook.Hit(place, fault=fault.text, severity="error"))
    except Exception as error:  # noqa: BLE001  one odd object stops no other rule
        _LOG.exception("rule %s failed", rule.code)
        facts = {"error": f"{type(error).__name__}: {error}"[:200]}
        hits.append(rulebook.Hit(subjects.Place(file), facts, rulebook.FAILED))
    return hits


def _redacted(hit: rulebook.Hit) -> rulebook.Hit:
    """Mask the credentials of URLs in a hit's facts: more people read a finding than the file."""
    if not any("://" in value for value in hit.facts.values()):
        return hit
    facts = {name: _REDACT(value) if "://" in value else value for name, value in hit.facts.items()}
    return msgspec.structs.replace(hit, facts=facts)
