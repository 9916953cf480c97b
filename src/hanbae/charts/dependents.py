"""A chart of the working tree that depends on others: which of them are here, and how one comes that is not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from hanbae import errors, libyaml, subjects, wording
from hanbae.charts import choosing, declared, dependency_cache, fetching, gathering, pools
from hanbae.repository import trees
from hanbae.results import dependencies

Say = Callable[[wording.Text], None]
"""Is told what begins."""


@dataclass
class Dependent:
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


async def near(chart: Dependent, index: int, pool: pools.Pool) -> dependencies.Dependency:
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


def locked(member: dependencies.Dependency) -> declared.Locked:
    # Of a chart that is in `charts` already, Helm locks what is declared.
    version = member.version if member.repository else member.wanted
    return declared.Locked(member.name, version, member.repository)


async def fetched(
    chart: Dependent,
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
