"""``hanbae migrations plan`` and ``status``: what is pending in each database, and what it will do there."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import msgspec

from hanbae import errors, masking, workspaces
from hanbae.deploying import database_readings, known_state, preflight
from hanbae.migrations import dialects
from hanbae.planning import deployments, migration_plans
from hanbae.repository import revisions, services
from hanbae.results import migration_plans as results
from hanbae.results import plans, previews

_TABLE = "goose_db_version"


async def plan(
    space: workspaces.Workspace,
    requested: Sequence[str],
    environment: str,
    *,
    head: str | None = None,
    base: str | None = None,
    addresses: Mapping[str, masking.Masked] | None = None,
) -> tuple[results.Plan, ...]:
    """What is pending in the databases of services.

    Args:
        space: The workspace.
        requested: Services; empty for all of the revision that were begun in the environment.
        environment: The environment.
        head: A revision; None for the head of the environment's branch, as the remote has it.
        base: A revision that counts for what the databases have; None for what is known of the environment.
        addresses: Database → its URL, of those that are asked themselves.

    Raises:
        hanbae.errors.WrongUse: No such environment, service, revision or database; a fault in the files.
        hanbae.errors.Refused: A service that is asked for names no image, so that its chart migrates nothing.
        hanbae.errors.Unreachable: The remote, the cluster or a database did not answer.
    """
    settings = space.environment(environment)
    commit = head or await space.head(environment)
    revision = space.checkout.revision(commit)
    older = space.checkout.revision(base) if base is not None else None
    branch = settings.branch or ""
    names = services.chosen(
        space.policy, revision, requested, revision=head or branch, environment=environment
    )
    urls = dict(addresses or {})
    sources = []
    for name in names:
        source = await deployments.read(space.policy, revision, name, environment)
        reason = preflight.without_plan(source)
        if requested and reason is not None:
            raise preflight.KnownToFail((reason,))
        if reason is None and preflight.is_begun(source):  # without an image nothing is migrated
            sources.append(source)
    _refuse_unowned(urls, sources)
    planned = []
    for source in sources:
        if older is not None:
            reading = await _readings(space, older, source)
        # Where every database has an address, each is asked itself, and no cluster need be reached.
        elif _all_addressed(source, urls):
            reading = {}, ""
        else:
            reading = await _last_proven(space, source.service, environment)
        planned.append(await _of(source, *reading, urls))
    return tuple(planned)


def _proofs(source: deployments.Source) -> list[plans.Prove]:
    steps = deployments.plan(source).steps
    return [step.does for step in steps if isinstance(step.does, plans.Prove)]


def _all_addressed(source: deployments.Source, urls: Mapping[str, masking.Masked]) -> bool:
    return all(proof.database in urls for proof in _proofs(source))


def _refuse_unowned(
    urls: Mapping[str, masking.Masked], sources: Sequence[deployments.Source]
) -> None:
    """Refuse addresses of databases that no service has, before anything is asked: they were meant for others."""
    present = [proof.database for source in sources for proof in _proofs(source)]
    for name in urls:
        if name not in present:
            names = ", ".join(present) or "-"
            raise errors.WrongUse("migrations.no-database", database=name, databases=names)


_Readings = tuple[Mapping[str, migration_plans.Reading], previews.WhyUnknown]


async def _readings(
    space: workspaces.Workspace, revision: revisions.Revision, source: deployments.Source
) -> _Readings:
    """What databases have when a revision is deployed; nothing where it has no such service, or none that was begun."""
    versions = {proof.database: frozenset[int]() for proof in _proofs(source)}
    if source.service in services.every(space.policy, revision):
        older = await deployments.read(space.policy, revision, source.service, source.environment)
        if preflight.is_begun(older):
            versions |= {proof.database: frozenset(proof.versions) for proof in _proofs(older)}
    return {
        database: migration_plans.Reading("revision", present)
        for database, present in versions.items()
    }, "new"


async def _last_proven(space: workspaces.Workspace, service: str, environment: str) -> _Readings:
    """What the last proof of each database says."""
    async with space.clusters(environment) as clusters:
        state = await known_state.read(space, clusters, service, environment)
    return {
        database: migration_plans.Reading(
            "history", frozenset((version,)), drift=state.drift.get(database, ())
        )
        for database, version in state.proven.items()
    }, state.why_unknown


async def _of(
    source: deployments.Source,
    readings: Mapping[str, migration_plans.Reading],
    why_unknown: previews.WhyUnknown,
    urls: Mapping[str, masking.Masked],
) -> results.Plan:
    migrated = {entry.database.name: entry.migration for entry in source.databases().migrated}
    databases = []
    for proof in _proofs(source):
        migrations = {
            version: migration_plans.File(path, source.revision.read(path) or b"")
            for version, path in zip(proof.versions, proof.files, strict=True)
        }
        migration = migrated.get(proof.database)
        if proof.database in urls:
            table = (migration.table if migration is not None else "") or _TABLE
            # The client of PostgreSQL blocks its thread while it waits.
            reading = await asyncio.to_thread(
                database_readings.read,
                proof.database,
                urls[proof.database],
                table,
                migration_plans.tables(migrations.values()),
                migration_plans.creations(migrations),
            )
        else:
            reading = _filled(readings.get(proof.database), proof.versions)
        driver = migration.driver if migration is not None else ""
        database = migration_plans.database(
            proof.database,
            migrations,
            reading,
            dialect=dialects.of_driver(driver) or "postgres",
            lock_timeout=migration.lock_timeout if migration is not None else "",
            why_unknown=why_unknown or "new",
        )
        databases.append(database)
    commit = source.revision.commit
    return results.Plan(source.service, source.environment, commit, tuple(databases))


def _filled(
    reading: migration_plans.Reading | None, versions: Sequence[int]
) -> migration_plans.Reading:
    """What is known of a database; a proof names the highest version, below which none was missing then."""
    if reading is None:
        return migration_plans.Reading("unknown")
    if reading.basis != "history" or not reading.versions:
        return reading
    highest = max(reading.versions)
    applied = frozenset(version for version in versions if version <= highest) | {highest}
    return msgspec.structs.replace(reading, versions=applied)
