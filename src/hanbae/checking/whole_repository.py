"""Inspects all services of a check, with as many processes as pay, and the repository around them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from typing import Final

from hanbae.charts import pools
from hanbae.checking import (
    findings_of_rules,
    inspecting,
    inspection_worker,
    kustomize_builds,
    projects,
    result_cache,
    schedules,
    secrets_of_others,
    tasks,
    workers,
)
from hanbae.repository import keeping
from hanbae.results import findings
from hanbae.rules import claims, documented, rulebook, running, sources, views

_OVER_OBJECTS: Final = frozenset({"kubernetes", "own"})
"""Families whose rules look only at objects, wherever they come from."""
_OF_PODS: Final = frozenset({"SEC001", "SEC002", "SEC006", "SEC020", "SEC021"})
"""Rules over what pods read: these hold for what Kustomize builds as well."""


async def inspect(
    project: views.Project,
    services: Sequence[str],
    rules: Sequence[rulebook.Rule],
    *,
    progress: schedules.Progress | None = None,
    cache: keeping.Cache | None = None,
    task: inspection_worker.Task | None = None,
    pool: pools.Pool | None = None,
    idle: workers.Idle | None = None,
) -> inspecting.Inspection:
    """Everything that rules find, with the comments and what is not prepared, in the order of the services.

    Args:
        project: The repository.
        services: The services to inspect.
        rules: The rules.
        progress: Called whenever a service has been inspected.
        cache: Results of earlier runs; None to inspect everything anew.
        task: What further processes are started with; None for one process only.
        pool: What renders; None for a pool of its own.
        idle: Further processes that have started up before; None to start them where they pay.
    """
    charts = [name for name in services if name in project.services]
    results = result_cache.ResultCache(cache, project, rules)
    schedule = schedules.Schedule(charts, progress)
    schedule.recall(results.inspections(charts))
    async with pools.opened() if pool is None else nullcontext(pool) as renderers:
        project = await _work(
            schedule, renderers, project, rules, results, cache=cache, task=task, idle=idle
        )
    results.close()
    inspections = schedule.inspections()
    overlays = [
        # The environments' own overlays belong to no service, and are looked at in every check.
        service
        for service in kustomize_builds.services(project)
        if service.name in {"", *services}
    ]
    claimed = list(_claimed(zip(charts, inspections, strict=True), overlays))
    described = {
        (name, environment): service
        for name, inspection in zip(charts, inspections, strict=True)
        for environment, service in inspection.rights.items()
    }
    for service in overlays:
        if service.name in project.chartless:
            described |= {
                (service.name, environment): right
                for environment, right in inspecting.rights_of(service).items()
            }
    deployed = {
        name: inspection.deployed
        for name, inspection in zip(charts, inspections, strict=True)
        if inspection.deployed is not None
    }
    deployed |= {
        service.name: by_environment
        for service in overlays
        if service.name in project.chartless
        and not any(built.fault for built in project.overlays if built.service == service.name)
        and (by_environment := documented.deployed(service)) is not None
    }
    project = dataclasses.replace(
        project, clashes=claims.clashes(claimed), rights=described, deployed=deployed
    )
    located = [finding for service in overlays for finding in _of_overlays(service, rules)]
    located += [
        projects.as_finding(built.fault, built.service, (built.environment,))
        for built in project.overlays
        if built.fault is not None and built.service in services
    ]
    located += map(findings_of_rules.plain, running.over_project(project, rules))
    located += (finding for inspection in inspections for finding in inspection.findings)
    return inspecting.Inspection(
        tuple(secrets_of_others.without(located, claimed, project.policy)),
        tuple(comment for inspection in inspections for comment in inspection.ignores),
        tuple(service for inspection in inspections for service in inspection.unprepared),
    )


async def _work(
    schedule: schedules.Schedule,
    pool: pools.Pool,
    project: views.Project,
    rules: Sequence[rulebook.Rule],
    results: result_cache.ResultCache,
    *,
    cache: keeping.Cache | None,
    task: inspection_worker.Task | None,
    idle: workers.Idle | None,
) -> views.Project:
    """Inspect what is scheduled while the overlays are built; the repository with these overlays."""
    further = workers.further(schedule.waiting) if task is not None else 0
    if further and task is not None:
        pool.narrow(1)  # each of the further processes has a renderer of its own
        task = task.of(project)
    async with tasks.group() as group:
        overlays = group.create_task(kustomize_builds.built(project, cache))
        for _ in range(further):
            if task is not None:
                group.create_task(workers.work(schedule, task, idle))
        for _ in range(min(pool.size + schedules.AHEAD, schedule.waiting)):
            group.create_task(schedules.work(schedule, pool, project, rules, results))
    # What a process gave back when nobody here was looking any more.
    await schedules.work(schedule, pool, project, rules, results)
    return overlays.result()


def _claimed(
    inspections: Iterable[tuple[str, inspecting.Inspection]], overlays: Iterable[views.Service]
) -> Iterator[tuple[claims.Owner, Iterable[claims.Claim]]]:
    """Which release has which objects, in the order of the services."""
    for name, inspection in inspections:
        for environment, claimed in inspection.claims.items():
            yield (name, environment), claimed
    for service in overlays:
        for environment, claimed in inspecting.claims_of(service).items():
            yield (service.name, environment), claimed


def _of_overlays(
    service: views.Service, rules: Sequence[rulebook.Rule]
) -> Iterator[findings.Finding]:
    """What the rules over Kubernetes' objects find in what Kustomize built."""
    object_rules = [rule for rule in rules if rule.family in _OVER_OBJECTS or rule.code in _OF_PODS]
    for hit in running.over_service(service, object_rules):
        where = hit.hit.place
        if isinstance(where, views.On):
            place, precision = sources.place(service.project, where)
            yield findings_of_rules.finding(hit, place, precision, where.object.ref)
        else:
            yield findings_of_rules.plain(hit)
