"""What is left of a check's findings when comments and the baseline have accepted what they may."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from hanbae.checking import acceptance, baselines, findings_of_rules, inspecting
from hanbae.rules import ignores, rulebook, views


def settle(
    project: views.Project,
    inspection: inspecting.Inspection,
    services: Sequence[str],
    *,
    base: views.Project | None = None,
    baseline: bool = True,
    unsought: Collection[str] = (),
) -> acceptance.Settled:
    """What is left when comments and the baseline have accepted what they may.

    Args:
        project: The repository.
        inspection: What there is in it.
        services: The services that were inspected.
        base: The repository at the commit whose comments and baseline count; None for its own.
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
    # What is shared may be meant for a service that was not inspected.
    codes = [*rulebook.rules(), *(f"{rulebook.OWN}{rule.id}" for rule in project.policy.rules)]
    unsure = () if everything else shared
    settled = acceptance.ignored(
        findings_of_rules.merged(inspection.findings),
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
    return acceptance.Settled(findings_of_rules.ordered(settled.findings), settled.accepted)
