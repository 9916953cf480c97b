"""From rendered objects to a release."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from hanbae.policy import labels
from hanbae.releases import database_names, images, migrations, needs, parts, variables
from hanbae.releases.objects import Object


class Override(msgspec.Struct, frozen=True):
    """A database that the values declare (``migration.databases``), which goes before what is read.

    Attributes:
        name: Its name.
        key: The key of its address.
        job: The name of its Job by the chart contract.
    """

    name: str
    key: str
    job: str


def of(
    objects: Sequence[Object],
    *,
    service: str,
    namespace: str,
    name: str,
    values: Mapping[str, Any] | None = None,
    overrides: Sequence[Override] = (),
    names: Mapping[str, str] | None = None,
    elsewhere: Iterable[parts.Product] = (),
) -> parts.Release:
    """What a release is.

    Args:
        objects: Its objects as they were rendered.
        service: The service.
        namespace: Where its objects go that name no namespace.
        name: Name of the release.
        values: The merged values of its chart; None where there is none.
        overrides: The databases that the values declare.
        names: Job or key → name of the database, as the policy has it.
        elsewhere: What other releases and overlays make in the namespace.
    """
    ignored = tuple(manifest for manifest in objects if manifest.is_ignored)
    applied = tuple(manifest for manifest in objects if not manifest.is_ignored)
    workloads = images.workloads(applied, images.accounts(applied))
    every = tuple(image for workload in workloads for image in workload.images)
    makes = needs.makes(applied)
    read = migrations.of(workloads, _sources(applied, (*makes, *elsewhere)))
    return parts.Release(
        service=service,
        namespace=namespace,
        name=name,
        objects=applied,
        ignored=ignored,
        workloads=workloads,
        images=every,
        migrations=_named(read, service, name, overrides, names or {}),
        needs=needs.needs(applied),
        makes=makes,
        begun=images.is_begun(every, values or {}),
    )


def _sources(applied: Iterable[Object], makes: Iterable[parts.Product]) -> variables.Sources:
    return variables.Sources(
        config_maps={
            manifest.name: data
            for manifest in applied
            if manifest.kind == "ConfigMap" and isinstance(data := manifest.get("data"), dict)
        },
        secrets={entry.name: entry.keys for entry in makes if entry.kind == "Secret"},
    )


def _named(
    read: tuple[parts.Migration, ...],
    service: str,
    release: str,
    overrides: Sequence[Override],
    names: Mapping[str, str],
) -> tuple[parts.Migration, ...]:
    def name(migration: parts.Migration) -> database_names.Named:
        if own := database_names.from_policy(migration, names):
            return own, "policy"
        for override in overrides:
            if migration.job.name == override.job:
                return override.name, "values"
        label = migration.part.object.get("metadata", "labels", labels.DATABASE)
        if isinstance(label, str) and label:
            return label, "label"
        key = migration.address.key if migration.address else ""
        # The default key DATABASE_URL may stand for several databases; then it names none of them.
        of_key = [override.name for override in overrides if override.key == key]
        if len(of_key) == 1:
            return of_key[0], "values"
        return database_names.of(migration, service=service, release=release, alone=len(read) == 1)

    pairs = [name(migration) for migration in read]
    counts = Counter(database for database, _ in pairs)
    # Those that stay, also of later Jobs: a name that a Job gives must be none of them.
    reserved_names = {
        database for database, by in pairs if counts[database] == 1 or by in _EXPLICIT
    }
    result = []
    for migration, (database, by) in zip(read, pairs, strict=True):
        if counts[database] > 1 and by not in _EXPLICIT:  # a proof could not tell them apart
            database, by = database_names.of_job(migration, service, release), "job"  # noqa: PLW2901
            if database in reserved_names:
                database = f"{database}_{migration.order}"  # noqa: PLW2901
            reserved_names.add(database)
        result.append(msgspec.structs.replace(migration, database=database, named_by=by))
    return tuple(result)


_EXPLICIT: Final = frozenset({"policy", "values", "label"})
"""What somebody has said, rather than what follows from a key, a folder or a Job."""
