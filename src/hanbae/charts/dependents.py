"""A chart of the working tree that depends on others: which of them are here, and how one comes that is not."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from hanbae import errors, libyaml, subjects, wording
from hanbae.charts import choosing, declared, dependency_cache, fetching, gathering, pools
from hanbae.repository import trees
from hanbae.results import dependencies

Say = Callable[[wording.Text], None]
"""Is told what begins."""


class Dependent:
    """A chart of the working tree.

    Attributes:
        folder: Its folder.
        services: The services whose chart it is; more may be added.
        declared: What it declares, and its lock.

    Args:
        tree: The files of the repository.
        folder: As above.
        service: The first of the services.

    Raises:
        hanbae.errors.FileFault: A link of the chart leads out of the repository, or a file of it cannot be understood.
    """

    def __init__(self, tree: trees.Tree, folder: str, service: str) -> None:
        self.folder = folder
        self.services = [service]
        self._tree = tree
        self._files = gathering.files(tree, folder)
        self.declared = gathering.declarations(self._files)
        self._is_stale = declared.is_stale(self.declared)

    @property
    def lock_file(self) -> str:
        """The lock, relative to the repository."""
        return f"{self.folder}/{self.declared.lock_file}"

    def place(self, index: int) -> subjects.Place:
        """Where a dependency is declared."""
        return declared.place(self.folder, self.declared, index)

    def require_lock(self) -> None:
        """Refuse what ``helm dependency build`` refuses, and versions that nothing says.

        Raises:
            hanbae.errors.FileFault: The lock is stale, or lacks a version.
        """
        if self._is_stale:
            content = self._files.get(self.declared.lock_file, b"")
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

    def _vendored(self, name: str) -> str | None:
        """The version of a chart in ``charts``, as far as names and unpacked charts tell; None where there is none."""
        own = self._files.get(f"charts/{name}/Chart.yaml")
        if own is not None:
            return str((libyaml.mapping(own) or {}).get("version") or "")
        start = f"charts/{name}-"
        packed = [path for path in self._files if path.startswith(start) and path.endswith(".tgz")]
        return packed[0][len(start) : -len(".tgz")] if packed else None

    def _local(self, index: int) -> str:
        """The version of a chart in a folder of the repository."""
        dependency = self.declared.dependencies[index]
        where = gathering.folder_of(self.folder, dependency)
        data = self._tree.read(f"{where}/Chart.yaml") if where is not None else None
        metadata = (libyaml.mapping(data) or {}) if data is not None else {}
        if metadata.get("name") != dependency.name:
            raise errors.FileFault(
                "dependencies.no-repository", place=self.place(index), name=dependency.name,
                repository=dependency.repository or "-",
            )  # fmt: skip
        return str(metadata.get("version") or "")

    def dependency(self, index: int, version: str = "") -> dependencies.Dependency:
        """A dependency as far as it is here, without asking anybody.

        Args:
            index: Its number among those that are declared.
            version: The version that is to be here; that of the lock if not given.

        Raises:
            hanbae.errors.FileFault: It is to be a folder of the repository that is no such chart.
        """
        dependency = self.declared.dependencies[index]
        version = version or gathering.version(self.declared, index)
        outcome: dependencies.Outcome = "wanted"
        vendored = self._vendored(dependency.name)
        if dependency.origin == "file":
            outcome, version = "local", self._local(index)
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
        """What is said of the chart.

        Args:
            members: Its dependencies; as far as they are here if not given.
            lock: What became of its lock; as it is if not given.
        """
        count = range(len(self.declared.dependencies))
        state: dependencies.Lock = "stale" if self._is_stale else "current"
        if self.declared.lock is None:
            state = "none"
        return dependencies.Chart(
            tuple(self.services),
            self.folder,
            self.lock_file,
            lock or state,
            tuple(members) or tuple(self.dependency(index) for index in count),
        )

    async def near(self, index: int, pool: pools.Pool) -> dependencies.Dependency:
        """A dependency in the repository, whose version must be one that is wanted.

        Args:
            index: Its number among those that are declared.
            pool: Chooses among versions as Helm does.

        Raises:
            hanbae.errors.FileFault: It is not there, or of another version.
        """
        dependency, member = self.declared.dependencies[index], self.dependency(index)
        if member.outcome == "wanted":
            raise errors.FileFault(
                "dependencies.no-repository",
                place=self.place(index),
                name=dependency.name,
                repository="-",
            )
        wish = choosing.Wish(dependency.version, (member.version,))
        choice = await choosing.choose(pool, wish, chart=self.folder)
        if choice.index < 0:
            raise errors.FileFault(
                "dependencies.none", place=self.place(index), name=dependency.name,
                version=dependency.version or "-", repository=dependency.repository or f"{self.folder}/charts",
            )  # fmt: skip
        return member

    async def fetched(
        self,
        index: int,
        version: str,
        fetcher: fetching.Fetching,
        say: Say,
        *,
        newest: fetching.Archive | None = None,
    ) -> dependencies.Dependency:
        """A dependency that is fetched now.

        Args:
            index: Its number among those that are declared.
            version: The version.
            fetcher: Fetches it.
            say: Is told what begins.
            newest: Where its archive is, where that has been asked already.

        Raises:
            hanbae.errors.FileFault: There is no such version, or its archive is not what was announced.
            hanbae.errors.Error: Its repository does not answer, or not well.
        """
        dependency, place = self.declared.dependencies[index], self.place(index)
        facts = {"name": dependency.name, "version": version, "repository": dependency.repository}
        say(wording.Text("dependencies.fetching", facts))
        source = newest or await fetcher.find(dependency, place, locked=version)
        # The lock's spelling counts where a repository has another one of the same version.
        exactly = msgspec.structs.replace(source, version=version)
        digest = await fetcher.fetch(dependency, exactly, place)
        return dependencies.Dependency(
            dependency.name, dependency.version, version, dependency.repository, "fetched", digest
        )


def locked(member: dependencies.Dependency) -> declared.Locked:
    """A dependency's entry of a lock."""
    # Of a chart that is in `charts` already, Helm locks what is declared.
    version = member.version if member.repository else member.wanted
    return declared.Locked(member.name, version, member.repository)
