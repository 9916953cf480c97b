"""The table of a history in a file, and how an older file becomes a newer one.

One table: a deployment *is* its events, so nothing that can be folded from them is stored apart. What people search by
stands beside the event that says it, so that it has an index; PostgreSQL's table has the same columns.
A file that a newer hanbae has written is left alone.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

APPLICATION_ID: Final = 0x68616E62
"""Written into the file's header (``hanb``), so that no other program's database is taken for a history."""

_FIRST: Final = (
    """
    CREATE TABLE events (
        deployment TEXT NOT NULL,
        seq INTEGER NOT NULL CHECK (seq >= 1),
        kind TEXT NOT NULL,
        event TEXT NOT NULL CHECK (json_valid(event)),
        PRIMARY KEY (deployment, seq)
    ) STRICT
    """,
    """
    CREATE INDEX opened ON events (kind) WHERE kind = 'Opened'
    """,
)

# ``position`` is the order in which events were added. What SQLite numbers by itself may change when a file is
# compacted, unless the table has a name for it.
_SEARCHED: Final = (
    "DROP INDEX opened",
    "ALTER TABLE events RENAME TO former",
    """
    CREATE TABLE events (
        position INTEGER PRIMARY KEY,
        deployment TEXT NOT NULL,
        seq INTEGER NOT NULL CHECK (seq >= 1),
        kind TEXT NOT NULL,
        event TEXT NOT NULL CHECK (json_valid(event)),
        recorded TEXT NOT NULL DEFAULT '',
        environment TEXT,
        service TEXT,
        outcome TEXT,
        UNIQUE (deployment, seq)
    ) STRICT
    """,
    """
    INSERT INTO events
    SELECT rowid, deployment, seq, kind, event,
      coalesce(json_extract(event, '$.at'), ''),
      json_extract(event, '$.fact.plan.environment'),
      json_extract(event, '$.fact.plan.service'),
      CASE kind WHEN 'Closed' THEN json_extract(event, '$.fact.outcome') END
    FROM former ORDER BY rowid
    """,
    "DROP TABLE former",
    "CREATE INDEX opened_to ON events (environment, recorded, position) WHERE kind = 'Opened'",
    "CREATE INDEX opened_of ON events (service, recorded, position) WHERE kind = 'Opened'",
    "CREATE INDEX opened_when ON events (recorded, position) WHERE kind = 'Opened'",
    "CREATE INDEX closed ON events (deployment, outcome) WHERE kind = 'Closed'",
    "CREATE INDEX telling ON events (deployment, seq) WHERE kind NOT IN ('Logged', 'Observed')",
)

MIGRATIONS: Final[Sequence[Sequence[str]]] = (_FIRST, _SEARCHED)
"""What each version adds to the one before; only ever appended to."""


class NotAHistory(Exception):
    """The file is a database of some other program, or does more than keep events."""


class Newer(Exception):
    """A newer hanbae has written the file."""


def migrate(connection: sqlite3.Connection) -> None:
    """Bring a file up to date in one transaction; nothing is done when it is.

    Args:
        connection: In autocommit mode.

    Raises:
        NotAHistory: It is another program's database.
        Newer: Its version is not known here.
    """
    if _version(connection) == len(MIGRATIONS):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _version(connection)  # again: somebody else may have been faster
        _apply(connection, MIGRATIONS[version:])
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        connection.execute("COMMIT")
    except BaseException:
        # On a full disk SQLite has rolled back itself, and a second ROLLBACK would be the error that is told.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection) -> int:
    identity = connection.execute("PRAGMA application_id").fetchone()[0]
    version = int(connection.execute("PRAGMA user_version").fetchone()[0])
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if identity not in {0, APPLICATION_ID} or (identity == 0 and tables):
        raise NotAHistory
    if version > len(MIGRATIONS):
        raise Newer
    return version


def check(connection: sqlite3.Connection) -> None:
    """Look whether a file has exactly the tables and indices of its version.

    A trigger, a view or a default of a column runs when an event is written or read, and the file may come from
    anybody: one trigger is enough to have every event dropped in silence.

    Raises:
        NotAHistory: It has others.
        Newer: Its version is not known here.
    """
    version = _version(connection)
    model = sqlite3.connect(":memory:", isolation_level=None)
    try:
        _apply(model, MIGRATIONS[:version])
        # SQLite keeps the text of each CREATE, so files that the same statements have made have the
        # same texts.
        if _parts(connection) != _parts(model):
            raise NotAHistory
    finally:
        model.close()


def _parts(connection: sqlite3.Connection) -> list[tuple[str | None, ...]]:
    query = "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name"
    return connection.execute(query).fetchall()


def _apply(connection: sqlite3.Connection, migrations: Sequence[Sequence[str]]) -> None:
    for statements in migrations:
        for statement in statements:
            connection.execute(statement)
