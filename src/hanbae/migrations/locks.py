"""The locks of PostgreSQL's tables, and what each keeps others from."""

from __future__ import annotations

from typing import Final

from hanbae.results.effects import Blocked, Lock

# In PostgreSQL's own order: the place of a lock is the number by which parse trees name it.
_ORDER: Final[tuple[Lock, ...]] = (
    "",
    "ACCESS SHARE",
    "ROW SHARE",
    "ROW EXCLUSIVE",
    "SHARE UPDATE EXCLUSIVE",
    "SHARE",
    "SHARE ROW EXCLUSIVE",
    "EXCLUSIVE",
    "ACCESS EXCLUSIVE",
)
_BLOCKED: Final[dict[Lock, Blocked]] = {
    "": "nothing",
    "ACCESS SHARE": "nothing",
    "ROW SHARE": "nothing",
    "ROW EXCLUSIVE": "rows",
    "SHARE UPDATE EXCLUSIVE": "ddl",
    "SHARE": "writes",
    "SHARE ROW EXCLUSIVE": "writes",
    "EXCLUSIVE": "writes",
    "ACCESS EXCLUSIVE": "all",
}


def blocked(lock: Lock) -> Blocked:
    """What a lock keeps an application from."""
    return _BLOCKED[lock]


def queues(lock: Lock) -> bool:
    """Whether traffic piles up behind a lock while it waits: it conflicts with reading or with writing."""
    return _ORDER.index(lock) >= _ORDER.index("SHARE")


def numbered(mode: int) -> Lock:
    """The lock that ``LOCK TABLE`` has by a number in the parse tree; the strongest where there is none."""
    return _ORDER[mode] if 0 < mode < len(_ORDER) else "ACCESS EXCLUSIVE"
