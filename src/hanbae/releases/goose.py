"""What goose is asked for: command, driver, address, folder and table, from its arguments and its variables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec import Struct

from hanbae import patterns
from hanbae.releases import invocations, shells, tools, variables
from hanbae.releases.shells import Word
from hanbae.releases.variables import Value

TABLE: Final = "goose_db_version"
"""The table of versions unless goose is told another one."""
MIGRATING: Final = frozenset(("up", "up-by-one", "up-to", "down", "down-to", "redo", "reset"))
"""Commands that change a database's schema."""
_COMMANDS: Final = MIGRATING | {"status", "version", "create", "fix", "validate"}
# Words that other programs have as well: of an entry point that is not known they tell nothing.
_COMMON: Final = frozenset(("beta", "env", "init"))
_WORDS: Final = _COMMANDS | _COMMON
_DRIVERS: Final = frozenset(
    (
        *("auroradsql", "azuresql", "clickhouse", "duckdb", "libsql", "mssql", "mysql", "pgx"),
        *("postgres", "postgresql", "redshift", "spanner", "sqlite", "sqlite3", "sqlserver"),
        *("starrocks", "tidb", "turso", "vertica", "ydb"),
    )
)
# Every other flag takes the word behind it.
_WITHOUT_VALUE: Final = frozenset(
    ("allow-missing", "h", "help", "no-color", "no-versioning", "s", "v", "version")
)
_DIRECT: Final = "HANBAE_MIGRATE_DBSTRING"
# goose's flags are those of Go: one dash and two are the same.
_FLAG: Final = patterns.lazy(r"--?([a-zA-Z][a-zA-Z-]*)(=)?")


class Invocation(Struct, frozen=True):
    """One run of goose.

    Attributes:
        command: ``up`` and the like; empty where it cannot be read.
        driver: ``postgres``, ``clickhouse``, …; empty where it cannot be read.
        address: Where its database is; None where nothing says it.
        folder: The folder of the migrations, as the container sees it; empty where it cannot be read.
        table: The table of versions; empty where it cannot be read.
    """

    command: str
    driver: str
    address: Value | None
    folder: str
    table: str


def is_goose(invocation: invocations.Invocation, own: variables.Variables) -> bool:
    """Whether an invocation is one of goose, or of an entry point that can be nothing else.

    Args:
        invocation: The invocation.
        own: The container's variables.
    """
    if invocation.is_named:
        return invocation.program in tools.OF_GOOSE
    # The entry point is in the image, which is not asked here: its arguments and variables have to tell.
    words = [shells.literal(word) for word in invocation.words]
    if any(word in _COMMANDS for word in words) and own.text("GOOSE_DRIVER"):
        return True
    flags, rest = _divided(invocation.words)
    driver = shells.literal(rest[0]) if rest else None
    return "dir" in flags and driver in _DRIVERS | _COMMANDS


def read(invocation: invocations.Invocation, own: variables.Variables) -> Invocation:
    """What an invocation of goose asks for.

    Args:
        invocation: The invocation.
        own: The container's variables.
    """
    set_ = invocation.assignments
    words = invocation.words[1:] if invocation.is_named else invocation.words
    flags, rest = _divided(words)
    driver, address = own.text("GOOSE_DRIVER", set_), own.variable("GOOSE_DBSTRING", set_)
    if invocation.program == tools.RUNNER:
        # hanbae-migrate takes no address from its arguments. Of two, the one that does not lead
        # through PgBouncer counts: its lock belongs to a session, and it refuses poolers.
        driver = driver or "postgres"
        address = own.variable(_DIRECT, set_) or address
    # `goose DRIVER DBSTRING COMMAND`; with GOOSE_DRIVER and GOOSE_DBSTRING set, the command stands alone.
    if rest and shells.literal(rest[0]) not in _WORDS:
        driver = variables.text(own.value(rest[0], set_)) or ""
        address = own.value(rest[1], set_) if len(rest) > 1 else None
        rest = rest[2:]
    command = variables.text(own.value(rest[0], set_)) if rest else ""
    folder = own.value(flags["dir"], set_) if "dir" in flags else None
    folder = own.variable("GOOSE_MIGRATION_DIR", set_) if folder is None else folder
    table = own.value(flags["table"], set_) if "table" in flags else None
    table = own.variable("GOOSE_TABLE", set_) if table is None else table
    return Invocation(
        command=command or "",
        driver=driver,
        address=address,
        folder=_entered(invocation, own, (".",) if folder is None else folder),
        table=TABLE if table is None else variables.text(table) or "",
    )


def besides_flags(words: Sequence[str]) -> list[str]:
    """The words of a command line of goose that are neither flags nor values of flags, which may stand anywhere."""
    _, rest = _divided([(word,) for word in words])
    return ["".join(part for part in word if isinstance(part, str)) for word in rest]


def _divided(words: Sequence[Word]) -> tuple[dict[str, Word], list[Word]]:
    """The flags with their values, wherever they stand, and the other words."""
    flags: dict[str, Word] = {}
    rest: list[Word] = []
    pending = list(reversed(words))
    while pending:
        word = pending.pop()
        first = word[0] if word and isinstance(word[0], str) else ""
        match = _FLAG.match(first)
        # A word that only begins like a flag, such as `-dir$SUFFIX`, is not taken for one.
        if match is None or (not match[2] and (match.end() != len(first) or len(word) > 1)):
            rest.append(word)
        elif match[2]:
            flags[match[1]] = shells.joined([first[match.end() :], *word[1:]])
        elif match[1] not in _WITHOUT_VALUE and pending:
            flags[match[1]] = pending.pop()
    return flags, rest


def _entered(invocation: invocations.Invocation, own: variables.Variables, folder: Value) -> str:
    """The folder from the root, where the shell's own folder is known; empty where it cannot be read."""
    path = variables.text(folder)
    if path is None:
        return ""
    # Where nobody says otherwise, the image's own folder counts, which is not known here: a
    # relative path stays one, and `.` alone says nothing.
    if path.startswith("/") or invocation.folder is None:
        return path.rstrip("/") if path != "." else ""
    base = variables.text(own.value(invocation.folder, invocation.assignments))
    if base is None:
        return ""
    inside = path.removeprefix("./").rstrip("/")
    return base.rstrip("/") if inside in ("", ".") else f"{base.rstrip('/')}/{inside}"
