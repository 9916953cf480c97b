"""Fetches the charts that services' charts depend on, and locks their versions, as Helm does.

``build`` obeys ``Chart.lock`` as ``helm dependency build`` does, which Argo CD runs; ``update`` chooses versions as
``helm dependency update`` does and writes the lock. Neither writes into ``charts``: what was fetched is in the user's
cache, where rendering looks for it.
Each archive and each lock appears whole; whatever was interrupted is simply run again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from hanbae import wording
from hanbae.charts import declared, dependents, fetching, pools
from hanbae.policy import loading, naming
from hanbae.repository import services, trees, writing_files
from hanbae.results import dependencies


async def build(
    directory: Path,
    names: Sequence[str] = (),
    *,
    check: bool = False,
    say: dependents.Say = lambda _: None,
) -> tuple[dependencies.Chart, ...]:
    """Fetch what the locks of charts name and is not here.

    Args:
        directory: The repository or a folder in it.
        names: The services; none for all.
        check: Fetch nothing and ask nobody: only say what is not here.
        say: Is told what begins.

    Returns:
        The charts that have dependencies.

    Raises:
        hanbae.errors.WrongUse: No policy, or no such service.
        hanbae.errors.FileFault: A lock is stale or lacks a version, or what it names is not to be had.
        hanbae.errors.Error: A repository does not answer, or not well.
    """
    loaded = services.opened(directory)
    charts = _charts(loaded, names)
    if check:
        return tuple(chart.result() for chart in charts)
    for chart in charts:
        chart.require_lock()
    async with pools.opened(1) as pool, fetching.opened(pool) as fetcher:
        return tuple([await _built(chart, fetcher, say) for chart in charts])


async def update(
    directory: Path,
    names: Sequence[str] = (),
    *,
    dry_run: bool = False,
    say: dependents.Say = lambda _: None,
) -> tuple[dependencies.Chart, ...]:
    """Choose the newest versions that charts want, fetch them, and write the locks.

    Args:
        directory: The repository or a folder in it.
        names: The services; none for all.
        dry_run: Ask the repositories, but fetch and write nothing: ``stale`` is a lock that would be written.
        say: Is told what begins.

    Returns:
        The charts that have dependencies.

    Raises:
        hanbae.errors.WrongUse: No policy, or no such service.
        hanbae.errors.FileFault: There is no version as it is wanted, or its archive is not what was announced.
        hanbae.errors.Error: A repository does not answer, or not well.
    """
    loaded = services.opened(directory)
    charts = _charts(loaded, names)
    updated = []
    async with pools.opened(1) as pool, fetching.opened(pool) as fetcher:
        for chart in charts:
            members = await _newest(chart, pool, fetcher, dry_run, say)
            updated.append(_locked(loaded.root, chart, members, dry_run=dry_run))
    return tuple(updated)


def _charts(loaded: loading.Loaded, names: Sequence[str]) -> list[dependents.Dependent]:
    """The charts of services that have dependencies, each once."""
    service_names = services.check(loaded, *names) if not names else tuple(dict.fromkeys(names))
    services.check(loaded, *service_names)
    tree = trees.WorkingTree(loaded.root)
    charts: dict[str, dependents.Dependent] = {}
    for name in service_names:
        folder = str(naming.chart(loaded.policy, name))
        if folder in charts:
            charts[folder].services.append(name)
            continue
        chart = dependents.Dependent(tree, folder, name)
        if chart.declared.dependencies:
            charts[folder] = chart
    return list(charts.values())


async def _built(
    chart: dependents.Dependent, fetcher: fetching.Fetching, say: dependents.Say
) -> dependencies.Chart:
    result = []
    for index in range(len(chart.declared.dependencies)):
        member = chart.dependency(index)
        if member.outcome == "wanted":
            member = await chart.fetched(index, member.version, fetcher, say)
        result.append(member)
    return chart.result(result)


async def _newest(
    chart: dependents.Dependent,
    pool: pools.Pool,
    fetcher: fetching.Fetching,
    dry_run: bool,
    say: dependents.Say,
) -> list[dependencies.Dependency]:
    """The newest of each dependency, here unless nothing is to be fetched."""
    result: list[dependencies.Dependency] = []
    for index, dependency in enumerate(chart.declared.dependencies):
        if dependency.origin in ("file", "vendored"):
            result.append(await chart.near(index, pool))
            continue
        facts = {"name": dependency.name, "repository": dependency.repository}
        say(wording.Text("dependencies.asking", facts))
        newest = await fetcher.find(dependency, chart.place(index))
        member = chart.dependency(index, newest.version)
        if member.outcome == "wanted" and not dry_run:
            member = await chart.fetched(index, newest.version, fetcher, say, newest=newest)
        result.append(member)
    return result


def _locked(
    root: Path,
    chart: dependents.Dependent,
    members: Sequence[dependencies.Dependency],
    *,
    dry_run: bool,
) -> dependencies.Chart:
    """Write the chart's lock, where another one is there, or none."""
    declarations = chart.declared.dependencies
    entries = [dependents.locked(member) for member in members]
    lock: dependencies.Lock = "current"
    present = chart.declared.lock
    if present is None or present.digest != declared.digest(declarations, entries):
        lock = "stale" if dry_run else "written"
        # A dry run has fetched nothing, so there is nothing that a lock could stand for yet.
        if not dry_run:
            text = declared.lock_text(declarations, entries, datetime.now(UTC))
            writing_files.place(root, {chart.lock_file: text}, overwrite=True)
    return chart.result(members, lock)
