"""The migrations of a service at a revision: which files each database has, and what is in them."""

from __future__ import annotations

import hashlib
from pathlib import PurePosixPath

from hanbae.migrations import goose_files
from hanbae.planning import releases
from hanbae.policy import folders
from hanbae.repository import trees


def of(tree: trees.Tree, service: releases.Databases, folder: str) -> dict[str, dict[int, str]]:
    """Database → version → SHA-256 of its file, in the order in which the databases are migrated.

    Args:
        tree: The files.
        service: The service, rendered in an environment.
        folder: The folder of its migrations.

    Raises:
        hanbae.errors.FileFault: The files are not ones of goose's.
    """
    return {
        database: {
            version: hashlib.sha256(tree.read(path) or b"").hexdigest()
            for version, path in migrations.items()
        }
        for database, migrations in paths(tree, service, folder).items()
    }


def paths(tree: trees.Tree, service: releases.Databases, folder: str) -> dict[str, dict[int, str]]:
    """Database → version → path of its file, in the order in which the databases are migrated.

    Raises:
        hanbae.errors.FileFault: As for :func:`of`.
    """
    migrations: dict[str, dict[int, str]] = {}
    for entry in service.migrated:
        own = str(PurePosixPath(folder) / entry.database.directory)
        names = [
            name
            for name in (folders.name(own, path) for path in tree.files(own))
            if "/" not in name
        ]
        migrations[entry.database.name] = {
            version: f"{own}/{name}"
            for version, name in sorted(goose_files.named(names, folder=own).items())
        }
    return migrations
