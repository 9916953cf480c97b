"""Settles what a check has found: what is left when comments and the baseline have accepted what they may."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from hanbae.checking import acceptance, baselines, inspecting, merging
from hanbae.rules import ignores, rulebook, views


def settle(
    project: views.Project,
    looked: inspecting.Looked,
    services: Sequence[str],
    *,
    base: views.Project | None = None,
    baseline: bool = True,
    unsought: Collection[str] = (),
) -> acceptance.Settled:
    """What is left when comments and the baseline have accepted what they may.

    Args:
        project: The repository.
        looked: What was found in it.
        services: The services that were looked at.
        base: The repository at the commit whose comments and baseline count; None for its own.
        baseline: Whether the baseline counts.
        unsought: Codes that were not looked for, or not everywhere.
    """
    everything = set(services) >= set(project.services)
    shared = ignores.of_project(project)
    comments = [*shared, *looked.ignores]
    allowed = None
    if base is not None:
        paths = {each.place.file for each in comments}
        allowed = acceptance.in_base(comments, ignores.read(base.tree, paths))
    # What is shared may be meant for a service that was not looked at.
    codes = [*rulebook.rules(), *(f"{rulebook.OWN}{each.id}" for each in project.policy.rules)]
    unsure = () if everything else shared
    settled = acceptance.ignored(
        looked.findings, comments, known=codes, allowed=allowed, unsure=unsure, unsought=unsought
    )
    known = baselines.read((base or project).tree) if baseline else None
    if known is not None:
        source = (base or project).tree.read(baselines.NAME) or b""
        only = None if everything else services
        settled = baselines.applied(settled, known, source=source, services=only, unsought=unsought)
    return acceptance.Settled(merging.ordered(settled.findings), settled.accepted)
