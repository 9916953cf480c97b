"""Scaffolds a service; run again, it shows how the service's chart differs from what the policy asks for now."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from pathlib import Path

from hanbae.actions import generate_runner
from hanbae.charts import answers, scaffold_record, scaffolding
from hanbae.policy import loading
from hanbae.repository import services, writing_files
from hanbae.results import files


def new_service(
    directory: Path,
    service: str,
    *,
    databases: Sequence[str] = (),
    port: int | None = None,
    image: str | None = None,
    force: bool = False,
) -> tuple[files.FileChange, ...]:
    """Write the chart, the Dockerfile and a first migration of a service.

    Args:
        directory: The repository or a folder in it.
        service: Name of the service.
        databases: Names of its databases in the order of migration. What this and the next two leave open is
            taken from the service's values where it exists; else it has one database, ``<service>_db``.
        port: Port that the process listens on; a new service's default is 8080.
        image: Repository of its image, without tag; a new service's default is a placeholder.
        force: Whether edited files are overwritten, values with their sealed secrets excepted.

    Returns:
        What became of each file; ``kept`` ones differ from what hanbae would write.

    Raises:
        errors.WrongUse: A name that Kubernetes would refuse, or no policy here.
        errors.FileFault: The policy has a fault, or the record of what was scaffolded.
    """
    loaded = services.opened(directory)
    policy = loaded.policy
    # Before a file is looked for: no file system has names of any length.
    scaffolding.refuse_names(service, policy)
    answered = answers.read(loaded.root, policy, service)
    contents = scaffolding.chart_files(
        service,
        policy,
        databases=databases or answered.databases,
        port=port or answered.port,
        image=image or answered.image,
    )
    # Once a folder has migrations, they are the team's: a first one that was replaced must not come back.
    missing = {
        path: text for path, text in contents.items() if not _has_migrations(loaded.root, path)
    }
    theirs = scaffold_record.values_files(policy, service)
    customized = {path: text for path, text in missing.items() if path in theirs}
    rest = {path: text for path, text in missing.items() if path not in theirs}
    changes = writing_files.place(loaded.root, customized) + writing_files.place(
        loaded.root, rest, overwrite=force
    )
    scaffolded = {
        posixpath.normpath(change.path): contents[change.path]
        for change in changes
        if change.outcome != "kept" and scaffold_record.is_kept(policy, service, change.path)
    }
    recorded = _record(loaded, service, scaffolded)
    return changes + recorded + generate_runner.written(loaded)


def _record(
    loaded: loading.Loaded, service: str, scaffolded: Mapping[str, str]
) -> tuple[files.FileChange, ...]:
    """Keep what the files are now that are as hanbae writes them; of an edited one, what it was edited from."""
    path = scaffold_record.path(loaded.policy, service)
    present = writing_files.read(loaded.root, path)
    former = scaffold_record.read(loaded.policy, service, present) if present is not None else {}
    text = scaffold_record.text(loaded.policy, service, {**former, **scaffolded})
    return writing_files.place(loaded.root, {path: text}, overwrite=True)


def _has_migrations(root: Path, path: str) -> bool:
    return path.endswith(".sql") and any((root / path).parent.glob("*.sql"))
