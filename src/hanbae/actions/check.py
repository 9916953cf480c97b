"""``hanbae check``: every service in every environment against the rules, and where a person mends what they find."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from hanbae import errors, wording
from hanbae.actions import (
    accepting,
    baselines,
    building,
    dividing,
    looking,
    recalling,
    touching,
    viewing,
)
from hanbae.charts import pools
from hanbae.policy import documents, loading
from hanbae.repository import keeping
from hanbae.results import findings
from hanbae.rules import ignores, own, rulebook, running, sources, views

_OVER_OBJECTS: Final = frozenset({"kubernetes", "own"})
"""Families whose rules look only at objects, wherever they come from."""
_OF_LINKS: Final = frozenset({"repository.link-out", "repository.unreadable"})


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


Progress = Callable[[int, int], None]
"""Told how many services have been looked at, of how many."""


async def check(
    directory: Path,
    wanted: Wanted | None = None,
    *,
    progress: Progress | None = None,
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
    project, base = opened(directory, wanted)
    _check_names(project, wanted)
    without_chart = building.without_chart(project)
    chosen = wanted.services or (*project.services, *without_chart)
    if wanted.changed_since is not None:
        before = viewing.at(loading.find(directory).parent, wanted.changed_since)
        touched = touching.services(project, touching.changed(before, project.tree))
        chosen = tuple(name for name in chosen if name in {*touched, *without_chart})
    held = rules(project.policy)
    folder = str(kept.folder) if kept is not None else None
    asked = msgspec.Raw(msgspec.msgpack.encode(wanted))
    task = dividing.Task(str(directory), asked, project.now, folder)
    looked = await over(project, chosen, held, progress=progress, kept=kept, task=task)
    settled = settle(project, looked, chosen, base=base, baseline=wanted.baseline)
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


def opened(
    directory: Path, wanted: Wanted, *, now: datetime | None = None
) -> tuple[views.Project, views.Project | None]:
    """The repository as it is to be checked, and the one whose policy, baseline and comments count if not its own.

    Args:
        directory: The folder of the policy, or one below it.
        wanted: What is to be checked.
        now: The time of the check; None for this moment.
    """
    project = viewing.project(directory, revision=wanted.revision)
    base = viewing.project(directory, revision=wanted.policy_from) if wanted.policy_from else None
    if base is not None:
        names = viewing.services(base.policy, project.tree)
        project = dataclasses.replace(base, tree=project.tree, services=names)
    if now is not None:
        project = dataclasses.replace(project, now=now)
    return project, base


def rules(policy: documents.Policy) -> tuple[rulebook.Rule, ...]:
    """All rules that a repository is held to: hanbae's, and those of its policy."""
    return (*rulebook.rules().values(), *own.rules(policy))


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


def settle(
    project: views.Project,
    looked: looking.Looked,
    services: Sequence[str],
    *,
    base: views.Project | None = None,
    baseline: bool = True,
) -> accepting.Settled:
    """What is left when comments and the baseline have accepted what they may.

    Args:
        project: The repository.
        looked: What was found in it.
        services: The services that were looked at.
        base: The repository at the commit whose comments and baseline count; None for its own.
        baseline: Whether the baseline counts.
    """
    everything = set(services) >= set(project.services)
    shared = ignores.of_project(project)
    comments = [*shared, *looked.ignores]
    allowed = None
    if base is not None:
        paths = {each.place.file for each in comments}
        allowed = accepting.in_base(comments, ignores.read(base.tree, paths))
    # What is shared may be meant for a service that was not looked at.
    codes = [*rulebook.rules(), *(f"{rulebook.OWN}{each.id}" for each in project.policy.rules)]
    unsure = () if everything else shared
    settled = accepting.ignored(
        looked.findings, comments, known=codes, allowed=allowed, unsure=unsure
    )
    known = baselines.read((base or project).tree) if baseline else None
    if known is not None:
        source = (base or project).tree.read(baselines.NAME) or b""
        only = None if everything else services
        settled = baselines.applied(settled, known, source=source, services=only)
    return accepting.Settled(ordered(settled.findings), settled.accepted)


def _within(
    unprepared: Iterable[looking.Unprepared], environments: Sequence[str]
) -> Iterator[looking.Unprepared]:
    for each in unprepared:
        names = tuple(name for name in each.environments if name in environments)
        if names:
            yield looking.Unprepared(each.service, names)


