"""What a statement of a migration does to a table, and what it keeps others from meanwhile."""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

Action = Literal[
    "block",
    "column-added",
    "column-default",
    "column-dropped",
    "column-not-null",
    "column-nullable",
    "column-renamed",
    "column-type",
    "constraint-added",
    "constraint-dropped",
    "constraint-validated",
    "index-created",
    "index-dropped",
    "index-rebuilt",
    "other",
    "partition-attached",
    "partition-created",
    "partition-detached",
    "referenced",
    "rows-deleted",
    "rows-inserted",
    "rows-updated",
    "setting",
    "table-altered",
    "table-created",
    "table-dropped",
    "table-locked",
    "table-renamed",
    "table-rewritten",
    "table-scanned",
    "table-truncated",
    "trigger-created",
    "trigger-dropped",
    "unread",
    "view-created",
    "view-dropped",
    "view-refreshed",
]
"""What a statement does; the sentence ``effect.ACTION`` says it."""
TAKING: Final[frozenset[Action]] = frozenset(
    {"table-dropped", "table-renamed", "view-dropped", "column-dropped", "column-renamed"}
)
"""After these, running code cannot use any more what was there."""
Lock = Literal[
    "",
    "ACCESS SHARE",
    "ROW SHARE",
    "ROW EXCLUSIVE",
    "SHARE UPDATE EXCLUSIVE",
    "SHARE",
    "SHARE ROW EXCLUSIVE",
    "EXCLUSIVE",
    "ACCESS EXCLUSIVE",
]
"""A lock on a table by PostgreSQL's name, the weakest first; empty where none is taken."""
Blocked = Literal["nothing", "rows", "ddl", "writes", "all"]
"""What an application cannot do meanwhile: nothing, change the same rows, change the schema, write, or anything."""
Work = Literal["catalog", "rows", "scan", "build", "rewrite"]
"""What takes time: nothing but an entry in the catalogue, the rows that are named, a look at each row of the table,
the build of an index, or the writing of the whole table anew."""


class Effect(Struct, frozen=True, omit_defaults=True):
    """What a statement does to one table.

    Attributes:
        action: What it does.
        line: The line of the file.
        table: The table, with its schema where the statement names it; empty where it names none.
        name: The column, index, constraint or trigger; of a setting, its name.
        to: What it becomes: a new name, a type, a value.
        lock: The lock that it takes on the table.
        work: What takes time while the lock is held.
        again: Whether it says IF EXISTS, IF NOT EXISTS or OR REPLACE.
        every: Whether it changes every row, because it has no WHERE.
        new: Whether the same file has created the table.
        fails: Whether it fails where the table has rows.
        local: Whether a setting ends with the transaction.
        words: The beginning of the statement, where no action of its own is known of it.
    """

    action: Action
    line: int
    table: str = ""
    name: str = ""
    to: str = ""
    lock: Lock = ""
    work: Work = "catalog"
    again: bool = False
    every: bool = False
    new: bool = False
    fails: bool = False
    local: bool = False
    words: str = ""
