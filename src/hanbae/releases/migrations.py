"""The migrations of a release: every container that changes a database's schema, whatever makes its pod."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import msgspec

from hanbae import subjects, wording
from hanbae.migrations import lock_timeouts
from hanbae.policy import connection_options
from hanbae.releases import goose, images, invocations, parts, shells, tools, variables
from hanbae.releases.objects import Contained, Object, On, Pointer

_PHASES: Final = {"PreSync": 0, "Sync": 1, "PostSync": 2}
_PROVABLE_DRIVERS: Final = frozenset({"postgres", "clickhouse"})
"""What a proof is tried with; goose knows more drivers."""
_UNKNOWN: Final = variables.Sources()
_ENDLESS: Final = frozenset(
    {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Rollout", "Pod"}
)
"""Kinds whose pods begin anew, so that a migration in them runs again and again."""


def of(
    workloads: Iterable[parts.Workload], sources: variables.Sources
) -> tuple[parts.Migration, ...]:
    """The migrations in the order in which they run; databases have no name yet.

    Args:
        workloads: What makes pods, of what Argo CD applies or runs.
        sources: What is known of the namespace's ConfigMaps and Secrets.
    """
    migrations = [
        migration for workload in workloads for migration in _of_workload(workload, sources)
    ]
    # What is no hook belongs to Argo CD's phase Sync. The sort is stable: within a wave, the order
    # of rendering stays.
    ordered = sorted(migrations, key=lambda item: (_PHASES.get(item.phase, 1), item.wave))
    return tuple(
        msgspec.structs.replace(migration, order=order) for order, migration in enumerate(ordered)
    )


def _of_workload(workload: parts.Workload, sources: variables.Sources) -> Iterator[parts.Migration]:
    manifest = workload.object
    # Where a container names each key that it reads, its manifest alone says what it does.
    alone = not any(variables.depends(container) for _, container in manifest.containers())
    for index, migration in manifest.once(_of_object) if alone else _of_object(manifest, sources):
        yield msgspec.structs.replace(
            migration,
            job=workload.ref,
            part=On(manifest, migration.part.pointer),
            image=workload.images[index],
        )


def _of_object(
    manifest: Object, sources: variables.Sources = _UNKNOWN
) -> tuple[tuple[int, parts.Migration], ...]:
    """The migrations of an object, each with the place of its container among all."""
    migrations = [
        (index, migration)
        for index, contained in enumerate(manifest.containers())
        if (migration := _of_container(manifest, contained, sources)) is not None
    ]
    if all(migration.tool == tools.UNKNOWN for _, migration in migrations):
        return tuple(migrations)
    # The object is called after the one whose tool is known: the others wait for the database, or stand beside it.
    return tuple(
        (index, migration)
        for index, migration in migrations
        if migration.tool != tools.UNKNOWN or tools.is_migration_by_name(migration.container)
    )


def _of_container(
    manifest: Object, contained: Contained, sources: variables.Sources
) -> parts.Migration | None:
    pointer, container = contained
    own = variables.Variables(container, sources)
    runs = invocations.of(container, own)
    called = [invocation for invocation in runs if goose.is_goose(invocation, own)]
    request = [(invocation, goose.read(invocation, own)) for invocation in called]
    # A command that cannot be read may be `up`: it is kept, and said to be unprovable.
    migrating = [
        pair for pair in request if pair[1].command in goose.MIGRATING or not pair[1].command
    ]
    if called and not migrating:
        return None  # it asks for a status, or makes a file
    # In no namespace yet: the environments that have this object differ in it.
    job = subjects.Ref(manifest.kind, "", manifest.name)
    image = images.of_container(manifest, contained, job)
    # goose goes first: other tools are recognized by words as common as `up` and `migrate`.
    others = (tools.other(invocation, image.reference) for invocation in runs)
    tool = "" if called else next(filter(None, others), "")
    if not (called or tool or _is_unknown(manifest, image, container)):
        return None
    migration = parts.Migration(
        job=job,
        container=image.container,
        part=On(manifest, pointer),
        image=image,
        tool=tools.GOOSE,
        # The first in which it runs: the later ones find nothing left to do.
        phase=next((phase for phase in _PHASES if phase in manifest.phases), ""),
        wave=manifest.wave,
        per_pod=manifest.kind in _ENDLESS,
        lock_timeout=lock_timeouts.of_options(own.text(connection_options.VARIABLE)),
    )
    if migrating:
        return _of_goose(migration, migrating)
    reason = wording.Text("release.other-tool", _object(migration) | {"tool": tool})
    if not tool:
        named = any(invocation.program for invocation in runs)
        reason = wording.Text(
            "release.unknown-program" if named else "release.entry-point", _object(migration)
        )
    tool = tool or tools.UNKNOWN
    return msgspec.structs.replace(migration, tool=tool, provable=reason)


def _is_unknown(manifest: Object, image: parts.Image, container: Mapping[str, Any]) -> bool:
    """Whether something migrates by its name although no tool is to be seen."""
    if manifest.kind not in ("Job", "CronJob") and not image.init:
        return False
    repository = image.reference.partition("@")[0].rpartition("/")[2].partition(":")[0]
    words = [
        str(word).rpartition("/")[2]
        for part in (container.get("command"), container.get("args"))
        for word in (part if isinstance(part, list) else ())
        if len(str(word)) <= _LONGEST_NAME
    ]
    return tools.is_migration_by_name(manifest.name, image.container, repository, *words)


# What is longer is the text of a shell, which may mention migrations without being one.
_LONGEST_NAME: Final = 80


def _of_goose(
    migration: parts.Migration,
    runs: list[tuple[invocations.Invocation, goose.Invocation]],
) -> parts.Migration:
    invocation, request = runs[0]
    address = _address(request.address)
    tool = tools.RUNNER if invocation.program == tools.RUNNER else tools.GOOSE
    migration = msgspec.structs.replace(
        migration,
        tool=tool,
        program=(shells.literal(invocation.words[0]) or "") if invocation.is_named else "",
        command=request.command,
        driver=request.driver,
        folder=request.folder,
        table=request.table,
        address=address,
    )
    run = _unclear_run(migration, invocation, several=len(runs) > 1)
    reason = run or _unread(migration, request) or _surrounded(migration) or _untimely(migration)
    return msgspec.structs.replace(migration, provable=reason)


def _object(migration: parts.Migration) -> dict[str, str]:
    """What every reason says: which object it is about."""
    return {"object": migration.part.object.label}


def _address(value: variables.Value | None) -> parts.Address | None:
    if value is None or len(value) != 1 or not isinstance(value[0], variables.Key):
        return None
    return parts.Address(value[0].secret, value[0].key, value[0].variable)


def _unclear_run(
    migration: parts.Migration, invocation: invocations.Invocation, *, several: bool
) -> wording.Text | None:
    """Why nobody can tell how often, or whether, goose runs."""
    if invocation.within:
        return wording.Text(f"release.in-{invocation.within}", _object(migration))
    return wording.Text("release.several-runs", _object(migration)) if several else None


def _unread(migration: parts.Migration, request: goose.Invocation) -> wording.Text | None:
    """What cannot be read of that which a proof is made of."""
    if migration.tool not in tools.OF_GOOSE:
        return wording.Text("release.other-tool", _object(migration) | {"tool": migration.tool})
    if request.command != "up":
        return wording.Text(
            "release.not-up", _object(migration) | {"command": request.command or "-"}
        )
    if migration.driver not in _PROVABLE_DRIVERS:
        return wording.Text(
            "release.driver", _object(migration) | {"driver": migration.driver or "-"}
        )
    if migration.address is None:
        return _without_address(migration, request.address)
    if not migration.folder or not migration.table:
        return wording.Text(
            "release.no-table" if migration.folder else "release.no-folder", _object(migration)
        )
    return None


def _surrounded(migration: parts.Migration) -> wording.Text | None:
    """What of its pod a migration needs that a proof has not."""
    manifest, pointer = migration.part.object, migration.part.pointer
    others = [
        str(container.get("name"))
        for place, container in manifest.containers()
        if place != pointer and not _leaves_nothing(manifest, place, container, pointer)
    ]
    # Containers beside the server are usual in a pod that migrates when it starts; that has a reason of its own.
    if others and not migration.per_pod:
        return wording.Text(
            "release.other-containers", _object(migration) | {"containers": ", ".join(others)}
        )
    mounts = manifest.get(*pointer, "volumeMounts")
    for mount in mounts if isinstance(mounts, list) else ():
        path = str(mount.get("mountPath") or "").rstrip("/") if isinstance(mount, dict) else ""
        # The slashes keep a mount at `/app/mig` apart from a folder `/app/migrations`.
        if path and f"{migration.folder}/".startswith(f"{path}/"):
            return wording.Text(
                "release.mounted-folder", _object(migration) | {"folder": migration.folder}
            )
    return None


def _leaves_nothing(
    manifest: Object, place: Pointer, container: Mapping[str, Any], pointer: Pointer
) -> bool:
    """Whether a container has ended before the one at the pointer begins, and shares no volume with it.

    Such as the one that waits for the database: a proof does without it.
    """
    if "initContainers" not in place or container.get("restartPolicy") == "Always":
        return False
    if "initContainers" in pointer and place > pointer:
        return True  # it begins only when the migration has ended
    return _volumes(container).isdisjoint(_volumes(manifest.get(*pointer)))


def _volumes(container: Any) -> set[str]:
    mounts = container.get("volumeMounts") if isinstance(container, dict) else None
    return {
        str(mount.get("name"))
        for mount in (mounts if isinstance(mounts, list) else ())
        if isinstance(mount, dict)
    }


def _untimely(migration: parts.Migration) -> wording.Text | None:
    """Why no moment is known at which it has ended."""
    if migration.per_pod:
        return wording.Text("release.per-pod", _object(migration))
    if migration.job.kind == "CronJob":
        return wording.Text("release.scheduled", _object(migration))
    return None if migration.phase else wording.Text("release.no-hook", _object(migration))


def _without_address(migration: parts.Migration, value: variables.Value | None) -> wording.Text:
    """Why an address is not one key of one Secret."""
    if not value:
        return wording.Text("release.no-address", _object(migration))
    unread = next((part for part in value if isinstance(part, variables.Unread)), None)
    if unread is not None:
        return wording.Text(
            f"release.address-{unread.reason}", _object(migration) | {"name": unread.name}
        )
    keys = [part for part in value if isinstance(part, variables.Key)]
    if not keys:
        return wording.Text("release.address-in-clear", _object(migration))
    names = ", ".join(dict.fromkeys(f"{key.secret}/{key.key}" for key in keys))
    return wording.Text("release.address-composed", _object(migration) | {"keys": names})
