"""Asks a database of PostgreSQL where it stands, and changes nothing: in one transaction that may not write.

``goose status`` and ``goose version`` create the table of versions where there is none; this does not.
psycopg comes with the extra ``postgresql`` and is imported when a database is asked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from hanbae import errors, masking
from hanbae.argo import proof_questions
from hanbae.migrations import drifts
from hanbae.planning import migration_plans
from hanbae.results import migration_plans as results

if TYPE_CHECKING:
    import psycopg

_PATIENCE: Final = 10
"""Seconds for the connection, and for each question."""
_MOST: Final = 100_000
"""Rows of a table of versions."""
# `to_regclass` is NULL for a missing name, where a cast would fail and abort the transaction. It
# follows the `search_path`, as goose's own statements do.
_WHERE: Final = """
SELECT n.nspname, c.relname, c.reltuples::bigint, pg_total_relation_size(c.oid)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = to_regclass(%s)
"""


def read(
    name: str,
    address: masking.Masked,
    table: str,
    tables: Sequence[str],
    creates: Mapping[int, tuple[str, ...]],
) -> migration_plans.Reading:
    """What a database has: its versions, how large some of its tables are, and what is not as it should be.

    Args:
        name: Name of the database, for messages.
        address: Its URL.
        table: goose's table of versions.
        tables: Tables whose size is asked for, as migrations name them.
        creates: Version → what its file makes outside a transaction, by which one that was broken off is told.

    Raises:
        errors.Lacking: psycopg is not installed.
        errors.Unreachable: The database does not answer, or not to this.
    """
    try:
        import psycopg
    except ImportError as error:
        raise errors.Lacking("migrations.needs-extra", module="psycopg") from error
    redact = masking.Redactor([address])
    try:
        with psycopg.connect(
            address.unmask().decode(),
            connect_timeout=_PATIENCE,
            application_name="hanbae",
            # No prepared statements: a pooler such as PgBouncer may send the next query to
            # another session.
            prepare_threshold=None,
        ) as connection:
            # Set before the first statement, with which psycopg begins the one
            # transaction used here.
            connection.read_only = True
            connection.execute(f"SET LOCAL statement_timeout = '{_PATIENCE}s'".encode())
            connection.execute(f"SET LOCAL lock_timeout = '{_PATIENCE}s'".encode())
            versions = _versions(connection, table)
            sizes = {size.name: size for size in _sizes(connection, tables)}
            present = dict(_present(connection, creates, versions))
            # Must be the last: its answer is an error, which aborts the transaction.
            answer = _answer(connection)
            return migration_plans.Reading(
                "database",
                versions,
                sizes,
                answer.invalid,
                tuple(answer.strays(name, table)),
                present,
            )
    except (psycopg.Error, UnicodeError, ValueError) as error:
        reason = redact(" ".join(str(error).split()))
        raise errors.Unreachable("migrations.unreachable", database=name, reason=reason) from None


def _versions(connection: psycopg.Connection[Any], table: str) -> frozenset[int]:
    """The versions that are applied: of each, the newest row counts. None where there is no table yet."""
    from psycopg import sql

    where = connection.execute(_WHERE, (_quoted(table),)).fetchone()
    if where is None:
        return frozenset()
    query = sql.SQL("SELECT version_id, is_applied FROM {} ORDER BY id DESC LIMIT {}")
    rows = connection.execute(query.format(sql.Identifier(*where[:2]), sql.Literal(_MOST)))
    newest: dict[int, bool] = {}
    for version, is_applied in rows.fetchall():
        # Before 2021 goose recorded a rollback as a row with false instead of deleting the row.
        newest.setdefault(int(version), bool(is_applied))
    return frozenset(version for version, is_applied in newest.items() if is_applied)


def _sizes(connection: psycopg.Connection[Any], tables: Sequence[str]) -> Iterable[results.Table]:
    for table in tables:
        row = connection.execute(_WHERE, (_quoted(table),)).fetchone()
        if row is not None:
            yield results.Table(table, int(row[2]), int(row[3] or 0))


def _present(
    connection: psycopg.Connection[Any],
    creates: Mapping[int, tuple[str, ...]],
    versions: Collection[int],
) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Version that is not applied → what of its file is there."""
    for version, names in creates.items():
        if version not in versions:
            rows = [
                (name, connection.execute(_WHERE, (_quoted(name),)).fetchone()) for name in names
            ]
            present = tuple(name for name, row in rows if row is not None)
            if present:
                yield version, present


def _answer(connection: psycopg.Connection[Any]) -> drifts.Answer:
    """What the database reports of itself; the transaction has ended with it.

    Raises:
        psycopg.Error: It does not answer.
    """
    import psycopg

    try:
        connection.execute(proof_questions.DRIFT_STATEMENT.encode())
    except psycopg.Error as error:
        answer = drifts.answer([error.diag.message_primary or ""])
        if answer is None:
            raise
        return answer
    raise ValueError(proof_questions.DRIFT_FILE)  # it always ends with its answer


def _quoted(name: str) -> str:
    """A name as PostgreSQL takes it literally; a part with a dot in it is not to be told from two."""
    return ".".join('"' + part.replace('"', '""') + '"' for part in name.split("."))
