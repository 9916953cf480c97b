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
    charts = _charts(directory, names)
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
    charts = _charts(directory, names)
    async with pools.opened(1) as pool, fetching.opened(pool) as fetcher:
        return tuple([await _updated(chart, pool, fetcher, dry_run, say) for chart in charts])


def _charts(directory: Path, names: Sequence[str]) -> list[dependents.Dependent]:
    """The charts of services that have dependencies, each once."""
    loaded: loading.Loaded = services.opened(directory)
    chosen = services.check(loaded, *names) if not names else tuple(dict.fromkeys(names))
    services.check(loaded, *chosen)
    tree = trees.WorkingTree(loaded.root)
    charts: dict[str, dependents.Dependent] = {}
    for name in chosen:
        folder = str(naming.chart(loaded.policy, name))
        if folder in charts:
            charts[folder].services.append(name)
            continue
        chart = dependents.Dependent(loaded.root, tree, folder, [name])
        if chart.declared.dependencies:
            charts[folder] = chart
    return list(charts.values())


async def _built(
    chart: dependents.Dependent, fetcher: fetching.Fetching, say: dependents.Say
) -> dependencies.Chart:
    result = []
    for index in range(len(chart.declared.dependencies)):
        member = chart.found(index)
        if member.outcome == "wanted":
            member = await dependents.fetched(chart, index, member.version, fetcher, say)
        result.append(member)
    return chart.result(result)


async def _updated(
    chart: dependents.Dependent,
    pool: pools.Pool,
    fetcher: fetching.Fetching,
    dry_run: bool,
    say: dependents.Say,
) -> dependencies.Chart:
    declarations = chart.declared.dependencies
    result: list[dependencies.Dependency] = []
    for index, dependency in enumerate(declarations):
        if dependency.origin in ("file", "vendored"):
            result.append(await dependents.near(chart, index, pool))
            continue
        facts = {"name": dependency.name, "repository": dependency.repository}
        say(wording.Text("dependencies.asking", facts))
        newest = await fetcher.find(dependency, chart.place(index))
        member = chart.found(index, newest.version)
        if member.outcome == "wanted" and not dry_run:
            member = await dependents.fetched(
                chart, index, newest.version, fetcher, say, newest=newest
            )
        result.append(member)
    entries = [dependents.locked(item) for item in result]
    lock: dependencies.Lock = "current"
    present = chart.declared.lock
    if present is None or present.digest != declared.digest(declarations, entries):
        lock = "stale" if dry_run else "written"
        # A dry run has fetched nothing, so there is nothing that a lock could stand for yet.
        if not dry_run:
            text = declared.lock_text(declarations, entries, datetime.now(UTC))
            writing_files.place(chart.root, {chart.lock_file: text}, overwrite=True)
    return chart.result(result, lock)
