"""Fetches the charts that services' charts depend on, and locks their versions, as Helm does.

``build`` obeys ``Chart.lock`` as ``helm dependency build`` does, which Argo CD runs; ``update`` chooses versions as
``helm dependency update`` does and writes the lock. Neither writes into ``charts``: what was fetched is in the user's
cache, where rendering looks for it.
Each archive and each lock appears whole; whatever was interrupted is simply run again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from hanbae import errors, libyaml, subjects, wording
from hanbae.charts import choosing, declared, dependency_cache, fetching, gathering, pools
from hanbae.policy import loading, naming
from hanbae.repository import services, trees, writing_files
from hanbae.results import dependencies

Say = Callable[[wording.Text], None]
"""Is told what begins."""


async def build(
    directory: Path,
    names: Sequence[str] = (),
    *,
    check: bool = False,
    say: Say = lambda _: None,
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
    say: Say = lambda _: None,
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


@dataclass
class _Chart:
    """A chart of the working tree."""

    root: Path
    tree: trees.Tree
    folder: str
    services: list[str]
    files: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.files = gathering.files(self.tree, self.folder)
        self.declared = gathering.declarations(self.files)
        self.stale = declared.is_stale(self.declared)

    @property
    def lock_file(self) -> str:
        return f"{self.folder}/{self.declared.lock_file}"

    def place(self, index: int) -> subjects.Place:
        return declared.place(self.folder, self.declared, index)

    def require_lock(self) -> None:
        """Refuse what ``helm dependency build`` refuses, and versions that nothing says."""
        if self.stale:
            content = self.files.get(self.declared.lock_file, b"")
            place = declared.place_of_digest(self.folder, self.declared, content)
            raise errors.FileFault(
                "dependencies.stale-lock",
                place=place,
                file=self.declared.file,
                service=self.services[0],
            )
        for index, dependency in enumerate(self.declared.dependencies):
            if dependency.origin in ("https", "oci") and not gathering.version(
                self.declared, index
            ):
                raise errors.FileFault(
                    "dependencies.unlocked", place=self.place(index), name=dependency.name,
                    version=dependency.version or "-", service=self.services[0],
                )  # fmt: skip

    def vendored(self, name: str) -> str | None:
        """The version of a chart in ``charts``, as far as names and unpacked charts tell; None where there is none."""
        own = self.files.get(f"charts/{name}/Chart.yaml")
        if own is not None:
            return str((libyaml.mapping(own) or {}).get("version") or "")
        start = f"charts/{name}-"
        packed = [path for path in self.files if path.startswith(start) and path.endswith(".tgz")]
        return packed[0][len(start) : -len(".tgz")] if packed else None

    def local(self, index: int) -> str:
        """The version of a chart in a folder of the repository."""
        dependency = self.declared.dependencies[index]
        where = gathering.folder_of(self.folder, dependency)
        data = self.tree.read(f"{where}/Chart.yaml") if where is not None else None
        metadata = (libyaml.mapping(data) or {}) if data is not None else {}
        if metadata.get("name") != dependency.name:
            raise errors.FileFault(
                "dependencies.no-repository", place=self.place(index), name=dependency.name,
                repository=dependency.repository or "-",
            )  # fmt: skip
        return str(metadata.get("version") or "")

    def found(self, index: int, version: str = "") -> dependencies.Dependency:
        """What is known of a dependency without asking anybody."""
        dependency = self.declared.dependencies[index]
        version = version or gathering.version(self.declared, index)
        outcome: dependencies.Outcome = "wanted"
        vendored = self.vendored(dependency.name)
        if dependency.origin == "file":
            outcome, version = "local", self.local(index)
        elif dependency.origin == "vendored" or (vendored is not None and vendored == version):
            outcome, version = "vendored", vendored or version
            if vendored is None:
                # `charts` does not have it, and nothing says where it could be fetched from.
                outcome = "wanted"
        elif version and dependency_cache.find(dependency.repository, dependency.name, version):
            outcome = "cached"
        return dependencies.Dependency(
            dependency.name, dependency.version, version, dependency.repository, outcome
        )

    def result(
        self,
        members: Sequence[dependencies.Dependency] = (),
        lock: dependencies.Lock | None = None,
    ) -> dependencies.Chart:
        count = range(len(self.declared.dependencies))
        state: dependencies.Lock = "stale" if self.stale else "current"
        if self.declared.lock is None:
            state = "none"
        return dependencies.Chart(
            tuple(self.services),
            self.folder,
            self.lock_file,
            lock or state,
            tuple(members) or tuple(self.found(index) for index in count),
        )


def _charts(directory: Path, names: Sequence[str]) -> list[_Chart]:
    """The charts of services that have dependencies, each once."""
    loaded: loading.Loaded = services.opened(directory)
    chosen = services.check(loaded, *names) if not names else tuple(dict.fromkeys(names))
    services.check(loaded, *chosen)
    tree = trees.WorkingTree(loaded.root)
    charts: dict[str, _Chart] = {}
    for name in chosen:
        folder = str(naming.chart(loaded.policy, name))
        if folder in charts:
            charts[folder].services.append(name)
            continue
        chart = _Chart(loaded.root, tree, folder, [name])
        if chart.declared.dependencies:
            charts[folder] = chart
    return list(charts.values())


async def _built(chart: _Chart, fetcher: fetching.Fetching, say: Say) -> dependencies.Chart:
    result = []
    for index in range(len(chart.declared.dependencies)):
        member = chart.found(index)
        if member.outcome == "wanted":
            member = await _fetched(chart, index, member.version, fetcher, say)
        result.append(member)
    return chart.result(result)


async def _updated(
    chart: _Chart, pool: pools.Pool, fetcher: fetching.Fetching, dry_run: bool, say: Say
) -> dependencies.Chart:
    declarations = chart.declared.dependencies
    result: list[dependencies.Dependency] = []
    for index, dependency in enumerate(declarations):
        if dependency.origin in ("file", "vendored"):
            result.append(await _near(chart, index, pool))
            continue
        facts = {"name": dependency.name, "repository": dependency.repository}
        say(wording.Text("dependencies.asking", facts))
        newest = await fetcher.find(dependency, chart.place(index))
        member = chart.found(index, newest.version)
        if member.outcome == "wanted" and not dry_run:
            member = await _fetched(chart, index, newest.version, fetcher, say, newest=newest)
        result.append(member)
    entries = [_locked(item) for item in result]
    lock: dependencies.Lock = "current"
    present = chart.declared.lock
    if present is None or present.digest != declared.digest(declarations, entries):
        lock = "stale" if dry_run else "written"
        # A dry run has fetched nothing, so there is nothing that a lock could stand for yet.
        if not dry_run:
            text = declared.lock_text(declarations, entries, datetime.now(UTC))
            writing_files.place(chart.root, {chart.lock_file: text}, overwrite=True)
    return chart.result(result, lock)


async def _near(chart: _Chart, index: int, pool: pools.Pool) -> dependencies.Dependency:
    """A dependency in the repository, whose version must be one that is wanted."""
    dependency, member = chart.declared.dependencies[index], chart.found(index)
    if member.outcome == "wanted":
        raise errors.FileFault(
            "dependencies.no-repository",
            place=chart.place(index),
            name=dependency.name,
            repository="-",
        )
    wish = choosing.Wish(dependency.version, (member.version,))
    choice = await choosing.choose(pool, wish, shown=chart.folder)
    if choice.index < 0:
        raise errors.FileFault(
            "dependencies.none", place=chart.place(index), name=dependency.name,
            version=dependency.version or "-", repository=dependency.repository or f"{chart.folder}/charts",
        )  # fmt: skip
    return member


def _locked(member: dependencies.Dependency) -> declared.Locked:
    # Of a chart that is in `charts` already, Helm locks what is declared.
    version = member.version if member.repository else member.wanted
    return declared.Locked(member.name, version, member.repository)


async def _fetched(
    chart: _Chart,
    index: int,
    version: str,
    fetcher: fetching.Fetching,
    say: Say,
    *,
    newest: fetching.Found | None = None,
) -> dependencies.Dependency:
    """A dependency that is fetched now."""
    dependency, place = chart.declared.dependencies[index], chart.place(index)
    facts = {"name": dependency.name, "version": version, "repository": dependency.repository}
    say(wording.Text("dependencies.fetching", facts))
    source = newest or await fetcher.find(dependency, place, locked=version)
    # The lock's spelling counts where a repository has another one of the same version.
    exactly = msgspec.structs.replace(source, version=version)
    digest = await fetcher.fetch(dependency, exactly, place)
    return dependencies.Dependency(
        dependency.name, dependency.version, version, dependency.repository, "fetched", digest
    )
