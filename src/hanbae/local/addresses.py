"""Which secrets are addresses of databases, and of which of the local ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from msgspec import Struct

from hanbae.local.composition import Address, SecretKey
from hanbae.releases import database_names, key_words, parts

_ENDS: Final = frozenset({"url", "uri", "dsn", "dbstring"})
_CACHES: Final = frozenset({"valkey", "redis"})
_POSTGRES: Final = frozenset({"database", "db", "postgres", "postgresql", "pg"})
_OTHERS: Final = frozenset(
    {"mysql", "mariadb", "mongo", "mongodb", "kafka", "amqp", "rabbitmq", "nats", "sqlite", "mssql"}
)


class Owned(Struct, frozen=True):
    """What a release has to do with databases.

    Attributes:
        release: The release.
        keys: The keys of Secrets that its pods read.
    """

    release: parts.Release
    keys: tuple[SecretKey, ...]


def engine(name: str) -> str:
    """What a variable or a key is about: ``postgresql``, ``valkey``, ``clickhouse``, or nothing that runs here."""
    words = frozenset(key_words.split(name))
    if words & _OTHERS:
        return ""
    if words & _CACHES:
        return "valkey"
    if "clickhouse" in words:
        return "clickhouse"
    return "postgresql" if words & _POSTGRES else ""


def of(releases: Iterable[Owned]) -> tuple[Address, ...]:
    """The addresses among the keys that pods read.

    A database that a release migrates is its own; where two releases migrate databases of one name, each has its own
    with its service's name in front, as they would overwrite each other's table of versions. A key that no migration
    uses is that of the database that is called so.
    """
    every = tuple(releases)
    owners: dict[str, set[str]] = {}
    for owned in every:
        for migration in owned.release.migrations:
            owners.setdefault(migration.database, set()).add(owned.release.service)
    result: dict[SecretKey, Address] = {}
    for address in _migrated(every, owners):
        result.setdefault(address.key, address)
    for owned in every:
        for key in owned.keys:
            if key in result or not _is_address(key.key):
                continue
            kind = engine(key.key)
            if kind == "valkey":
                result[key] = Address(key, kind)
            elif kind:
                result[key] = Address(key, kind, _named(key.key, owned.release.service, owners))
    return tuple(result.values())


def _migrated(releases: Iterable[Owned], owners: Mapping[str, set[str]]) -> Iterator[Address]:
    """The addresses that migrations use."""
    for owned in releases:
        service = owned.release.service
        for migration in owned.release.migrations:
            if migration.address is None or migration.driver not in {"postgres", "clickhouse", ""}:
                continue
            key = SecretKey(migration.address.secret, migration.address.key)
            kind = "clickhouse" if migration.driver == "clickhouse" else "postgresql"
            yield Address(key, kind, _local(migration.database, service, owners))


def _is_address(key: str) -> bool:
    words = key_words.split(key)
    return bool(words) and words[-1] in _ENDS


def _named(key: str, service: str, owners: Mapping[str, set[str]]) -> str:
    """The database that a key without a migration means."""
    word = database_names.of_key(key) or service.replace("-", "_")
    for candidate in (word, f"{word}_db"):
        if candidate in owners:
            return _local(candidate, service, owners)
    return word


def _local(database: str, service: str, owners: Mapping[str, set[str]]) -> str:
    if len(owners.get(database, ())) > 1:
        return f"{service.replace('-', '_')}_{database}"
    return database
