"""The promises that a plan rests on, each with the facts that it is about.

In a plan, in the history and in JSON a promise is two strings (:class:`hanbae.results.plans.Guard`): an id that says
what is promised, and the value it had. That form is a format and stays; only this module writes and reads it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from msgspec import Struct

from hanbae import subjects
from hanbae.results import plans


class BranchHead(Struct, frozen=True):
    """The head of a branch is a commit.

    Attributes:
        branch: The branch.
        commit: Full commit id.
    """

    branch: str
    commit: str


class BranchContains(Struct, frozen=True):
    """A branch contains a commit, which need not be its head.

    Attributes:
        branch: The branch.
        commit: Full commit id.
    """

    branch: str
    commit: str


class RunningImage(Struct, frozen=True):
    """A container of a workload runs an image, as the chart names it.

    Attributes:
        workload: The Deployment or StatefulSet.
        container: Name of the container.
        image: The reference.
    """

    workload: subjects.Ref
    container: str
    image: str


class FrozenProgram(Struct, frozen=True):
    """hanbae is of a version: another one may render otherwise."""

    version: str


class FrozenPolicy(Struct, frozen=True):
    """The policy says the same; the SHA-256 of its content without comments."""

    digest: str


class FrozenCluster(Struct, frozen=True):
    """The workload cluster is the same; the uid of its ``kube-system`` namespace."""

    uid: str


class FrozenObjects(Struct, frozen=True):
    """The chart renders the same objects; the SHA-256 of all of them in their order."""

    digest: str


class FrozenImages(Struct, frozen=True):
    """The service runs exactly these images; references with commas between them."""

    references: str


class FrozenDigest(Struct, frozen=True):
    """An image's reference stands for a digest."""

    reference: str
    digest: str


class FrozenDatabases(Struct, frozen=True):
    """The service has exactly these databases; names with commas between them."""

    names: str


class FrozenVersions(Struct, frozen=True):
    """A database has exactly these migrations; versions with commas between them."""

    database: str
    versions: str


class FrozenMigration(Struct, frozen=True):
    """A migration's file has this content.

    Attributes:
        database: Name of the database.
        version: The version, as in the file's name.
        digest: SHA-256 of the file.
    """

    database: str
    version: str
    digest: str


Frozen = (
    FrozenProgram
    | FrozenPolicy
    | FrozenCluster
    | FrozenObjects
    | FrozenImages
    | FrozenDigest
    | FrozenDatabases
    | FrozenVersions
    | FrozenMigration
)
"""What only a saved plan promises."""

Guard = BranchHead | BranchContains | RunningImage | Frozen

_PLAIN: Final[Mapping[str, Callable[[str], Guard]]] = {
    "hanbae": FrozenProgram,
    "policy": FrozenPolicy,
    "cluster": FrozenCluster,
    "objects": FrozenObjects,
    "images": FrozenImages,
    "migrations": FrozenDatabases,
}
"""Promises whose id has no part of its own."""


def of(plan: plans.Plan) -> Iterator[Guard]:
    """The promises of a plan; those of a newer hanbae's that this one does not know are left out."""
    for entry in plan.guards:
        guard = read(entry)
        if guard is not None:
            yield guard


def head(plan: plans.Plan) -> BranchHead | None:
    """The promise about the plan's branch, or None."""
    return next((guard for guard in of(plan) if isinstance(guard, BranchHead)), None)


def contained(plan: plans.Plan) -> BranchContains | None:
    """The promise of a plan for an older commit, or None."""
    return next((guard for guard in of(plan) if isinstance(guard, BranchContains)), None)


def is_frozen(plan: plans.Plan) -> bool:
    """Whether a plan makes the promises of a saved plan."""
    return any(isinstance(guard, Frozen) for guard in of(plan))


def written(guards: Iterable[Guard]) -> tuple[plans.Guard, ...]:
    """Promises in their stored form."""
    return tuple(plans.Guard(promise(guard), expected(guard)) for guard in guards)


def promise(guard: Guard) -> str:
    """The id of a promise: two promises about the same fact have the same one."""
    match guard:
        case BranchHead() | BranchContains():
            kind = "branch-head" if isinstance(guard, BranchHead) else "branch-contains"
            return f"{kind}:{guard.branch}"
        case RunningImage(workload=workload, container=container):
            return f"image:{workload}:{container}"
        case FrozenDigest(reference=reference):
            return f"digest:{reference}"
        case FrozenVersions(database=database):
            return f"migrations:{database}"
        case FrozenMigration(database=database, version=version):
            return f"migration:{database}:{version}"
        case _:
            return next(name for name, kind in _PLAIN.items() if type(guard) is kind)


def expected(guard: Guard) -> str:
    """The value that a promise is about: always the last field."""
    return str(getattr(guard, guard.__struct_fields__[-1]))


def read(entry: plans.Guard) -> Guard | None:
    """A promise from its stored form; None for one that this hanbae does not know."""
    kind, _, about = entry.promise.partition(":")
    value = entry.expected
    # `migrations` promises which databases there are, `migrations:NAME` the versions of one: the
    # part behind the colon tells the two apart.
    if not about:
        plain = _PLAIN.get(kind)
        return plain(value) if plain is not None else None
    read_about = _ABOUT.get(kind)
    return read_about(about, value) if read_about is not None else None


def _image(about: str, image: str) -> RunningImage | None:
    workload, _, container = about.rpartition(":")
    parts = workload.split("/")
    if len(parts) != len(subjects.Ref.__struct_fields__):
        return None
    return RunningImage(subjects.Ref(*parts), container, image)


def _migration(about: str, digest: str) -> FrozenMigration:
    database, _, version = about.rpartition(":")
    return FrozenMigration(database, version, digest)


_ABOUT: Final[Mapping[str, Callable[[str, str], Guard | None]]] = {
    "branch-head": BranchHead,
    "branch-contains": BranchContains,
    "image": _image,
    "digest": FrozenDigest,
    "migrations": FrozenVersions,
    "migration": _migration,
}
"""Promises whose id names what they are about."""
