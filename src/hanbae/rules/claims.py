"""Which release has which object: the one thing that no release shows by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from hanbae.rules import views


class Clash(Struct, frozen=True):
    """An object that two releases claim.

    Attributes:
        object: How it is called.
        file: The file that the second one comes from.
        first: Service and environment of the first.
        second: Service and environment of the second.
    """

    object: str
    file: str
    first: tuple[str, str]
    second: tuple[str, str]


class Claims:
    """Which release has which object, of all that were looked at so far: a number for each object, no more."""

    def __init__(self) -> None:
        self._owners: list[tuple[str, str]] = []
        self._of: dict[int, int] = {}
        self.clashes: list[Clash] = []

    def add(self, release: views.Release, cluster_scoped: frozenset[str]) -> None:
        """Remember a release's objects.

        Args:
            release: The release.
            cluster_scoped: Kinds that are in no namespace.
        """
        owner = (release.service.name, release.environment)
        at = len(self._owners)
        self._owners.append(owner)
        cluster = release.settings.workload or ""
        for each in release.objects:
            group, _, _ = each.api_version.rpartition("/")
            space = "" if each.kind in cluster_scoped else each.namespace
            key = hash((cluster, group, each.kind, space, each.name))
            before = self._of.setdefault(key, at)
            if before != at and each.get("metadata", "name"):
                self.clashes.append(Clash(each.label, each.template, self._owners[before], owner))
