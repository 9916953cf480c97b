"""``hanbae plan --base --head``: what one revision makes of another, without a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from hanbae import errors, subjects
from hanbae.charts import pools
from hanbae.checking import projects, settling, tasks, whole_repository
from hanbae.planning import forecasting, migrating, scheduling
from hanbae.planning import releases as planned
from hanbae.policy import folders, loading, naming
from hanbae.policy.environments import require as require_environment
from hanbae.repository import checkouts
from hanbae.repository.services import require as require_services
from hanbae.repository.services import source as services_source
from hanbae.results import findings, previews
from hanbae.rules import own, views

# Services whose files are read while others are rendered, so that no renderer waits.
_AHEAD = 2


class _Side(Struct, frozen=True):
    """A service at one revision; no releases where the revision has none of it."""

    project: views.Project
    rendered: projects.RenderedService | None
    fault: errors.FileFault | None = None

    def release(self, environment: str) -> views.Release | None:
        return (
            self.rendered.service.releases.get(environment) if self.rendered is not None else None
        )

    def faulty(self, environment: str) -> errors.FileFault | None:
        if self.rendered is None:
            return self.fault
        return dict(self.rendered.faults).get(environment)


async def compare(
    directory: Path,
    *,
    base: str,
    head: str,
    services: Sequence[str] = (),
    environment: str | None = None,
) -> previews.Comparison:
    """Hold two revisions against each other.

    Args:
        directory: The folder of the policy, or one below it.
        base: What is there, as git names it.
        head: What is to come.
        services: Only these; empty for all that either has.
        environment: Only this; None for all that either has.

    Raises:
        hanbae.errors.WrongUse: No policy, no such revision, service or environment.
        hanbae.errors.FileFault: The policy has a fault.
    """
    after = projects.project(directory, revision=head)
    before = projects.at_base(directory, base, after)
    sides = (after, before)
    names = tuple(dict.fromkeys(name for side in sides for name in _names(side)))
    source = services_source(after.policy, base, head)
    require_services(services, names, source=source)
    if environment is not None:
        require_environment(environment, after.policy, before.policy)
    environments = tuple(dict.fromkeys((*after.environments, *before.environments)))
    touched = _touched(before, after)
    compared_names = [
        name for name in tuple(services) or names if touched is None or name in touched
    ]
    environment_names = (environment,) if environment is not None else environments
    compared = await _services(before, after, sorted(compared_names), environment_names)
    first, second = _commits(directory, base, head)
    new = await _new(before, after, compared_names, environment_names) if first != second else ()
    return previews.Comparison(first, second, compared, new)


def _names(project: views.Project) -> tuple[str, ...]:
    """The services of a revision, those without a chart behind the others."""
    return (*project.services, *project.chartless)


def _commits(directory: Path, *names: str) -> tuple[str, ...]:
    """The ids of commits, whatever else git calls them."""
    checkout = checkouts.Checkout.open(loading.find(directory).parent)
    return tuple(checkout.revision(name).commit for name in names)


def _touched(before: views.Project, after: views.Project) -> frozenset[str] | None:
    """The services whose own folders differ; None when something else that counts does, such as a shared chart."""
    old, new = before.tree.files(), after.tree.files()
    owners: dict[str, set[str]] = {}
    for project in (before, after):
        for name in _names(project):  # several may share a chart
            owners.setdefault(str(naming.around(project.policy, name)), set()).add(name)
    # Of a service without a chart nobody knows what else its files are put together from.
    all_have_charts = not (before.chartless or after.chartless)
    touched: set[str] = set()
    for path in old.keys() | new.keys():
        if old.get(path) == new.get(path):
            continue
        names = [own for folder, own in owners.items() if folders.holds(folder, path)]
        if not names and not path.endswith(".md") and not (all_have_charts and _is_k8s(path)):
            return None
        touched.update(*names)
    # Below k8s/ may be Applications, which decide parameters.
    if before.shared.written_sources != after.shared.written_sources:
        return None
    return frozenset(touched)


def _is_k8s(path: str) -> bool:
    """Whether a file is below the folder of what hanbae writes for a cluster."""
    return path.startswith("k8s/")


async def _services(
    before: views.Project, after: views.Project, names: Sequence[str], environments: Sequence[str]
) -> tuple[previews.Compared, ...]:
    compared: dict[str, list[previews.Compared]] = {}
    waiting = list(reversed(names))

    async def work(pool: pools.Pool) -> None:
        while waiting:
            name = waiting.pop()
            sides = await _side(pool, before, name), await _side(pool, after, name)
            compared[name] = [
                service
                for service in (_compared(name, env, *sides) for env in environments)
                if service.changes
            ]

    if waiting:
        async with pools.opened() as pool, tasks.group() as group:
            for _ in range(min(pool.size + _AHEAD, len(waiting))):
                group.create_task(work(pool))
    return tuple(comparison for name in names for comparison in compared[name])


async def _side(pool: pools.Pool, project: views.Project, name: str) -> _Side:
    """The one place where a revision is rendered."""
    if name not in _names(project):
        return _Side(project, None)
    try:
        return _Side(project, await projects.service(pool, project, name, as_written=True))
    except errors.FileFault as fault:
        return _Side(project, None, fault)


def _compared(name: str, environment: str, before: _Side, after: _Side) -> previews.Compared:
    for side in (after, before):
        fault = side.faulty(environment)
        if fault is not None:
            return _faulty(name, environment, fault, "head" if side is after else "base")
    old, new = before.release(environment), after.release(environment)
    objects = _objects(old), _objects(new)
    spaces = _namespace(before, name, environment), _namespace(after, name, environment)
    try:
        theirs = _migrations(before, old)
    except errors.FileFault as fault:
        return _faulty(name, environment, fault, "base")
    try:
        ours = _migrations(after, new)
    except errors.FileFault as fault:
        return _faulty(name, environment, fault, "head")
    migrations = forecasting.migrations(theirs, ours, paths=_paths(after, new))
    forecast = forecasting.between(*objects, spaces)
    moved = any(change.outcome != "unchanged" for change in forecast)
    return previews.Compared(
        name,
        environment,
        forecast,
        forecasting.images(*objects, spaces),
        migrations,
        _hooks(objects[1], spaces[1]) if moved or migrations else (),
    )


def _faulty(
    name: str, environment: str, fault: errors.FileFault, side: Literal["base", "head"]
) -> previews.Compared:
    return previews.Compared(name, environment, fault=fault.text, place=fault.place, faulty=side)


def _hooks(objects: Sequence[dict[str, Any]], namespace: str) -> tuple[subjects.Ref, ...]:
    """The hooks of a sync in their order."""
    waves = scheduling.waves(objects, namespace)
    return tuple(dict.fromkeys(hook for wave in waves for hook in wave.hooks))


def _objects(release: views.Release | None) -> list[dict[str, Any]]:
    return [item.data for item in release.objects] if release is not None else []


def _namespace(side: _Side, name: str, environment: str) -> str:
    policy = side.project.policy
    return naming.namespace(policy, name, environment) if environment in policy.environments else ""


def _migrations(side: _Side, release: views.Release | None) -> dict[str, dict[int, str]]:
    if release is None or not release.model.begun:
        return {}  # without an image nothing is migrated
    service = planned.Databases(release.model, release.migrated)
    return migrating.of(side.project.tree, service, release.service.migrations)


def _paths(side: _Side, release: views.Release | None) -> dict[str, dict[int, str]]:
    if release is None:
        return {}
    service = planned.Databases(release.model, release.migrated)
    return migrating.paths(side.project.tree, service, release.service.migrations)


async def _new(
    before: views.Project, after: views.Project, names: Sequence[str], environments: Sequence[str]
) -> tuple[findings.Finding, ...]:
    """What a check of the head finds and one of the base does not, wherever in its file it stands.

    Only comments and the baseline of the base count: a branch must not accept for its reviewer what it brings.
    """
    old = await _findings(before, names, before)
    new = await _findings(after, names, before)
    in_base = {_identity(finding) for finding in old}
    return tuple(
        finding
        for finding in new
        if _identity(finding) not in in_base
        and (not finding.environments or set(finding.environments) & set(environments))
    )


async def _findings(
    project: views.Project, names: Sequence[str], base: views.Project
) -> tuple[findings.Finding, ...]:
    """What a check finds and nothing in the base has accepted."""
    present = [name for name in names if name in _names(project)]
    inspection = await whole_repository.inspect(project, present, own.held(project.policy))
    return settling.settle(project, inspection, present, base=base).findings


def _identity(finding: findings.Finding) -> tuple[object, ...]:
    where = finding.object, finding.environments
    return finding.code, finding.place.file, str(finding.text), finding.service, *where
