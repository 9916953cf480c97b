"""SQL as PostgreSQL 18 itself reads it: its own parser, as the library libpg_query, which the wheel of postgast brings.

Only the part of postgast that loads the library is imported: the whole of it costs a fifth of a second for a tree that
is not needed here, this one 8 ms (docs/adr/0018).
The parser is C, and foreign SQL is hostile: nested deeply enough, 400 kB of it end the process. So what is longer than
`LONGEST` is not read; PostgreSQL's own bound on a parse tree, and Python's on JSON, hold below that.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Iterator
from typing import Any, Final

from msgspec import Struct

from hanbae import foreign_json
from hanbae.migrations import scripts

LONGEST: Final = 16 * 1024
"""Bytes of what goose sends at once; what is longer fills tables and changes none, or is not written by hand."""
_MODULE: Final = "postgast"
_LOADER: Final = "native.py"


class Command(Struct, frozen=True):
    """One statement of PostgreSQL's.

    Attributes:
        kind: Its name in PostgreSQL's parse tree, such as ``AlterTableStmt``.
        tree: Its fields there.
        line: The line of the file on which it begins.
        words: Its own text.
    """

    kind: str
    tree: dict[str, Any]
    line: int
    words: str


class UnreadableError(ValueError):
    """SQL that PostgreSQL refuses, or that is not read here.

    Attributes:
        line: The line of the file, as far as the parser knows; 0 where it does not.
    """

    def __init__(self, reason: str, line: int = 0) -> None:
        super().__init__(reason)
        self.line = line


def commands(statement: scripts.Statement) -> tuple[Command, ...]:
    """The statements in what goose sends at once.

    Args:
        statement: As goose reads it.

    Raises:
        UnreadableError: PostgreSQL does not understand it, or it is too long, or nested too deeply.
    """
    data = statement.text.encode()
    if len(data) > LONGEST:
        raise UnreadableError("too long")
    return tuple(_commands(data, statement.line))


def _commands(data: bytes, first: int) -> Iterator[Command]:
    for raw in foreign_json.mappings(_parsed(data, first).get("stmts")):
        node = foreign_json.below(raw, "stmt")
        begin = foreign_json.number(raw.get("stmt_location"), 0)
        # The parser leaves the length out of a last statement that no `;` ends.
        length = foreign_json.number(raw.get("stmt_len"), 0)
        whole = data[begin : begin + length] if length else data[begin:]
        own = _without_comments(whole)
        line = first + data.count(b"\n", 0, begin + len(whole) - len(own))
        for kind, tree in node.items():
            if isinstance(tree, dict):
                yield Command(kind, tree, line, own.decode("utf-8", "replace").strip())


def _without_comments(text: bytes) -> bytes:
    """What is left behind the blanks and comments before a statement, which the parser counts as its own."""
    while True:
        text = text.lstrip()
        if text.startswith(b"--"):
            text = text.partition(b"\n")[2]
        elif text.startswith(b"/*"):
            text = text[_comment_end(text) :]
        else:
            return text


def _comment_end(text: bytes) -> int:
    """Where a comment ends that begins here; PostgreSQL's nest."""
    depth, position = 0, 0
    while True:
        opens, closes = text.find(b"/*", position), text.find(b"*/", position)
        if closes < 0:
            return len(text)
        if 0 <= opens < closes:
            depth, position = depth + 1, opens + 2
        else:
            depth, position = depth - 1, closes + 2
            if depth == 0:
                return position


def _parsed(data: bytes, first: int) -> dict[str, Any]:
    # C ends a text at the first zero byte, so what stands behind it would not be looked at.
    if b"\0" in data:
        raise UnreadableError("a zero byte")
    library = _library()
    result = library.pg_query_parse(data)
    try:
        if result.error:
            error = result.error.contents
            reason = (error.message or b"?").decode("utf-8", "replace")
            # It counts letters, of which some have several bytes.
            line = first + data.decode().count("\n", 0, max(error.cursorpos - 1, 0))
            raise UnreadableError(reason, line if error.cursorpos else 0)
        try:
            return foreign_json.decode(result.parse_tree, dict[str, Any])
        except foreign_json.Fault:
            raise UnreadableError("nested too deeply") from None
    finally:
        # Whatever was raised: the memory is the library's, and Python does not know of it.
        library.pg_query_free_parse_result(result)


@functools.cache
def _library() -> Any:
    """libpg_query, with the types of its functions."""
    package = importlib.util.find_spec(_MODULE)
    locations = list(package.submodule_search_locations or ()) if package else []
    for location in locations:
        # By its path: importing it by its name would run the whole package first.
        spec = importlib.util.spec_from_file_location("_libpg_query", f"{location}/{_LOADER}")
        if spec is not None and spec.loader is not None:
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            return module.lib
    raise ModuleNotFoundError(_MODULE, name=_MODULE)
