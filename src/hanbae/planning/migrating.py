"""The migrations of a service at a revision: which files each database has, and what is in them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from hanbae.migrations import databases, files
from hanbae.policy import documents, naming
from hanbae.repository import trees


def of(
    policy: documents.Policy, tree: trees.Tree, service: str, values: Mapping[str, Any]
) -> dict[str, dict[int, str]]:
    """Database → version → SHA-256 of its file, in the order in which the databases are migrated.

    Args:
        policy: The policy.
        tree: The files.
        service: The service.
        values: The merged values of its chart in an environment.

    Raises:
        hanbae.errors.FileFault: The values declare what is no database, or the files are not ones of goose's.
    """
    return {
        database: {
            version: hashlib.sha256(tree.read(path) or b"").hexdigest()
            for version, path in migrations.items()
        }
        for database, migrations in paths(policy, tree, service, values).items()
    }


def paths(
    policy: documents.Policy, tree: trees.Tree, service: str, values: Mapping[str, Any]
) -> dict[str, dict[int, str]]:
    """Database → version → path of its file, in the order in which the databases are migrated.

    Raises:
        hanbae.errors.FileFault: As for :func:`of`.
    """
    migrations: dict[str, dict[int, str]] = {}
    for database in databases.declared(values, service, wave=policy.migrations.wave):
        folder = str(naming.migrations_folder(policy, service) / database.directory)
        names = [
            path[len(folder) + 1 :]
            for path in tree.files(folder)
            if "/" not in path[len(folder) + 1 :]
        ]
        migrations[database.name] = {
            version: f"{folder}/{name}"
            for version, name in sorted(files.named(names, folder=folder).items())
        }
    return migrations
