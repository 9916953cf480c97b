"""What goose said: applied files in the log of ``goose up``, applied and pending ones in ``goose status``.

goose (v3.27) has no machine-readable output, so its lines are read: they are the same in all 3.x releases
that know ``GOOSE_DBSTRING``, and a line that is not understood is left alone, never guessed at.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from hanbae import patterns
from hanbae.migrations import goose_files, runner_lines

# The standard logger's "2026/11/23 10:20:30 " stands before every line.
_STAMP: Final = r"(?:\d{4}/\d{2}/\d{2} \d{2}:\d{2}:\d{2} )?\s*"
# A name has at most 255 bytes; with this bound a long line of somebody else's stays cheap.
_APPLIED: Final = patterns.lazy(
    _STAMP + r"(?:OK|EMPTY)\s+(?P<file>\S.{0,250}?\.(?:sql|go))(?: \([^)]*\))?\s*$"
)
_FAILED: Final = patterns.lazy(
    _STAMP + r"goose run: ERROR (?P<file>\S.{0,250}?\.(?:sql|go)): (?P<error>.*)$"
)
_ERROR: Final = patterns.lazy(_STAMP + r"goose run: (?P<error>.+)$")
_STATE: Final = patterns.lazy(r"\(SQLSTATE ([0-9A-Z]{5})\)")
_PERMANENT: Final = frozenset({"22", "23", "42"})
_UNREADABLE: Final = patterns.lazy(
    r"failed to parse SQL migration file|could not parse SQL migration file|no migration files found"
    r"|found \d+ missing migrations before current version|directory does not exist"
)
_ROW: Final = patterns.lazy(
    _STAMP + r"(?P<when>Pending|[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4})"
    r"\s+-- (?P<file>\S.{0,250}\.(?:sql|go))\s*$"
)
_REACHED: Final = patterns.lazy(
    _STAMP
    + r"goose: (?:no migrations to run\. current|successfully migrated database to) version: "
    r"(?P<version>\d{1,18})\s*$"
)
_HEADING: Final = patterns.lazy(_STAMP + r"Applied At\s+Migration\s*$")


class Failure(Struct, frozen=True):
    """Why ``goose up`` stopped.

    Attributes:
        file: The migration that failed; empty when it was none (no connection, no rights).
        error: goose's words; they may hold the failing SQL, so they pass the redactor before they are shown.
    """

    file: str
    error: str

    @property
    def is_permanent(self) -> bool:
        """Whether another attempt with the same files meets it again: wrong SQL or data, or a file goose cannot read.

        Classes of SQLSTATE: 22 data exceptions, 23 integrity constraints, 42 syntax and access rules.
        """
        states = _STATE.findall(self.error)
        if states:
            return states[-1][:2] in _PERMANENT
        return bool(_UNREADABLE.search(self.error))


class Status(Struct, frozen=True):
    """``goose status`` of one database.

    Attributes:
        applied: Versions that the database has, among the files that goose saw.
        pending: Versions of files that the database has not.
        half_applied: Migrations that stopped in the middle, of which only hanbae-migrate tells.
    """

    applied: tuple[int, ...]
    pending: tuple[int, ...]
    half_applied: tuple[runner_lines.Half, ...] = ()

    @property
    def version(self) -> int:
        """The database's version: the highest applied one, 0 for none."""
        return max(self.applied, default=0)


def applied(line: str) -> int | None:
    """The version that a line of ``goose up`` says was applied, or None."""
    match = _APPLIED.match(line)
    return goose_files.version_of(match["file"]) if match else None


def reached(line: str) -> int | None:
    """The version at which a line of ``goose up`` says that the database is, or None."""
    match = _REACHED.match(line)
    return int(match["version"]) if match else None


def failure(lines: Iterable[str]) -> Failure | None:
    """Why ``goose up`` stopped, by the last such line of its log and those that belong to it."""
    whole = list(lines)
    for index in range(len(whole) - 1, -1, -1):
        match = _FAILED.match(whole[index]) or _ERROR.match(whole[index])
        if match:
            # Errors of the driver go over several lines; nothing comes after them.
            more = [line.strip() for line in whole[index + 1 :]]
            file = match.groupdict().get("file") or ""
            return Failure(file, " ".join([match["error"], *more]))
    return None


def status(lines: Iterable[str]) -> Status | None:
    """The table of ``goose status``, or None when the lines hold none.

    A log without the table's heading is not a status with nothing in it: whoever asks must be able to tell
    "no migrations" from "goose said something else".
    """
    lines = list(lines)
    seen_heading = False
    applied_versions: list[int] = []
    pending: list[int] = []
    for line in lines:
        if _HEADING.match(line):
            seen_heading = True
            continue
        match = _ROW.match(line)
        version = goose_files.version_of(match["file"]) if match else None
        if match is None or version is None:
            continue
        (pending if match["when"] == "Pending" else applied_versions).append(version)
    if not seen_heading:
        return None
    halves = runner_lines.half_applied(lines)
    return Status(tuple(sorted(applied_versions)), tuple(sorted(pending)), halves)
