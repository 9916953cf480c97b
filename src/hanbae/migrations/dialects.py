"""Which database a migration is written for: by the driver that goose is given, and by words that only one knows."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, Literal

from hanbae import patterns

Dialect = Literal["postgres", "mysql", "clickhouse", "sqlite", "other"]
"""How SQL is written; ``other`` where nothing is known of it but that it is none of these."""

_DRIVERS: Final[dict[str, Dialect]] = {
    "postgres": "postgres",
    "postgresql": "postgres",
    "pgx": "postgres",
    "redshift": "postgres",
    "mysql": "mysql",
    "tidb": "mysql",
    "starrocks": "mysql",
    "sqlite3": "sqlite",
    "sqlite": "sqlite",
    "turso": "sqlite",
    "clickhouse": "clickhouse",
    "mssql": "other",
    "azuresql": "other",
    "sqlserver": "other",
    "vertica": "other",
    "ydb": "other",
    "spanner": "other",
}
"""Name of a driver as goose (v3.27) takes it → dialect."""
_CLICKHOUSE: Final = patterns.lazy(
    r"\bON\s+CLUSTER\b|\bENGINE\s*(?:=\s*)?(?:Kafka|Distributed|Buffer|Null|Dictionary|Atomic|Memory)\b|MergeTree\b"
    r"|\b(?:LowCardinality|Nullable|DateTime64)\s*\(",
    re.IGNORECASE,
)
_MYSQL: Final = patterns.lazy(
    r"\bENGINE\s*=\s*(?:InnoDB|MyISAM)\b|\bAUTO_INCREMENT\b", re.IGNORECASE
)
# PostgreSQL creates no database "if not exists".
_FOREIGN: Final = patterns.lazy(r"\bCREATE\s+DATABASE\s+IF\b", re.IGNORECASE)
_SMALL: Final = 16 * 1024
"""Letters of a file that is remembered: services often have the same ones, such as the first."""
# In each of these patterns, whatever it finds.
_TELLING: Final = (
    *("cluster", "engine", "mergetree", "lowcardinality", "nullable", "datetime64"),
    *("auto_increment", "database"),
)


def of_driver(name: str) -> Dialect | None:
    """The dialect of a driver; None for a word that is none.

    Args:
        name: The word, as in ``GOOSE_DRIVER``.
    """
    return _DRIVERS.get(name.lower())


def of_text(text: str) -> Dialect | None:
    """The dialect that a file's own words give away; None where it could be any.

    Args:
        text: The file.
    """
    return _remembered(text) if len(text) <= _SMALL else _read(text)


@lru_cache(maxsize=256)
def _remembered(text: str) -> Dialect | None:
    return _read(text)


def _read(text: str) -> Dialect | None:
    lowered = text.lower()
    # Most files have none of these words, and patterns that begin with any letter take their time. Of letters that are
    # no ASCII some count as one that is: the long s.
    if text.isascii() and not any(word in lowered for word in _TELLING):
        return None
    if _CLICKHOUSE.search(text):
        return "clickhouse"
    if _MYSQL.search(text):
        return "mysql"
    return "other" if _FOREIGN.search(text) else None
