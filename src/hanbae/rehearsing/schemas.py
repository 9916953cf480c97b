"""A database's schema as lines of text that are equal for equal schemas, whatever order it was made in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

_OWN: Final = """\
n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT IN ('information_schema', 'hanbae_rehearsal')
"""
_NOT_GOOSE: Final = "c.relname NOT LIKE 'goose\\_db\\_version%'"
# Functions that belong to an extension (deptype e) come with the line of that extension.
_QUERIES: Final = (
    "SELECT 'schema ' || n.nspname FROM pg_namespace n WHERE :own",
    """
    SELECT 'relation ' || n.nspname || '.' || c.relname || ' ' || c.relkind::text || c.relpersistence::text
      || CASE WHEN c.relrowsecurity THEN ' row security' ELSE '' END
      || coalesce(' partition of ' || (SELECT i.inhparent::regclass::text FROM pg_inherits i WHERE i.inhrelid = c.oid
           LIMIT 1), '')
      || coalesce(' ' || array_to_string(c.reloptions, ' '), '')
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c') AND :own AND :no_table_of_goose
    """,
    """
    SELECT 'column ' || n.nspname || '.' || c.relname || '.' || a.attname || ' '
      || format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
      || CASE a.attidentity WHEN '' THEN '' ELSE ' identity ' || a.attidentity::text END
      || coalesce(CASE a.attgenerated WHEN '' THEN ' default ' ELSE ' generated ' END
           || pg_get_expr(d.adbin, d.adrelid), '')
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c')
      AND :own AND :no_table_of_goose
    """,
    """
    SELECT 'sequence ' || n.nspname || '.' || c.relname || ' ' || format_type(s.seqtypid, NULL) || ' from ' || s.seqmin
      || ' to ' || s.seqmax || ' by ' || s.seqincrement || CASE WHEN s.seqcycle THEN ' cycle' ELSE '' END
    FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE :own AND :no_table_of_goose
    """,
    """
    SELECT 'index ' || pg_get_indexdef(i.indexrelid) || CASE WHEN i.indisvalid THEN '' ELSE ' INVALID' END
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE :own AND :no_table_of_goose
    """,
    """
    SELECT 'constraint ' || r.oid::regclass::text || ' ' || o.conname || ' ' || pg_get_constraintdef(o.oid)
    FROM pg_constraint o JOIN pg_class r ON r.oid = o.conrelid JOIN pg_namespace n ON n.oid = r.relnamespace
    WHERE :own AND r.relname NOT LIKE 'goose\\_db\\_version%'
    """,
    """
    SELECT 'constraint ' || t.oid::regtype::text || ' ' || o.conname || ' ' || pg_get_constraintdef(o.oid)
    FROM pg_constraint o JOIN pg_type t ON t.oid = o.contypid JOIN pg_namespace n ON n.oid = t.typnamespace WHERE :own
    """,
    """
    SELECT 'statistics ' || pg_get_statisticsobjdef(s.oid)
    FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace WHERE :own
    """,
    """
    SELECT 'rule ' || pg_get_ruledef(r.oid) || ' ' || r.ev_enabled::text
    FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE r.rulename <> '_RETURN' AND :own AND :no_table_of_goose
    """,
    """
    SELECT 'view ' || n.nspname || '.' || c.relname || ' ' || pg_get_viewdef(c.oid)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('v', 'm') AND :own
    """,
    """
    SELECT 'function ' || pg_get_functiondef(p.oid) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE p.prokind IN ('f', 'p') AND :own
      AND NOT EXISTS (SELECT FROM pg_depend x WHERE x.objid = p.oid AND x.deptype = 'e')
    """,
    """
    SELECT 'aggregate ' || p.oid::regprocedure::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE p.prokind = 'a' AND :own
      AND NOT EXISTS (SELECT FROM pg_depend x WHERE x.objid = p.oid AND x.deptype = 'e')
    """,
    """
    SELECT 'trigger ' || pg_get_triggerdef(t.oid) || ' ' || t.tgenabled::text
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE NOT t.tgisinternal AND :own
    """,
    """
    SELECT 'type ' || n.nspname || '.' || t.typname || ' ' || string_agg(e.enumlabel, ', ' ORDER BY e.enumsortorder)
    FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace JOIN pg_enum e ON e.enumtypid = t.oid
    WHERE :own GROUP BY n.nspname, t.typname
    """,
    """
    SELECT 'domain ' || n.nspname || '.' || t.typname || ' ' || format_type(t.typbasetype, t.typtypmod)
      || CASE WHEN t.typnotnull THEN ' not null' ELSE '' END || coalesce(' default ' || t.typdefault, '')
    FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.typtype = 'd' AND :own
    """,
    """
    SELECT 'policy ' || p.polname || ' on ' || c.oid::regclass::text || ' ' || p.polcmd::text
      || coalesce(' ' || pg_get_expr(p.polqual, p.polrelid), '')
      || coalesce(' check ' || pg_get_expr(p.polwithcheck, p.polrelid), '')
    FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE :own
    """,
    "SELECT 'extension ' || extname FROM pg_extension",
)
"""What a schema consists of; comments and rights are left out, as the order of columns is: both come otherwise."""


def read(connection: Any) -> tuple[str, ...]:
    """The schema of the database of a connection, line by line, sorted."""
    lines: list[str] = []
    for query in _QUERIES:
        whole = query.replace(":own", _OWN).replace(":no_table_of_goose", _NOT_GOOSE)
        lines += (str(row[0]) for row in connection.execute(whole).fetchall())
    return tuple(sorted(lines))


def differing(before: Sequence[str], after: Sequence[str]) -> tuple[str, ...]:
    """The lines that are not in both, sorted: ``-`` of what was, ``+`` of what is there now."""
    gone, come = Counter(before) - Counter(after), Counter(after) - Counter(before)
    marked = [
        *((line, "-") for line in gone.elements()),
        *((line, "+") for line in come.elements()),
    ]
    return tuple(f"{mark} {line}" for line, mark in sorted(marked))
