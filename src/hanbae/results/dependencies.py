"""What a chart depends on, and whether it is here."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Outcome = Literal["vendored", "local", "cached", "fetched", "wanted"]
Lock = Literal["none", "current", "written", "stale"]


class Dependency(Struct, frozen=True):
    """A dependency of a chart.

    Attributes:
        name: Name of the chart.
        wanted: The range that is declared.
        version: The version that is taken; empty where only its repository would tell.
        repository: The address of its repository; empty for the chart's own ``charts``.
        outcome: ``vendored`` is in ``charts``, ``local`` a folder of the repository, ``cached`` was fetched before,
            ``fetched`` now, ``wanted`` not yet.
        digest: SHA-256 of the archive, ``sha256:…``; empty where none was fetched now.
    """

    name: str
    wanted: str
    version: str
    repository: str
    outcome: Outcome
    digest: str = ""


class Chart(Struct, frozen=True):
    """A chart with dependencies.

    Attributes:
        services: The services whose chart it is.
        chart: Its folder, relative to the repository.
        lock_file: The lock, relative to the repository.
        lock: ``none``: there is none; ``current``: it fits what is declared; ``stale``: it does not, and nothing was
            written; ``written``: it was.
        dependencies: The dependencies, as they are declared.
    """

    services: tuple[str, ...]
    chart: str
    lock_file: str
    lock: Lock
    dependencies: tuple[Dependency, ...]

    @property
    def complete(self) -> bool:
        """Whether Argo CD's Helm would take the lock, and everything is here."""
        return self.lock != "stale" and all(
            dependency.outcome != "wanted" for dependency in self.dependencies
        )
