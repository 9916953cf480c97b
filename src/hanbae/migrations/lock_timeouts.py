"""Which ``lock_timeout`` is in effect when a statement waits for its lock.

A statement that waits for a strong lock keeps everybody who comes after it waiting too, readers included: without a
timeout one forgotten transaction stops the application for as long as it stays open.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from msgspec import Struct

from hanbae import patterns
from hanbae.migrations import locks
from hanbae.results.effects import Effect

NAME: Final = "lock_timeout"
# PostgreSQL takes `-c name=value` and `--name=value`, with dashes for the underscores of a name.
_OPTION: Final = patterns.lazy(r"(?:^|\s)(?:-c\s*|--)lock[_-]timeout=(?P<value>[^\s\\]+)")
_ZERO: Final = patterns.lazy(r"0+(?:\.0*)? ?[a-z]*")


def of_options(text: str) -> str:
    """The timeout that a connection brings by its options; empty for none, and for 0.

    Args:
        text: What the variable ``PGOPTIONS`` holds.
    """
    # Of several the last one counts, as for PostgreSQL.
    values = [match["value"] for match in _OPTION.finditer(text)]
    return values[-1] if values and not _ZERO.fullmatch(values[-1].lower()) else ""


class Wait(Struct, frozen=True):
    """A statement behind which traffic can pile up while it waits.

    Attributes:
        effect: What it does.
        timeout: The setting in effect, as it is written; empty where nothing bounds the wait.
        switched_off: Whether the file itself has taken the bound away.
    """

    effect: Effect
    timeout: str
    switched_off: bool = False


def waits(effects: Iterable[Effect], *, transaction: bool, otherwise: str = "") -> Iterator[Wait]:
    """The statements that wait for a lock which others wait behind, with the timeout that they have.

    Args:
        effects: What the statements of a part do, in their order.
        transaction: Whether they run in a transaction; ``SET LOCAL`` does nothing outside of one.
        otherwise: What the connection brings; empty for PostgreSQL's default, which is to wait for ever.
    """
    current, switched_off = otherwise, False
    for effect in effects:
        if effect.action == "setting" and effect.name == NAME:
            if effect.local and not transaction:
                continue
            bound = "" if _ZERO.fullmatch(effect.to.strip().lower()) else effect.to
            current = bound if effect.to else otherwise
            switched_off = bool(effect.to) and not bound
        elif locks.queues(effect.lock):
            yield Wait(effect, current, switched_off)
