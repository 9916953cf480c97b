"""Scaffolds a service; run again, it shows how the service's chart differs from what the policy asks for now."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from hanbae.charts import scaffolding, values
from hanbae.policy import documents, loading, naming
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
        errors.FileFault: The policy has a fault.
    """
    loaded = services.opened(directory)
    present = _present(loaded, service)
    contents = scaffolding.chart_files(
        service,
        loaded.policy,
        databases=databases or present.databases,
        port=port or present.port,
        image=image or present.image,
    )
    # Once a folder has migrations, they are the team's: a first one that was replaced must not come back.
    missing = {
        path: text for path, text in contents.items() if not _has_migrations(loaded.root, path)
    }
    theirs = _values(service, loaded.policy)
    kept = {path: text for path, text in missing.items() if path in theirs}
    rest = {path: text for path, text in missing.items() if path not in theirs}
    return writing_files.place(loaded.root, kept) + writing_files.place(
        loaded.root, rest, overwrite=force
    )


class _Present(Struct, frozen=True):
    """What a service's values say already."""

    databases: tuple[str, ...] = ()
    port: int = 8080
    image: str | None = None


def _present(loaded: loading.Loaded, service: str) -> _Present:
    """Read the first values file that is there; odd content is left to the schema of the chart."""
    if not scaffolding.is_name(service):
        return _Present()
    for path in sorted(_values(service, loaded.policy)):
        if (loaded.root / path).is_file():
            break
    else:
        return _Present()
    document = values.read(loaded.root / path, path)
    image, port = document.get("image.repository"), document.get("service.port")
    rows = document.get("migration.databases")
    listed = rows if isinstance(rows, list) else []
    names = [row.get("name") for row in listed if isinstance(row, dict)]
    return _Present(
        databases=tuple(name for name in names if isinstance(name, str)),
        port=port if isinstance(port, int) else 8080,
        image=image if isinstance(image, str) else None,
    )


def _values(service: str, policy: documents.Policy) -> set[str]:
    """The values files of the environments; they hold what `secrets seal` and `image set` wrote."""
    names = policy.environments
    return {str(path) for name in names for path in naming.values_files(policy, service, name)}


def _has_migrations(root: Path, path: str) -> bool:
    return path.endswith(".sql") and any((root / path).parent.glob("*.sql"))
