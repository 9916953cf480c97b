"""What is left of a check's findings when the policy, comments and the baseline have accepted what they may."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from hanbae import subjects
from hanbae.checking import (
    acceptance,
    baselines,
    findings_of_rules,
    inspecting,
    rule_settings,
)
from hanbae.results import findings
from hanbae.rules import ignores, views


def settle(
    project: views.Project,
    inspection: inspecting.Inspection,
    services: Sequence[str],
    *,
    base: views.Project | None = None,
    baseline: bool = True,
    unsought: Collection[str] = (),
) -> acceptance.Settled:
    """What is left when the policy, comments and the baseline have accepted what they may.

    Args:
        project: The repository.
        inspection: What there is in it.
        services: The services that were inspected.
        base: The repository at the commit whose rules, comments and baseline count; None for its own.
        baseline: Whether the baseline counts.
        unsought: Codes that were not sought, or not everywhere.
    """
    everything = set(services) >= set(project.services)
    shared = ignores.of_project(project)
    comments = [*shared, *inspection.ignores]
    allowed = None
    if base is not None:
        paths = {comment.place.file for comment in comments}
        allowed = acceptance.in_base(comments, ignores.read(base.tree, paths))
    codes = rule_settings.codes(project.policy)
    # What is shared may be meant for a service that was not inspected.
    unsure = () if everything else shared
    counting = base or project
    settings = rule_settings.Settings(counting.policy, counting.places)
    open_findings, switched_off = settings.applied(findings_of_rules.merged(inspection.findings))
    unsought = {*unsought, *settings.unsought()}
    settled = acceptance.ignored(
        open_findings,
        comments,
        codes=codes,
        allowed=allowed,
        unsure=unsure,
        unsought=unsought,
    )
    entries = baselines.read((base or project).tree) if baseline else None
    if entries is not None:
        source = (base or project).tree.read(baselines.NAME) or b""
        only = None if everything else services
        settled = baselines.applied(
            settled, entries, source=source, services=only, unsought=unsought
        )
    # Once more, for what was found out about comments, the baseline and the branch's own settings since.
    open_findings, later = settings.applied([*settled.findings, *_without_effect(project)])
    accepted = (*settled.accepted, *switched_off, *later)
    return acceptance.Settled(findings_of_rules.ordered(open_findings), accepted)


def _without_effect(project: views.Project) -> Iterator[findings.Finding]:
    """Settings that a branch brings although the policy that counts has no such entry."""
    proposal = project.proposal
    if proposal is None:
        return
    counting = set(project.policy.rule_settings.values())
    for number, entry in proposal.policy.rule_settings.items():
        if entry not in counting:
            place: subjects.Place = proposal.place(f"rules[{number}].code")
            yield acceptance.own("INP004", place, "policy-not-in-base", code=entry.code)
