"""What the database of a migration is called: the first name that anybody has given it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from hanbae import patterns
from hanbae.releases import key_words, parts

_ADDRESS: Final = frozenset(
    {"url", "uri", "dsn", "dbstring", "connection", "string", "database", "db"}
)
"""Words with which the key of an address ends."""
# The separator behind a word is only looked at: in `-db-migrate` it is also the one in front of the next word.
_OF_MIGRATION: Final = patterns.lazy(
    r"(?:^|[_-])(?:goose|migrat(?:e|es|ion|ions|or)|job|hook|db)(?=[_-]|$)", re.IGNORECASE
)
_LOOSE: Final = patterns.lazy(r"[^a-z0-9]+")
_GENERIC: Final = frozenset({"migrations", "migration", "db", "sql", "database", "schema", "goose"})
"""Last folders that say nothing of a database."""
_ENGINES: Final = frozenset(
    ("clickhouse", "goose", "migration", "migrations", "mysql", "pg", "postgres", "postgresql")
)
"""Words for an engine or a tool rather than for a database."""

Named = tuple[str, parts.NamedBy]


def of_key(key: str) -> str:
    """The database that the key of an address names: ``identity-database-url`` names identity; empty for none."""
    words = key_words.split(key)
    # From the end: in `POSTGRES_BILLING_DSN` the word in front belongs to the name.
    while words and words[-1] in _ADDRESS | _ENGINES:
        words.pop()
    return "_".join(words)


def of(migration: parts.Migration, *, service: str, release: str, alone: bool) -> Named:
    """The name of a migration's database, where neither the policy nor the values give it one.

    Args:
        migration: The migration.
        service: The service.
        release: The release, whose name Jobs begin with.
        alone: Whether the release has no other migration; then a key without a name means the service's own.
    """
    key = migration.address.key if migration.address else ""
    if name := of_key(key):
        return name, "key"
    # Several migrations that read a plain DATABASE_URL would all be called after the service.
    if alone and key:
        return _plain(service), "service"
    last = migration.folder.rpartition("/")[2]
    if last and last.lower() not in _GENERIC:
        return _plain(last), "folder"
    return of_job(migration, service, release), "job"


def of_job(migration: parts.Migration, service: str, release: str) -> str:
    """The name that a migration's Job gives, without that of the release and words such as ``migrate``."""
    job = migration.job.name
    # The longer one first: a release is usually called `auth-service`, so that taking `auth-` away
    # would leave `service-`.
    for prefix in (release, service):
        if job.startswith(f"{prefix}-"):
            job = job[len(prefix) + 1 :]
            break
        job = "" if job == prefix else job
    return _plain(_OF_MIGRATION.sub("", job)) or _plain(service)


def from_policy(migration: parts.Migration, names: Mapping[str, str]) -> str:
    """The name that the policy gives a migration by its Job, its container or its key; empty where it gives none."""
    return next((names[name] for name in candidates(migration) if name in names), "")


def candidates(migration: parts.Migration) -> tuple[str, ...]:
    """The names by which the policy may mean a migration: its Job, its container, the key of its address."""
    key = migration.address.key if migration.address else ""
    return tuple(name for name in (migration.job.name, migration.container, key) if name)


def _plain(text: str) -> str:
    return _LOOSE.sub("_", text.lower()).strip("_")
