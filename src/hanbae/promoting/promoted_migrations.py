"""What the migrations do that a promotion brings, and how they are taken back, as far as their words show."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hanbae import wording
from hanbae.migrations import hazards, scripts
from hanbae.policy import documents, naming
from hanbae.repository import trees
from hanbae.results import previews, promotions

_MOST = 20
"""Statements of a file that are told."""


def of(
    policy: documents.Policy, tree: trees.Tree, compared: Iterable[previews.Compared]
) -> Iterator[promotions.Migration]:
    """The migrations that will run, service by service and in their order.

    Args:
        policy: The policy, located in the tree.
        tree: The files that are promoted.
        compared: What becomes of each service.
    """
    for service in compared:
        folder = str(naming.migrations_folder(policy, service.service))
        paths = {path.rpartition("/")[2]: path for path in tree.files(folder)}
        for database in service.migrations:
            for name in database.names:
                path = paths.get(name, f"{folder}/{name}")
                yield _migration(service.service, database.database, path, tree.read(path) or b"")


def disordered(compared: Iterable[previews.Compared], environment: str) -> Iterator[wording.Text]:
    """What goose would not run: files that come before the last one that the environment has.

    Args:
        compared: What becomes of each service.
        environment: The environment that they are promoted to.
    """
    for service in compared:
        for database in service.migrations:
            last = database.at or 0
            facts = {
                "service": service.service,
                "database": database.database,
                "environment": environment,
                "last": str(last),
            }
            late = [version for version in database.pending or () if version < last]
            if late:
                versions = ", ".join(map(str, late))
                yield wording.Text("promotion.out-of-order", {**facts, "versions": versions})


def _migration(service: str, database: str, path: str, data: bytes) -> promotions.Migration:
    parsed = scripts.read(data)
    return promotions.Migration(
        service,
        database,
        path,
        _words(parsed.up),
        tuple(hazard.words for hazard in hazards.losses(parsed.up))[:_MOST],
        parsed.transaction,
        _words(parsed.down or ()),
    )


def _words(statements: Iterable[scripts.Statement]) -> tuple[str, ...]:
    words = [hazards.words(text) for entry in statements for text, _ in hazards.parts(entry)]
    return tuple(words[:_MOST])
