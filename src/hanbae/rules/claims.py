"""Which release has which object: the one thing that no release shows by itself."""

from __future__ import annotations

from collections.abc import Iterable
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


class Claim(Struct, frozen=True, array_like=True):
    """An object that a release has.

    Attributes:
        key: What two claims of the same object have in common.
        object: How it is called.
        file: The file that it comes from.
        named: Whether it has a name of its own, so that two would be the same.
    """

    key: str
    object: str
    file: str
    named: bool


def of(release: views.Release, cluster_scoped: frozenset[str]) -> tuple[Claim, ...]:
    """A release's objects.

    Args:
        release: The release.
        cluster_scoped: Kinds that are in no namespace.
    """
    cluster = release.settings.workload or ""
    found = []
    for each in release.objects:
        group, _, _ = each.api_version.rpartition("/")
        space = "" if each.kind in cluster_scoped else each.namespace
        key = f"{cluster}\0{group}\0{each.kind}\0{space}\0{each.name}"
        found.append(Claim(key, each.label, each.template, bool(each.get("metadata", "name"))))
    return tuple(found)


class Claims:
    """Which release has which object, of all that were looked at so far: a number for each object, no more."""

    def __init__(self) -> None:
        self._owners: list[tuple[str, str]] = []
        self._of: dict[int, int] = {}
        self.clashes: list[Clash] = []

    def add(self, owner: tuple[str, str], found: Iterable[Claim]) -> None:
        """Remember a release's objects.

        Args:
            owner: Service and environment.
            found: The objects.
        """
        at = len(self._owners)
        self._owners.append(owner)
        for each in found:
            before = self._of.setdefault(hash(each.key), at)
            if before != at and each.named:
                self.clashes.append(Clash(each.object, each.file, self._owners[before], owner))
