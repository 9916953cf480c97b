"""The tables of a history on a PostgreSQL server, and how older ones become newer ones.

They are in a schema of their own. Whoever comes first makes them; a lock of the server's lets nobody else begin
meanwhile. What a newer hanbae has made is left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from hanbae.history import schemas

if TYPE_CHECKING:
    import psycopg

MIGRATING: Final = 0x68616E62
"""Class of the server's advisory lock that is held while tables are made (``hanb``)."""

_FIRST: Final = (
    # Not IF NOT EXISTS: that asks for the right to make one also where somebody with more rights has made it.
    """
    DO $$ BEGIN
        IF to_regnamespace('hanbae') IS NULL THEN CREATE SCHEMA hanbae; END IF;
    END $$
    """,
    "CREATE TABLE hanbae.versions (version integer PRIMARY KEY)",
    # "C": ids are compared by their bytes, as SQLite compares them, so that an index answers what begins like this.
    """
    CREATE TABLE hanbae.events (
        position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        deployment text COLLATE "C" NOT NULL,
        seq integer NOT NULL CHECK (seq >= 1),
        kind text NOT NULL,
        event text NOT NULL,
        recorded text COLLATE "C" NOT NULL,
        environment text,
        service text,
        outcome text,
        UNIQUE (deployment, seq)
    )
    """,
    """
    CREATE INDEX opened_to ON hanbae.events (environment, recorded, position)
    WHERE kind = 'Opened'
    """,
    "CREATE INDEX opened_of ON hanbae.events (service, recorded, position) WHERE kind = 'Opened'",
    "CREATE INDEX opened_when ON hanbae.events (recorded, position) WHERE kind = 'Opened'",
    "CREATE INDEX closed ON hanbae.events (deployment, outcome) WHERE kind = 'Closed'",
    """
    CREATE INDEX telling ON hanbae.events (deployment, seq)
    WHERE kind NOT IN ('Logged', 'Observed')
    """,
)

MIGRATIONS: Final[Sequence[Sequence[str]]] = (_FIRST,)
"""What each version adds to the one before; only ever appended to."""


def migrate(connection: psycopg.Connection[Any]) -> None:
    """Bring a database up to date in one transaction; nothing is done when it is.

    Args:
        connection: In autocommit mode.

    Raises:
        hanbae.history.schemas.Newer: Its version is not known here.
        psycopg.Error: The server refuses: another program's tables are in the way, or the right is missing.
    """
    if _version(connection) == len(MIGRATIONS):
        return
    # Before the transaction: only at its beginning a session learns of tables that others have made while it waited.
    connection.execute("SELECT pg_advisory_lock(%s, 0)", (MIGRATING,))
    try:
        with connection.transaction():
            version = _version(connection)  # again: somebody else may have been faster
            for number, statements in enumerate(MIGRATIONS[version:], version + 1):
                for statement in statements:
                    connection.execute(statement.encode())
                connection.execute("INSERT INTO hanbae.versions VALUES (%s)", (number,))
    finally:
        # A session that is gone has let go of its locks.
        if not connection.broken:
            connection.execute("SELECT pg_advisory_unlock(%s, 0)", (MIGRATING,))


def _version(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute("SELECT to_regclass('hanbae.versions') IS NOT NULL").fetchone()
    if not row or not row[0]:
        return 0
    row = connection.execute("SELECT coalesce(max(version), 0) FROM hanbae.versions").fetchone()
    version = int(row[0]) if row else 0
    if version > len(MIGRATIONS):
        raise schemas.Newer
    return version
