"""Says what a rule has found: its hit as a finding, in the rule's words."""

from __future__ import annotations

from hanbae import subjects
from hanbae.results import findings
from hanbae.rules import rulebook, running, views


def elsewhere(
    code: str, hit: rulebook.Hit, *, service: str = "", environment: str = ""
) -> findings.Finding:
    """The same for what was not met by running the rules over files: in git's history, in a cluster.

    Args:
        code: The rule's code.
        hit: What was found, at a place in a file.
        service: The service; empty for the whole repository.
        environment: The environment; empty where it depends on none.
    """
    return plain(running.Found(rulebook.rules()[code], hit, service, environment))


def plain(each: running.Found) -> findings.Finding:
    """A finding at the place that the rule itself names."""
    at = each.hit.at
    if isinstance(at, views.On):  # of a rule over the repository; only its template is known
        return finding(each, subjects.Place(at.object.template), "template", at.object.ref)
    return finding(each, at, "exact" if at.line else "file", None)


def finding(
    each: running.Found,
    place: subjects.Place,
    precision: findings.Precision,
    ref: subjects.Ref | None,
) -> findings.Finding:
    """A finding.

    Args:
        each: What a rule has found.
        place: Where a person mends it.
        precision: How exact the place is.
        ref: The object that is at fault; None where it is a file.
    """
    hit = each.hit
    part = f"found-{hit.variant}" if hit.variant else "found"
    failed = hit.variant == rulebook.FAILED
    return findings.Finding(
        each.rule.code,
        hit.severity or each.rule.severity,
        place,
        each.rule.text(part, hit.facts) if not failed else rulebook.failure(each.rule, hit.facts),
        precision,
        each.service,
        (each.environment,) if each.environment else (),
        ref,
        None if failed else each.rule.text("fix", hit.facts),
        hit.edits,
    )