async def over(
    project: views.Project,
    services: Sequence[str],
    rules: Sequence[rulebook.Rule],
    *,
    progress: Progress | None = None,
    kept: keeping.Kept | None = None,
    task: dividing.Task | None = None,
) -> looking.Looked:
    """Everything that rules find, merged over environments and in the order of files and lines.

    Args:
        project: The repository.
        services: The services to look at.
        rules: The rules.
        progress: Told how far it is.
        kept: Results of earlier runs; None to look at everything anew.
        task: What further processes are told; None for one process only.
    """
    found: list[findings.Finding] = []
    charts = [name for name in services if name in project.services]
    recall = recalling.Recall(kept, project, rules, looking.Looked)
    done: dict[str, looking.Looked] = {}
    unclaimed = charts[::-1]

    def claim() -> None:
        # In the services' order: of two that claim an object the later is at fault, whoever was looked at first.
        while unclaimed and unclaimed[-1] in done:
            name = unclaimed.pop()
            _claim(project, name, done[name])
            done[name] = msgspec.structs.replace(done[name], claims={})

    def tell(name: str, looked: looking.Looked) -> None:
        done[name] = looked
        claim()
        if progress is not None:
            progress(len(done), len(charts))

    done.update((name, known) for name in charts if (known := recall.of(name)) is not None)
    claim()
    waiting = [name for name in reversed(charts) if name not in done]
    others = dividing.more(len(waiting)) if task is not None else 0
    async with pools.opened(0 if not others else 1) as pool:
        async with asyncio.TaskGroup() as group:
            overlays = group.create_task(building.built(project, kept))
            for _ in range(others):
                assert task is not None  # noqa: S101  there are others only with a task
                group.create_task(_elsewhere(task, waiting, tell))
            for _ in range(min(pool.size + looking.AHEAD, len(waiting))):
                look = looking.look(pool, project, waiting, rules, recall=recall, tell=tell)
                group.create_task(look)
        # What a process gave back when nobody here was looking any more.
        await looking.look(pool, project, waiting, rules, recall=recall, tell=tell)
    recall.close()
    project = overlays.result()
    for service in building.services(project):
        if service.name in {"", *services}:
            found += _of_overlays(service, rules)
    # Last, because some of them look at what all services claimed.
    found += [looking.plain(each) for each in running.over_project(project, rules)]
    each_service = [done[name] for name in charts]
    found += [finding for each in each_service for finding in each.findings]
    return looking.Looked(
        merged(_once(found)),
        tuple(comment for each in each_service for comment in each.ignores),
        tuple(one for each in each_service for one in each.unprepared),
    )


async def _elsewhere(
    task: dividing.Task, waiting: list[str], tell: Callable[[str, looking.Looked], None]
) -> None:
    """Have another process look at services as long as some are waiting."""
    async with dividing.started(task) as process:
        while waiting:
            names = dividing.batch(waiting)
            answers = await process.ask(names)
            if answers is None:
                waiting.extend(reversed(names))
                return
            for name, looked in zip(names, answers, strict=True):
                tell(name, looked)


def _of_overlays(service: views.Service, rules: Sequence[rulebook.Rule]) -> list[findings.Finding]:
    """What the rules over Kubernetes' objects find in what Kustomize built."""
    for environment, each_claims in looking.claims_of(service).items():
        service.project.claims.add((service.name, environment), each_claims)
    found = running.over_service(service, [each for each in rules if each.family in _OVER_OBJECTS])
    result = []
    for each in found:
        at = each.hit.at
        if isinstance(at, views.On):
            place, precision = sources.place(service.project, at)
            result.append(looking.finding(each, place, precision, at.object.ref))
        else:
            result.append(looking.plain(each))
    return result


def _claim(project: views.Project, service: str, looked: looking.Looked) -> None:
    """Remember whose objects these are."""
    for environment, found in looked.claims.items():
        project.claims.add((service, environment), found)


def _once(found: Sequence[findings.Finding]) -> Iterator[findings.Finding]:
    """Findings without those that say of a link what a rule says in its own words."""
    told = {each.place.file for each in found if each.code == "LAY012"}
    for each in found:
        if each.text.id not in _OF_LINKS or each.place.file not in told:
            yield each


def merged(found: Iterable[findings.Finding]) -> tuple[findings.Finding, ...]:
    """Findings that differ only in the environment as one, in the order of files, lines and codes."""
    by_rest: dict[Any, list[findings.Finding]] = {}
    for each in found:
        ref = each.object.kind if each.object else ""
        key = (each.code, each.place, each.text.id, str(each.text), each.service, ref)
        by_rest.setdefault(key, []).append(each)
    return ordered(_joined(same) for same in by_rest.values())


def ordered(found: Iterable[findings.Finding]) -> tuple[findings.Finding, ...]:
    """Findings in the order of files, lines and codes."""
    return tuple(sorted(found, key=lambda each: (each.place, each.code, str(each.text))))


def _joined(same: list[findings.Finding]) -> findings.Finding:
    import msgspec

    names = dict.fromkeys(name for each in same for name in each.environments)
    return msgspec.structs.replace(same[0], environments=tuple(names))
