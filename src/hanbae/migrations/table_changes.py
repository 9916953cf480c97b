"""What ``ALTER TABLE`` does, one effect for each of its parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from hanbae import foreign_json
from hanbae.migrations import postgresql
from hanbae.migrations.parse_trees import names, qualified, text
from hanbae.results.effects import Action, Effect, Lock, Work

_ALL: Final[Lock] = "ACCESS EXCLUSIVE"
_DDL: Final[Lock] = "SHARE UPDATE EXCLUSIVE"
_REFERENCES: Final[Lock] = "SHARE ROW EXCLUSIVE"
_CONSTRAINTS: Final = frozenset({"CONSTR_PRIMARY", "CONSTR_UNIQUE", "CONSTR_EXCLUSION"})
"""Constraints that are indexes."""
_SERIAL: Final = frozenset({"serial", "serial4", "bigserial", "serial8", "smallserial", "serial2"})
_STEADY: Final = frozenset(
    (  # noqa: SIM905  a list of words
        "abs array_append array_to_json concat current_database current_schema current_setting date_part date_trunc "
        "decode encode extract format json_build_array json_build_object jsonb_build_array jsonb_build_object length "
        "lower make_date make_interval make_timestamptz md5 now repeat round statement_timestamp timezone to_char "
        "to_date to_json to_jsonb to_timestamp transaction_timestamp upper"
    ).split()
)
"""Functions that give the same value for every row of a statement; of one that is not here, nobody knows."""
_SIMPLE: Final[dict[str, tuple[Action, Lock, Work]]] = {
    "AT_DropColumn": ("column-dropped", _ALL, "catalog"),
    "AT_ColumnDefault": ("column-default", _ALL, "catalog"),
    "AT_DropNotNull": ("column-nullable", _ALL, "catalog"),
    "AT_SetNotNull": ("column-not-null", _ALL, "scan"),
    "AT_AlterColumnType": ("column-type", _ALL, "rewrite"),
    "AT_SetExpression": ("column-type", _ALL, "rewrite"),
    "AT_ValidateConstraint": ("constraint-validated", _DDL, "scan"),
    "AT_DropConstraint": ("constraint-dropped", _ALL, "catalog"),
    "AT_SetLogged": ("table-rewritten", _ALL, "rewrite"),
    "AT_SetUnLogged": ("table-rewritten", _ALL, "rewrite"),
    "AT_SetAccessMethod": ("table-rewritten", _ALL, "rewrite"),
    "AT_SetTableSpace": ("table-rewritten", _ALL, "rewrite"),
    "AT_SetStatistics": ("table-altered", _DDL, "catalog"),
    "AT_SetRelOptions": ("table-altered", _DDL, "catalog"),
    "AT_ResetRelOptions": ("table-altered", _DDL, "catalog"),
    "AT_SetOptions": ("table-altered", _DDL, "catalog"),
    "AT_ClusterOn": ("table-altered", _DDL, "catalog"),
    "AT_DropCluster": ("table-altered", _DDL, "catalog"),
    "AT_DetachPartitionFinalize": ("partition-detached", _DDL, "catalog"),
    "AT_EnableTrig": ("table-altered", _REFERENCES, "catalog"),
    "AT_DisableTrig": ("table-altered", _REFERENCES, "catalog"),
    "AT_EnableTrigAll": ("table-altered", _REFERENCES, "catalog"),
    "AT_DisableTrigAll": ("table-altered", _REFERENCES, "catalog"),
    "AT_EnableTrigUser": ("table-altered", _REFERENCES, "catalog"),
    "AT_DisableTrigUser": ("table-altered", _REFERENCES, "catalog"),
}
"""Subcommand → action, lock and work, where these depend on nothing else."""


def effects(command: postgresql.Command) -> Iterator[Effect]:
    """The effects of one ``ALTER TABLE``."""
    table = qualified(command.tree.get("relation"))
    for node in foreign_json.mappings(command.tree.get("cmds")):
        part = foreign_json.below(node, "AlterTableCmd")
        kind = text(part.get("subtype"))
        if kind == "AT_AddColumn":
            yield from _column(table, part, command.line)
        elif kind == "AT_AddConstraint":
            constraint = foreign_json.below(part, "def", "Constraint")
            yield from _constraint(table, constraint, command.line)
        elif kind == "AT_AttachPartition":
            partition = qualified(foreign_json.below(part, "def", "PartitionCmd").get("name"))
            yield Effect("partition-attached", command.line, table, partition, lock=_DDL)
            yield Effect("referenced", command.line, partition, table, lock=_ALL, work="scan")
        elif kind == "AT_DetachPartition":
            detached = foreign_json.below(part, "def", "PartitionCmd")
            lock = _DDL if detached.get("concurrent") else _ALL
            name = qualified(detached.get("name"))
            yield Effect("partition-detached", command.line, table, name, lock=lock)
        else:
            yield _simple(table, kind, part, command.line)


def _simple(table: str, kind: str, part: Mapping[str, Any], line: int) -> Effect:
    action, lock, work = _SIMPLE.get(kind, ("table-altered", _ALL, "catalog"))
    name, again = text(part.get("name")), bool(part.get("missing_ok"))
    definition = foreign_json.below(dict(part), "def", "ColumnDef")
    to = type_name(definition) if action == "column-type" else ""
    return Effect(action, line, table, name, to=to, lock=lock, work=work, again=again)


def _column(table: str, part: Mapping[str, Any], line: int) -> Iterator[Effect]:
    definition = foreign_json.below(dict(part), "def", "ColumnDef")
    own = list(constraints([{"ColumnDef": definition}]))
    kinds = {text(constraint.get("contype")): constraint for constraint in own}
    serial = type_name(definition) in _SERIAL
    default = kinds.get("CONSTR_DEFAULT", {}).get("raw_expr")
    is_filled = serial or "CONSTR_IDENTITY" in kinds or "CONSTR_GENERATED" in kinds
    # A virtual column is computed when it is read, so nothing is written (PostgreSQL 18).
    stored = kinds.get("CONSTR_GENERATED", {}).get("generated_kind") != "v"
    work: Work = "catalog"
    if (
        serial
        or "CONSTR_IDENTITY" in kinds
        or ("CONSTR_GENERATED" in kinds and stored)
        # Since PostgreSQL 11 a default that is the same for every row is kept in the catalog.
        or (default is not None and is_volatile(default))
    ):
        work = "rewrite"
    elif not _CONSTRAINTS.isdisjoint(kinds):
        work = "build"
    elif "CONSTR_CHECK" in kinds:
        work = "scan"
    required = "CONSTR_NOTNULL" in kinds or "CONSTR_PRIMARY" in kinds
    # DEFAULT NULL leaves the rows without a value, like no default.
    has_default = default is not None and "A_Const" not in _null(default)
    yield Effect(
        "column-added",
        line,
        table,
        text(definition.get("colname")),
        to=type_name(definition),
        lock=_ALL,
        work=work,
        again=bool(part.get("missing_ok")),
        fails=required and not has_default and not is_filled,
    )
    if "CONSTR_FOREIGN" in kinds:
        other = qualified(kinds["CONSTR_FOREIGN"].get("pktable"))
        yield Effect("referenced", line, other, table, lock=_REFERENCES)


def _constraint(table: str, constraint: Mapping[str, Any], line: int) -> Iterator[Effect]:
    kind = text(constraint.get("contype"))
    name = text(constraint.get("conname"))
    # NOT VALID: the rows that are there are not looked at.
    unchecked = bool(constraint.get("skip_validation"))
    work: Work = "catalog" if unchecked else "scan"
    lock: Lock = _REFERENCES if kind == "CONSTR_FOREIGN" else _ALL
    if kind in _CONSTRAINTS:
        # USING INDEX takes an index that was built before.
        work = "catalog" if constraint.get("indexname") else "build"
    yield Effect("constraint-added", line, table, name, lock=lock, work=work)
    other = qualified(constraint.get("pktable"))
    if kind == "CONSTR_FOREIGN" and other != table:
        yield Effect("referenced", line, other, table, lock=_REFERENCES)


def constraints(elements: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """The constraints among the elements of a table, those of its columns included."""
    for element in elements:
        own = element.get("Constraint")
        if isinstance(own, dict):
            yield own
        column = foreign_json.below(dict(element), "ColumnDef")
        for node in foreign_json.mappings(column.get("constraints")):
            yield foreign_json.below(node, "Constraint")


def type_name(definition: Mapping[str, Any]) -> str:
    """The type of a column, by the last part of its name."""
    parts = names(foreign_json.below(dict(definition), "typeName").get("names"))
    return parts[-1] if parts else ""


def is_volatile(expression: Any) -> bool:
    """Whether an expression may have another value for each row: it calls a function of which no other is known."""
    if isinstance(expression, list):
        return any(map(is_volatile, expression))
    if not isinstance(expression, dict):
        return False
    call = expression.get("FuncCall")
    if isinstance(call, dict):
        function = names(call.get("funcname"))
        if not function or function[-1] not in _STEADY:
            return True
    return any(map(is_volatile, expression.values()))


def constant(node: Mapping[str, Any]) -> str:
    """The value of a constant as a text; empty for what is none."""
    value = foreign_json.below(dict(node), "A_Const")
    for kind, field in (("sval", "sval"), ("ival", "ival"), ("fval", "fval")):
        if kind in value:
            # The JSON of libpg_query leaves out what is 0, false or empty.
            return str(foreign_json.below(value, kind).get(field, 0))
    return "true" if foreign_json.below(value, "boolval").get("boolval") else ""


def _null(expression: Any) -> dict[str, Any]:
    """The constant NULL where an expression is nothing else; empty otherwise."""
    node = expression if isinstance(expression, dict) else {}
    cast = foreign_json.below(node, "TypeCast", "arg") or node
    return cast if foreign_json.below(cast, "A_Const").get("isnull") else {}
