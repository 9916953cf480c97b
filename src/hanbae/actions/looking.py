"""Looks at one service after the other: renders it, runs the rules over it, and finds the lines that a person edits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from msgspec import Struct

from hanbae import errors, subjects
from hanbae.actions import recalling, viewing
from hanbae.apis import serving
from hanbae.charts import pools, rendering
from hanbae.results import findings
from hanbae.rules import claims, ignores, placing, rulebook, running, views

_PASSING: Final = frozenset({"render.died", "render.took-too-long", "check.rule-failed"})
"""What may be otherwise next time, and is therefore not kept."""
AHEAD: Final = 2
"""Services that are read while others are rendered, so that no worker waits; more would only cost memory."""


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


async def look(
    pool: pools.Pool,
    project: views.Project,
    waiting: list[str],
    rules: Sequence[rulebook.Rule],
    *,
    recall: recalling.Recall,
    tell: Callable[[str, Looked], None],
) -> None:
    """Look at services as long as some are waiting, keep what was found, and tell it."""
    while waiting:
        name = waiting.pop()
        recording = recalling.Recording(project)
        looked = await of_service(pool, recording.project, name, rules)
        if not any(each.text.id in _PASSING for each in looked.findings):
            recall.keep(name, recording, looked)
        tell(name, looked)


def claims_of(service: views.Service) -> dict[str, tuple[claims.Claim, ...]]:
    """The objects of each release, for the rule over all services."""
    kinds = serving.cluster_scoped()
    return {name: claims.of(release, kinds) for name, release in service.releases.items()}


async def of_service(
    pool: pools.Pool, project: views.Project, name: str, rules: Sequence[rulebook.Rule]
) -> Looked:
    """Everything that rules find in a service."""
    try:
        seen = await viewing.service(pool, project, name)
    except errors.FileFault as fault:
        comments = ignores.of_service(views.Service(project, name))
        return Looked((viewing.as_finding(fault, name),), comments)
    found = running.over_service(seen.service, rules)
    placed = [plain(each) for each in found if isinstance(each.hit.at, subjects.Place)]
    placed += await _traced(pool, seen.service, found)
    placed += [
        viewing.as_finding(fault, name, (environment,)) for environment, fault in seen.faults
    ]
    idle = tuple(each.environment for each in seen.service.releases.values() if not each.prepared)
    unprepared = (Unprepared(name, idle),) if idle else ()
    comments = ignores.of_service(seen.service)
    return Looked(tuple(placed), comments, unprepared, claims_of(seen.service))


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
            result.append(finding(each, place, precision, each.hit.at.object.ref))
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


def plain(each: running.Found) -> findings.Finding:
    """What was found in a file, as a finding there."""
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
    """What was found, as a finding.

    Args:
        each: What was found.
        place: Where a person edits it.
        precision: How well that is known.
        ref: The object that it was found in.
    """
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
