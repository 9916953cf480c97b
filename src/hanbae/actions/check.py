"""``hanbae check``: every service in every environment against the rules, and where a person mends what they find."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from msgspec import Struct

from hanbae import errors, wording
from hanbae.actions import accepting, building, looking, settling, touching, viewing
from hanbae.policy import loading
from hanbae.repository import keeping
from hanbae.results import findings
from hanbae.rules import own, rulebook, views


class About(Struct, frozen=True):
    """A rule, as far as reports tell of it.

    Attributes:
        title: Its title.
        why: Its reason.
        fix: What to do, in general.
        severity: How grave what it finds is.
        family: Name of its family.
        source: Where it comes from.
    """

    title: wording.Text
    why: wording.Text
    fix: wording.Text
    severity: findings.Severity
    family: str
    source: str


class Result(Struct, frozen=True):
    """What a check found.

    Attributes:
        findings: By file and line.
        services: The services that were checked.
        environments: The environments that they were checked in.
        rules: How many rules there were.
        accepted: What would be findings, but for a comment beside them or the baseline.
        unprepared: What has not been begun, and was therefore not found fault with.
        about: The rules by code.
        folder: The policy's folder, from the clone's root, with a ``/`` at its end; empty for the root itself.
    """

    findings: tuple[findings.Finding, ...]
    services: tuple[str, ...]
    environments: tuple[str, ...]
    rules: int
    accepted: accepting.Acceptances = ()
    unprepared: tuple[looking.Unprepared, ...] = ()
    about: Mapping[str, About] = {}
    folder: str = ""


class Wanted(Struct, frozen=True):
    """What is to be checked, and by whose rules.

    Attributes:
        services: The services to check; empty for all.
        environment: The one environment of which findings are wanted; None for all.
        revision: A commit to check instead of the working tree.
        policy_from: A commit whose policy, baseline and comments count instead of those that are checked, so that a
            branch cannot exempt itself.
        changed_since: A commit; only services that were touched since then are checked.
        baseline: Whether the baseline counts.
    """

    services: tuple[str, ...] = ()
    environment: str | None = None
    revision: str | None = None
    policy_from: str | None = None
    changed_since: str | None = None
    baseline: bool = True


async def check(
    directory: Path,
    wanted: Wanted | None = None,
    *,
    progress: looking.Progress | None = None,
    kept: keeping.Kept | None = None,
) -> Result:
    """Check services and the repository around them.

    Args:
        directory: The folder of the policy, or one below it.
        wanted: What is to be checked; None for everything as it is in the working tree.
        progress: Told how far it is.
        kept: Results of earlier runs; None to check everything anew.

    Raises:
        hanbae.errors.WrongUse: No policy, no such revision, service or environment.
        hanbae.errors.FileFault: The policy or the baseline has a fault.
    """
    wanted = wanted or Wanted()
    project = viewing.project(directory, revision=wanted.revision)
    base = viewing.project(directory, revision=wanted.policy_from) if wanted.policy_from else None
    if base is not None:
        names = viewing.services(base.policy, project.tree)
        project = dataclasses.replace(base, tree=project.tree, services=names)
    _check_names(project, wanted)
    without_chart = building.without_chart(project)
    chosen = wanted.services or (*project.services, *without_chart)
    if wanted.changed_since is not None:
        before = viewing.at(loading.find(directory).parent, wanted.changed_since)
        touched = touching.services(project, touching.changed(before, project.tree))
        chosen = tuple(name for name in chosen if name in {*touched, *without_chart})
    held = own.held(project.policy)
    looked = await looking.over(project, chosen, held, progress=progress, kept=kept)
    settled = settling.settle(project, looked, chosen, base=base, baseline=wanted.baseline)
    environments = project.environments
    if wanted.environment is not None:
        environments = (wanted.environment,)
        settled = accepting.narrowed(settled, wanted.environment)
    unprepared = tuple(_within(looked.unprepared, environments))
    return Result(
        settled.findings,
        chosen,
        environments,
        len(held),
        settled.accepted,
        unprepared,
        {rule.code: _about(rule) for rule in held},
        viewing.prefix(project.tree),
    )


def _about(rule: rulebook.Rule) -> About:
    title, why, fix = (rule.text(part) for part in ("title", "why", "fix"))
    return About(title, why, fix, rule.severity, rule.family, rule.source)


def _check_names(project: views.Project, wanted: Wanted) -> None:
    there = (*project.services, *building.without_chart(project))
    unknown = [name for name in wanted.services if name not in there]
    if unknown:
        known = ", ".join(there) or "-"
        raise errors.WrongUse("services.unknown", service=unknown[0], known=known)
    if wanted.environment is not None and wanted.environment not in project.environments:
        known = ", ".join(project.environments) or "-"
        raise errors.WrongUse(
            "services.unknown-environment", environment=wanted.environment, known=known
        )


def _within(
    unprepared: Iterable[looking.Unprepared], environments: Sequence[str]
) -> Iterator[looking.Unprepared]:
    for each in unprepared:
        names = tuple(name for name in each.environments if name in environments)
        if names:
            yield looking.Unprepared(each.service, names)
