"""``hanbae check``: every service in every environment against the rules, and where a person mends what they find."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from hanbae import errors, subjects
from hanbae.actions import recalling, viewing
from hanbae.charts import pools, rendering
from hanbae.repository import keeping
from hanbae.results import findings
from hanbae.rules import own, placing, rulebook, running, views

_PASSING: Final = frozenset({"render.died", "render.took-too-long", "check.rule-failed"})
"""What may be otherwise next time, and is therefore not kept."""
_AHEAD: Final = 2
"""Services that are read while others are rendered, so that no worker waits; more would only cost memory."""


class Result(Struct, frozen=True):
    """What a check found.

    Attributes:
        findings: By file and line.
        services: The services that were checked.
        environments: The environments that they were checked in.
        rules: How many rules there were.
    """

    findings: tuple[findings.Finding, ...]
    services: tuple[str, ...]
    environments: tuple[str, ...]
    rules: int


async def check(
    directory: Path,
    *,
    services: Sequence[str] = (),
    revision: str | None = None,
    kept: keeping.Kept | None = None,
) -> Result:
    """Check services and the repository around them.

    Args:
        directory: The folder of the policy, or one below it.
        services: The services to check; empty for all.
        revision: A commit to check instead of the working tree.
        kept: Results of earlier runs; None to check everything anew.

    Raises:
        hanbae.errors.WrongUse: No policy, no such revision, or no such service.
        hanbae.errors.FileFault: The policy has a fault.
    """
    project = viewing.project(directory, revision=revision)
    unknown = [name for name in services if name not in project.services]
    if unknown:
        known = ", ".join(project.services) or "-"
        raise errors.WrongUse("services.unknown", service=unknown[0], known=known)
    chosen = tuple(services) or project.services
    rules = (*rulebook.rules().values(), *own.rules(project.policy))
    found = await over(project, chosen, rules, kept=kept)
    return Result(found, chosen, project.environments, len(rules))


async def over(
    project: views.Project,
    services: Sequence[str],
    rules: Sequence[rulebook.Rule],
    *,
    kept: keeping.Kept | None = None,
) -> tuple[findings.Finding, ...]:
    """Everything that rules find, merged over environments and in the order of files and lines."""
    found = [_plain(each) for each in running.over_project(project, rules)]
    recall = recalling.Recall(kept, project, rules, list[findings.Finding])
    known = {name: recall.of(name) for name in services}
    found += [finding for each in known.values() for finding in each or ()]
    waiting = [name for name in reversed(services) if known[name] is None]

    async def work(pool: pools.Pool) -> None:
        while waiting:
            name = waiting.pop()
            recording = recalling.Recording(project)
            result = await of_service(pool, recording.project, name, rules)
            found.extend(result)
            if not any(each.text.id in _PASSING for each in result):
                recall.keep(name, recording, result)

    async with pools.opened() as pool, asyncio.TaskGroup() as group:
        for _ in range(min(pool.size + _AHEAD, len(waiting))):
            group.create_task(work(pool))
    recall.close()
    return merged(found)


async def of_service(
    pool: pools.Pool, project: views.Project, name: str, rules: Sequence[rulebook.Rule]
) -> list[findings.Finding]:
    """Everything that rules find in a service."""
    try:
        seen = await viewing.service(pool, project, name)
    except errors.FileFault as fault:
        return [viewing.as_finding(fault, name)]
    found = running.over_service(seen.service, rules)
    placed = [_plain(each) for each in found if isinstance(each.hit.at, subjects.Place)]
    placed += await _traced(pool, seen.service, found)
    return placed + [
        viewing.as_finding(fault, name, (environment,)) for environment, fault in seen.faults
    ]


async def _traced(
    pool: pools.Pool, service: views.Service, found: Iterable[running.Found]
) -> list[findings.Finding]:
    """Findings in rendered objects, at the lines that a person edits."""
    wanted: dict[str, list[running.Found]] = {}
    for each in found:
        if isinstance(each.hit.at, views.On):
            wanted.setdefault(each.environment, []).append(each)
    result = []
    for environment, hits in wanted.items():
        # A rule over the whole service shows an object of one of its releases.
        name = environment or next(iter(service.releases))
        texts, documents = await _numbered(pool, service, name)
        for each in hits:
            assert isinstance(each.hit.at, views.On)  # noqa: S101  chosen above
            place, precision = placing.place(service.releases[name], each.hit.at, texts, documents)
            result.append(_finding(each, place, precision, each.hit.at.object.ref))
    return result


async def _numbered(
    pool: pools.Pool, service: views.Service, environment: str
) -> tuple[dict[str, str], tuple[tuple[str, Any], ...]]:
    """A release rendered again with numbered templates; nothing where they do not render."""
    project = service.project
    try:
        values = project.tree.read(service.releases[environment].values_file) or b""
        want = viewing.want(project.policy, service.name, environment, values)
        (answer,) = await rendering.answers(
            pool, project.tree, service.chart, [want], changed=placing.numbered, texts=True
        )
    except errors.FileFault:
        return {}, ()
    return answer.texts, answer.documents


def _plain(each: running.Found) -> findings.Finding:
    at = each.hit.at
    if isinstance(at, views.On):  # of a rule over the repository; only its template is known
        return _finding(each, subjects.Place(at.object.template), "template", at.object.ref)
    return _finding(each, at, "exact" if at.line else "file", None)


def _finding(
    each: running.Found,
    place: subjects.Place,
    precision: findings.Precision,
    ref: subjects.Ref | None,
) -> findings.Finding:
    hit = each.hit
    part = f"found-{hit.variant}" if hit.variant else "found"
    failed = hit.variant == "failed"
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


def merged(found: Iterable[findings.Finding]) -> tuple[findings.Finding, ...]:
    """Findings that differ only in the environment as one, in the order of files, lines and codes."""
    by_rest: dict[Any, list[findings.Finding]] = {}
    for each in found:
        ref = each.object.kind if each.object else ""
        key = (each.code, each.place, each.text.id, str(each.text), each.service, ref)
        by_rest.setdefault(key, []).append(each)
    result = [_joined(same) for same in by_rest.values()]
    return tuple(sorted(result, key=lambda each: (each.place, each.code, str(each.text))))


def _joined(same: list[findings.Finding]) -> findings.Finding:
    import msgspec

    names = dict.fromkeys(name for each in same for name in each.environments)
    return msgspec.structs.replace(same[0], environments=tuple(names))
