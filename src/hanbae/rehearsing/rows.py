"""Rows for tables that have none: as many as a real table has, made up, each unlike the others.

What they say does not matter, how many there are does: an index, a check and a new type take their time by the row.
Nothing of a real database is read, so a rehearsal needs nobody's data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Final

from msgspec import Struct

from hanbae.results import rehearsals

_TABLES: Final = """
SELECT c.oid, n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname NOT LIKE 'pg\\_%'
  AND n.nspname NOT IN ('information_schema', 'hanbae_rehearsal') AND c.relname NOT LIKE 'goose\\_db\\_version%'
"""
# Of varchar(n) and char(n), atttypmod is n + 4.
_COLUMNS: Final = """
SELECT a.attnum, a.attname, t.typname, t.typtype, a.attnotnull,
  a.atthasdef OR a.attidentity <> '' OR a.attgenerated <> '', a.atttypid,
  CASE WHEN t.typname IN ('varchar', 'bpchar') AND a.atttypmod > 4 THEN a.atttypmod - 4 END
FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
WHERE a.attrelid = %s AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
_LINKS: Final = """
SELECT conkey, confrelid, confkey FROM pg_constraint WHERE conrelid = %s AND contype = 'f'
"""
_VALUES: Final[Mapping[str, str]] = {
    "bool": "g % 2 = 0",
    "bytea": "convert_to('row ' || g, 'UTF8')",
    "cidr": "'10.0.0.0/24'::cidr",
    "date": "date '2020-01-01' + (g % 2000)::int",
    "inet": "'10.0.0.1'::inet + g",
    "interval": "make_interval(secs => g)",
    "json": "json_build_object('row', g)",
    "jsonb": "jsonb_build_object('row', g)",
    "time": "time '00:00'",
    "timestamp": "timestamp '2020-01-01' + make_interval(secs => g)",
    "timestamptz": "timestamptz '2020-01-01 00:00+00' + make_interval(secs => g)",
    "uuid": "gen_random_uuid()",
}
"""Type → an expression of it, of the row's number ``g``."""
_NUMBERS: Final = frozenset({"int4", "int8", "float4", "float8", "numeric"})
_TEXTS: Final = frozenset({"text", "varchar", "bpchar", "citext", "name"})


class _Table(Struct, frozen=True):
    oid: int
    schema: str
    name: str


def fill(connection: Any, number: int) -> tuple[rehearsals.Filled, ...]:
    """Give each table rows, those that others point at first.

    Args:
        connection: A connection in autocommit mode.
        number: Rows of each table.
    """
    import psycopg
    from psycopg import sql

    filled = []
    for table in _in_order(connection):
        name = f"{table.schema}.{table.name}"
        target = sql.Identifier(table.schema, table.name)
        try:
            columns, source = _row(connection, table, number)
            if not columns:
                statement = sql.SQL("INSERT INTO {} SELECT FROM generate_series(1, {}) g")
                query = statement.format(target, sql.Literal(number))
            else:
                names = sql.SQL(", ").join(map(sql.Identifier, columns))
                query = sql.SQL("INSERT INTO {} ({}) {}").format(target, names, source)
            written, why_not = _written(connection, query)
            connection.execute(sql.SQL("ANALYZE {}").format(target))
            filled.append(rehearsals.Filled(name, written, why_not))
        except psycopg.Error as error:
            filled.append(rehearsals.Filled(name, 0, _reason(error)))
    return tuple(filled)


def _written(connection: Any, query: Any) -> tuple[int, str]:
    """How many rows a table takes, and why not all: a unique key takes each row that it points at once."""
    import psycopg
    from psycopg import sql

    try:
        return connection.execute(query).rowcount, ""
    except psycopg.errors.UniqueViolation as error:
        with suppress(psycopg.Error):  # which a deferrable key does not do
            rest = query + sql.SQL(" ON CONFLICT DO NOTHING")
            return connection.execute(rest).rowcount, _reason(error)
        raise


def _reason(error: Any) -> str:
    """PostgreSQL's words."""
    return str(error.diag.message_primary or type(error).__name__)


def _in_order(connection: Any) -> Iterator[_Table]:
    """The tables, those that others point at first; a circle comes in any order."""
    tables = {row[0]: _Table(*row) for row in connection.execute(_TABLES).fetchall()}
    points_at = {
        oid: {row[1] for row in connection.execute(_LINKS, (oid,)).fetchall()} - {oid}
        for oid in tables
    }
    remaining = sorted(tables, key=lambda oid: (tables[oid].schema, tables[oid].name))
    while remaining:
        ready = [oid for oid in remaining if not points_at[oid] & set(remaining)] or remaining[:1]
        for oid in ready:
            remaining.remove(oid)
            yield tables[oid]


def _row(connection: Any, table: _Table, number: int) -> tuple[list[str], Any]:
    """The columns that get a value, and the query of their values."""
    from psycopg import sql

    links = {
        key: (target, other)
        for keys, target, others in connection.execute(_LINKS, (table.oid,)).fetchall()
        for key, other in zip(keys, others, strict=True)
    }
    columns, values = [], []
    joins = [sql.SQL("FROM generate_series(1, {}) g").format(sql.Literal(number))]
    for position, name, kind, form, required, filled, type_oid, most in connection.execute(
        _COLUMNS, (table.oid,)
    ).fetchall():
        if filled or (not required and position not in links):
            continue
        if position in links:
            if not required:
                continue
            joins.append(_join(connection, links[position], len(joins)))
            values.append(sql.SQL("{}.v").format(sql.Identifier(f"j{len(joins) - 1}")))
        else:
            values.append(_value(connection, kind, form, type_oid, most))
        columns.append(name)
    listed = sql.SQL(", ").join(values)
    return columns, sql.SQL("SELECT {} {}").format(listed, sql.SQL(" ").join(joins))


def _join(connection: Any, link: tuple[int, int], index: int) -> Any:
    """The rows that a column points at, numbered, and begun with again where they are fewer than the table's own.

    Of none there is NULL, which PostgreSQL refuses in its own words.
    """
    from psycopg import sql

    target, column = link
    schema, name, attribute = connection.execute(
        "SELECT n.nspname, c.relname, a.attname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = %s WHERE c.oid = %s",
        (column, target),
    ).fetchone()
    return sql.SQL(
        "LEFT JOIN (SELECT {c} AS v, row_number() OVER (ORDER BY {c}) AS n FROM {t}) {j}"
        " ON {j}.n = 1 + (g - 1) % (SELECT greatest(count(*), 1) FROM {t})"
    ).format(
        c=sql.Identifier(attribute), t=sql.Identifier(schema, name), j=sql.Identifier(f"j{index}")
    )


def _value(connection: Any, kind: str, form: str, type_oid: int, most: int | None) -> Any:
    """An expression of a type."""
    from psycopg import sql

    if form == "e":
        label = connection.execute(
            "SELECT enumlabel FROM pg_enum WHERE enumtypid = %s ORDER BY enumsortorder LIMIT 1",
            (type_oid,),
        ).fetchone()
        return sql.Literal(label[0] if label else None)
    if kind in _TEXTS:
        return sql.SQL("right('row ' || g, {})").format(sql.Literal(most or 1000))
    if kind in _NUMBERS:
        return sql.SQL("g")
    if kind == "int2":
        return sql.SQL("g % 30000")
    if kind.startswith("_"):
        return sql.SQL("'{}'")
    return sql.SQL(_VALUES.get(kind, "NULL"))
