"""Migrations are enabled where there are any."""

from __future__ import annotations

from pathlib import PurePosixPath

from hanbae.gates import targets, verdicts
from hanbae.migrations import declared_databases, goose_files


async def decide(target: targets.Target) -> verdicts.Verdict:
    """Whether the release migrates something, where the commit has migrations."""
    folder = target.source.migrations
    committed = [
        path
        for path in target.source.revision.files(folder)
        if goose_files.version_of(PurePosixPath(path).name) is not None
    ]
    if not committed:
        return verdicts.passed("gate.no-migrations")
    facts = target.facts | {
        "folder": folder,
        "values": target.source.values_file,
        "files": str(len(committed)),
    }
    service = target.source.databases()
    jobs = [entry.job for entry in service.migrated]
    jobs += [migration.job.name for migration in service.model.migrations]
    if jobs:
        return verdicts.passed(
            "gate.migrations-enabled", **facts, jobs=", ".join(dict.fromkeys(jobs))
        )
    if declared_databases.are_declared(target.source.rendered.values):
        return verdicts.failed("gate.migrations-disabled", **facts)
    return verdicts.pending("gate.migrations-unrun", **facts)
