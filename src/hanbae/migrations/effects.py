"""What the statements of a migration do on PostgreSQL: to which table, under which lock, and how much work that is.

The locks are those of PostgreSQL 18's manual, "Explicit Locking" and the pages of the commands.
A table that the same file creates has no rows, and nobody waits for it: what is done to it is free. IF NOT EXISTS and a
block that may not run mostly create it: what adds to it is free as well, what takes from it is not.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import msgspec

from hanbae import foreign_json
from hanbae.migrations import (
    hazards,
    lock_timeouts,
    locks,
    postgresql,
    scripts,
    table_changes,
)
from hanbae.migrations.parse_trees import names, qualified, text
from hanbae.results.effects import TAKING, Action, Effect, Lock

__all__ = ["Effect", "of"]

_LOSING: Final = TAKING | {"table-truncated", "rows-deleted", "column-type"}
"""What a table that may have been there before is not new for."""
_CONCURRENT: Final[Lock] = "SHARE UPDATE EXCLUSIVE"
_REMEMBERED: Final = 1000
"""Statements of which is kept what they do; none of them is longer than `postgresql.LONGEST`."""
_LONGEST: Final = 60
"""Letters of a statement that is shown by its words."""
_ARGUMENTS: Final = 3
"""Of ``set_config``: the setting, its value, and whether it ends with the transaction."""
_DROPPED: Final[dict[str, Action]] = {
    "OBJECT_TABLE": "table-dropped",
    "OBJECT_VIEW": "view-dropped",
    "OBJECT_MATVIEW": "view-dropped",
    "OBJECT_INDEX": "index-dropped",
    "OBJECT_TRIGGER": "trigger-dropped",
}
_RENAMED: Final[dict[str, Action]] = {
    "OBJECT_TABLE": "table-renamed",
    "OBJECT_VIEW": "table-renamed",
    "OBJECT_MATVIEW": "table-renamed",
    "OBJECT_COLUMN": "column-renamed",
}


def of(statements: Iterable[scripts.Statement]) -> tuple[Effect, ...]:
    """What statements do, in their order.

    Args:
        statements: Those of one part of a file, as goose reads them.
    """
    created: dict[str, bool] = {}  # and whether that is certain
    effects: list[Effect] = []
    for statement in statements:
        is_certain = True
        for effect in _of_statement(statement):
            is_certain = is_certain and effect.action != "block"
            if effect.action == "table-created":
                is_new = is_certain and not effect.again
                created[effect.table] = is_new or created.get(effect.table, False)
            # What was there before, such as the table that a new foreign key names, keeps its lock.
            if effect.table in created and (created[effect.table] or effect.action not in _LOSING):
                effects.append(
                    msgspec.structs.replace(effect, lock="", work="catalog", new=True, fails=False)
                )
            else:
                effects.append(effect)
            if effect.action in ("table-dropped", "table-renamed") and effect.table in created:
                # A table that was there before may have the name that is free now.
                was_certain = created.pop(effect.table)
                if effect.action == "table-renamed" and is_certain:
                    created[effect.to] = was_certain
    return tuple(effects)


def _of_statement(statement: scripts.Statement) -> Iterable[Effect]:
    # What is longer is not read anyway, and is not kept.
    if len(statement.text) > postgresql.LONGEST:
        return _read(statement.text, statement.line)
    return _remembered(statement.text, statement.line)


@functools.lru_cache(maxsize=_REMEMBERED)
def _remembered(sql: str, line: int) -> tuple[Effect, ...]:
    """The same statement stands in many services, such as the tables that each of them has."""
    return tuple(_read(sql, line))


def _read(sql: str, line: int) -> Iterator[Effect]:
    try:
        commands = postgresql.commands(scripts.Statement(sql, line))
    except postgresql.UnreadableError:
        if sql:
            yield Effect("unread", line, words=_shown(sql))
        return
    for command in commands:
        if command.kind == "DoStmt":
            yield from _of_block(command)
        else:
            yield from _READ.get(command.kind, _other)(command)


def _of_block(command: postgresql.Command) -> Iterator[Effect]:
    """What the statements in a block do that can be told apart; whether they run, nobody knows before."""
    yield Effect("block", command.line, words=_shown(command.words))
    for piece, line in hazards.parts(scripts.Statement(command.words, command.line)):
        try:
            inside = postgresql.commands(scripts.Statement(piece, line))
        except postgresql.UnreadableError:
            continue
        for nested in inside:
            if nested.kind in _READ:
                yield from _READ[nested.kind](nested)


def _other(command: postgresql.Command) -> Iterator[Effect]:
    yield Effect("other", command.line, words=_shown(command.words))


def _create(command: postgresql.Command) -> Iterator[Effect]:
    tree = command.tree
    table = qualified(tree.get("relation"))
    yield Effect("table-created", command.line, table, again=bool(tree.get("if_not_exists")))
    parents = [qualified(node.get("RangeVar")) for node in _nodes(tree, "inhRelations")]
    for parent in filter(None, parents):
        # PARTITION OF locks the parent against everybody; INHERITS only against changes of its
        # schema.
        lock: Lock = "ACCESS EXCLUSIVE" if tree.get("partbound") else _CONCURRENT
        yield Effect("partition-created", command.line, parent, table, lock=lock)
    for constraint in table_changes.constraints(_nodes(tree, "tableElts")):
        other = qualified(constraint.get("pktable"))
        if constraint.get("contype") == "CONSTR_FOREIGN" and other != table:
            lock = "SHARE ROW EXCLUSIVE"
            yield Effect("referenced", command.line, other, table, lock=lock)


def _index(command: postgresql.Command) -> Iterator[Effect]:
    tree = command.tree
    concurrent = bool(tree.get("concurrent"))
    yield Effect(
        "index-created",
        command.line,
        qualified(tree.get("relation")),
        text(tree.get("idxname")),
        lock=_CONCURRENT if concurrent else "SHARE",
        work="build",
        again=bool(tree.get("if_not_exists")),
    )


def _alter(command: postgresql.Command) -> Iterator[Effect]:
    if command.tree.get("objtype") not in ("OBJECT_TABLE", "OBJECT_MATVIEW"):
        return _other(command)
    return table_changes.effects(command)


def _drop(command: postgresql.Command) -> Iterator[Effect]:
    tree = command.tree
    action = _DROPPED.get(text(tree.get("removeType")))
    if action is None:
        yield from _other(command)
        return
    lock: Lock = _CONCURRENT if tree.get("concurrent") else "ACCESS EXCLUSIVE"
    again = bool(tree.get("missing_ok"))
    for node in _nodes(tree, "objects"):
        path = names(foreign_json.below(node, "List").get("items"))
        if not path:
            continue
        if action == "index-dropped":  # of which table, only the database knows
            yield Effect(action, command.line, "", ".".join(path), lock=lock, again=again)
        elif action == "trigger-dropped":
            table, name = ".".join(path[:-1]), path[-1]
            yield Effect(action, command.line, table, name, lock=lock, again=again)
        else:
            yield Effect(action, command.line, ".".join(path), lock=lock, again=again)


def _rename(command: postgresql.Command) -> Iterator[Effect]:
    tree = command.tree
    kind = text(tree.get("renameType"))
    if kind == "OBJECT_TABCONSTRAINT":
        table = qualified(tree.get("relation"))
        yield Effect("table-altered", command.line, table, lock="ACCESS EXCLUSIVE")
        return
    action = _RENAMED.get(kind)
    if action is None:
        yield from _other(command)
        return
    relation, to = foreign_json.below(tree, "relation"), text(tree.get("newname"))
    name = ""
    if action == "column-renamed":
        name = text(tree.get("subname"))
    else:
        to = qualified(relation | {"relname": to})
    yield Effect(action, command.line, qualified(relation), name, to=to, lock="ACCESS EXCLUSIVE")


def _moved(command: postgresql.Command) -> Iterator[Effect]:
    relation = foreign_json.below(command.tree, "relation")
    table = qualified(relation)
    to = qualified(relation | {"schemaname": text(command.tree.get("newschema"))})
    # `SET SCHEMA` of a function or a type names no relation.
    if not table:
        yield from _other(command)
        return
    yield Effect("table-renamed", command.line, table, to=to, lock="ACCESS EXCLUSIVE")


def _trigger(command: postgresql.Command) -> Iterator[Effect]:
    table, name = qualified(command.tree.get("relation")), text(command.tree.get("trigname"))
    yield Effect("trigger-created", command.line, table, name, lock="SHARE ROW EXCLUSIVE")


def _rows(action: Action) -> Callable[[postgresql.Command], Iterator[Effect]]:
    def read(command: postgresql.Command) -> Iterator[Effect]:
        tree = command.tree
        table = qualified(tree.get("relation"))
        every = action != "rows-inserted" and "whereClause" not in tree
        yield Effect(action, command.line, table, lock="ROW EXCLUSIVE", work="rows", every=every)

    return read


def _truncate(command: postgresql.Command) -> Iterator[Effect]:
    for node in _nodes(command.tree, "relations"):
        table = qualified(node.get("RangeVar"))
        yield Effect("table-truncated", command.line, table, lock="ACCESS EXCLUSIVE", every=True)


def _vacuum(command: postgresql.Command) -> Iterator[Effect]:
    tree = command.tree
    options = {
        text(foreign_json.below(node, "DefElem").get("defname")) for node in _nodes(tree, "options")
    }
    tables = [
        qualified(foreign_json.below(node, "VacuumRelation").get("relation"))
        for node in _nodes(tree, "rels")
    ]
    for table in tables or [""]:
        # VACUUM FULL writes the table anew; VACUUM and ANALYZE work beside whoever reads and
        # writes.
        if tree.get("is_vacuumcmd") and "full" in options:
            lock: Lock = "ACCESS EXCLUSIVE"
            yield Effect("table-rewritten", command.line, table, lock=lock, work="rewrite")
        else:
            yield Effect("table-scanned", command.line, table, lock=_CONCURRENT, work="scan")


def _cluster(command: postgresql.Command) -> Iterator[Effect]:
    table = qualified(command.tree.get("relation"))
    yield Effect("table-rewritten", command.line, table, lock="ACCESS EXCLUSIVE", work="rewrite")


def _refresh(command: postgresql.Command) -> Iterator[Effect]:
    table = qualified(command.tree.get("relation"))
    # CONCURRENTLY lets others read the view while it is made anew.
    lock: Lock = "EXCLUSIVE" if command.tree.get("concurrent") else "ACCESS EXCLUSIVE"
    yield Effect("view-refreshed", command.line, table, lock=lock, work="rewrite")


def _reindex(command: postgresql.Command) -> Iterator[Effect]:
    tree = command.tree
    concurrent = "concurrently" in {
        text(foreign_json.below(node, "DefElem").get("defname")) for node in _nodes(tree, "params")
    }
    is_index = tree.get("kind") == "REINDEX_OBJECT_INDEX"
    name = qualified(tree.get("relation"))
    lock: Lock = _CONCURRENT if concurrent else "SHARE"
    # Of which table the index is, only the database knows.
    table, index = ("", name) if is_index else (name, "")
    yield Effect("index-rebuilt", command.line, table, index, lock=lock, work="build")


def _lock(command: postgresql.Command) -> Iterator[Effect]:
    lock = locks.numbered(foreign_json.number(command.tree.get("mode"), 0))
    for node in _nodes(command.tree, "relations"):
        yield Effect("table-locked", command.line, qualified(node.get("RangeVar")), lock=lock)


def _view(command: postgresql.Command) -> Iterator[Effect]:
    replaces = bool(command.tree.get("replace"))
    lock: Lock = "ACCESS EXCLUSIVE" if replaces else ""
    view = qualified(command.tree.get("view"))
    yield Effect("view-created", command.line, view, lock=lock, again=replaces)


def _set(command: postgresql.Command) -> Iterator[Effect]:
    tree = command.tree
    values = [table_changes.constant(node) for node in _nodes(tree, "args")]
    name = text(tree.get("name")).lower()
    # RESET ALL takes back this setting too.
    if tree.get("kind") == "VAR_RESET_ALL":
        name = lock_timeouts.NAME
    if name != lock_timeouts.NAME:  # of other settings the value is nobody's business
        yield from _other(command)
        return
    # RESET and SET … TO DEFAULT bring back what the connection began with.
    to = values[0] if values and tree.get("kind") == "VAR_SET_VALUE" else ""
    yield Effect("setting", command.line, "", name, to=to, local=bool(tree.get("is_local")))


def _query(command: postgresql.Command) -> Iterator[Effect]:
    """A query: it changes nothing that hanbae sees, but by ``set_config`` a setting."""
    for node in _nodes(command.tree, "targetList"):
        call = foreign_json.below(node, "ResTarget", "val", "FuncCall")
        values = [table_changes.constant(argument) for argument in _nodes(call, "args")]
        if names(call.get("funcname"))[-1:] == ["set_config"] and len(values) == _ARGUMENTS:
            name, to, local = values
            if name == lock_timeouts.NAME:
                yield Effect("setting", command.line, "", name, to=to, local=local == "true")
                return
    yield from _other(command)


def _nodes(tree: dict[str, Any], field: str) -> list[dict[str, Any]]:
    return foreign_json.mappings(tree.get(field))


def _shown(words: str) -> str:
    """The beginning of a statement, without the strings in it: a password may be among them."""
    return " ".join(hazards.shown(words).split())[:_LONGEST]


_READ: Final[dict[str, Callable[[postgresql.Command], Iterator[Effect]]]] = {
    "AlterObjectSchemaStmt": _moved,
    "AlterTableStmt": _alter,
    "ClusterStmt": _cluster,
    "CreateStmt": _create,
    "CreateTrigStmt": _trigger,
    "DeleteStmt": _rows("rows-deleted"),
    "DropStmt": _drop,
    "IndexStmt": _index,
    "InsertStmt": _rows("rows-inserted"),
    "LockStmt": _lock,
    "RefreshMatViewStmt": _refresh,
    "ReindexStmt": _reindex,
    "RenameStmt": _rename,
    "SelectStmt": _query,
    "TruncateStmt": _truncate,
    "UpdateStmt": _rows("rows-updated"),
    "VacuumStmt": _vacuum,
    "VariableSetStmt": _set,
    "ViewStmt": _view,
}
