"""Looks at services: runs the rules over each of them and over the repository around them."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Final

from msgspec import Struct

from hanbae import errors, subjects
from hanbae.apis import serving
from hanbae.charts import pools
from hanbae.checking import (
    findings_of_rules,
    kustomize_builds,
    merging,
    projects,
    result_cache,
    tracing_findings,
    workers,
)
from hanbae.repository import keeping
from hanbae.results import findings
from hanbae.rules import claims, ignores, rulebook, running, sources, views

_PASSING: Final = frozenset({"render.died", "render.took-too-long", "check.rule-failed"})
"""What may be otherwise next time, and is therefore not kept."""
AHEAD: Final = 2
"""Services that are read while others are rendered, so that no worker waits; more would only cost memory."""
_OVER_OBJECTS: Final = frozenset({"kubernetes", "own"})
"""Families whose rules look only at objects, wherever they come from."""
Progress = Callable[[int, int], None]
"""Told how many services have been looked at, of how many."""


class Unprepared(Struct, frozen=True):
    """A service that has not been begun in some environments: no image named and nothing sealed.

    Attributes:
        service: The service.
        environments: The environments.
    """

    service: str
    environments: tuple[str, ...]


class Looked(Struct, frozen=True):
    """What looking at services gives, before anything is accepted.

    Attributes:
        findings: Everything that rules find, merged over environments, by file and line.
        ignores: The comments in the services' files that say that a finding is meant.
        unprepared: What has not been begun.
        claims: Environment → the objects of a service's release.
    """

    findings: tuple[findings.Finding, ...] = ()
    ignores: tuple[ignores.Ignore, ...] = ()
    unprepared: tuple[Unprepared, ...] = ()
    claims: dict[str, tuple[claims.Claim, ...]] = {}


async def over(
    project: views.Project,
    services: Sequence[str],
    rules: Sequence[rulebook.Rule],
    *,
    progress: Progress | None = None,
    kept: keeping.Kept | None = None,
    task: workers.Task | None = None,
    pool: pools.Pool | None = None,
) -> Looked:
    """Everything that rules find, merged over environments and in the order of files and lines.

    Args:
        project: The repository.
        services: The services to look at.
        rules: The rules.
        progress: Told how far it is.
        kept: Results of earlier runs; None to look at everything anew.
        task: What further processes are told; None for one process only.
        pool: What renders; None for a pool of its own.
    """
    found: list[findings.Finding] = []
    charts = [name for name in services if name in project.services]
    recall = result_cache.Recall(kept, project, rules, Looked)
    done: dict[str, Looked] = {}

    def tell(name: str, looked: Looked) -> None:
        done[name] = looked
        if progress is not None:
            progress(len(done), len(charts))

    done.update((name, known) for name in charts if (known := recall.of(name)) is not None)
    waiting = [name for name in reversed(charts) if name not in done]
    others = workers.more(len(waiting)) if task is not None else 0
    async with pools.opened() if pool is None else nullcontext(pool) as renderers:
        if others:
            renderers.narrow(1)  # each of the others has its own
        async with asyncio.TaskGroup() as group:
            overlays = group.create_task(kustomize_builds.built(project, kept))
            for _ in range(others):
                assert task is not None  # noqa: S101  there are others only with a task
                group.create_task(_elsewhere(task, waiting, tell))
            for _ in range(min(renderers.size + AHEAD, len(waiting))):
                looks = look(renderers, project, waiting, rules, recall=recall, tell=tell)
                group.create_task(looks)
        # What a process gave back when nobody here was looking any more.
        await look(renderers, project, waiting, rules, recall=recall, tell=tell)
    recall.close()
    project = overlays.result()
    claimed = [
        ((name, environment), owned)
        for name in charts
        for environment, owned in done[name].claims.items()
    ]
    for service in kustomize_builds.services(project):
        if service.name in {"", *services}:
            found += _of_overlays(service, rules)
            claimed += [
                ((service.name, environment), owned)
                for environment, owned in _claims(service).items()
            ]
    project = dataclasses.replace(project, clashes=claims.clashes(claimed))
    # Last, because some of them look at what all services claim.
    found += [findings_of_rules.plain(each) for each in running.over_project(project, rules)]
    each_service = [done[name] for name in charts]
    found += [finding for each in each_service for finding in each.findings]
    return Looked(
        merging.merged(merging.once(found)),
        tuple(comment for each in each_service for comment in each.ignores),
        tuple(one for each in each_service for one in each.unprepared),
    )


async def _elsewhere(
    task: workers.Task, waiting: list[str], tell: Callable[[str, Looked], None]
) -> None:
    """Have another process look at services as long as some are waiting."""
    async with workers.started(task) as process:
        while waiting:
            names = workers.batch(waiting)
            answers = await process.ask(names)
            if answers is None:
                waiting.extend(reversed(names))
                return
            for name, looked in zip(names, answers, strict=True):
                tell(name, looked)


async def look(
    pool: pools.Pool,
    project: views.Project,
    waiting: list[str],
    rules: Sequence[rulebook.Rule],
    *,
    recall: result_cache.Recall,
    tell: Callable[[str, Looked], None],
) -> None:
    """Look at services as long as some are waiting, keep what was found, and tell it."""
    while waiting:
        name = waiting.pop()
        recording = result_cache.Recording(project)
        looked = await of_service(pool, recording.project, name, rules)
        if not any(each.text.id in _PASSING for each in looked.findings):
            recall.keep(name, recording, looked)
        tell(name, looked)


def _of_overlays(service: views.Service, rules: Sequence[rulebook.Rule]) -> list[findings.Finding]:
    """What the rules over Kubernetes' objects find in what Kustomize built."""
    found = running.over_service(service, [each for each in rules if each.family in _OVER_OBJECTS])
    result = []
    for each in found:
        at = each.hit.at
        if isinstance(at, views.On):
            place, precision = sources.place(service.project, at)
            result.append(findings_of_rules.finding(each, place, precision, at.object.ref))
        else:
            result.append(findings_of_rules.plain(each))
    return result


def _claims(service: views.Service) -> dict[str, tuple[claims.Claim, ...]]:
    """The objects of each release, for the rule over all services."""
    kinds = serving.cluster_scoped()
    return {
        name: claims.of(
            release.objects, cluster=release.settings.workload or "", cluster_scoped=kinds
        )
        for name, release in service.releases.items()
    }


async def of_service(
    pool: pools.Pool, project: views.Project, name: str, rules: Sequence[rulebook.Rule]
) -> Looked:
    """Everything that rules find in a service."""
    try:
        seen = await projects.service(pool, project, name)
    except errors.FileFault as fault:
        comments = ignores.of_service(views.Service(project, name))
        return Looked((projects.as_finding(fault, name),), comments)
    found = running.over_service(seen.service, rules)
    placed = [
        findings_of_rules.plain(each) for each in found if isinstance(each.hit.at, subjects.Place)
    ]
    placed += await tracing_findings.traced(pool, seen.service, found)
    placed += [
        projects.as_finding(fault, name, (environment,)) for environment, fault in seen.faults
    ]
    idle = tuple(each.environment for each in seen.service.releases.values() if not each.prepared)
    unprepared = (Unprepared(name, idle),) if idle else ()
    comments = ignores.of_service(seen.service)
    return Looked(tuple(placed), comments, unprepared, _claims(seen.service))
