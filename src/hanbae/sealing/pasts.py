"""How old a value is, who may know it and for which certificates it lies in git: read from what its file ever held.

A value that is sealed anew looks like a new one but for its pin, which changes with the certificate; so what changes
together with its pin counts as the old value, and is due rather too early than too late.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from hanbae.sealing import pins


class State(Struct, frozen=True):
    """What a file had sealed from a commit on.

    Attributes:
        section: What was sealed, as :mod:`hanbae.sealing.pins` has it.
        commit: The commit's id; empty for what is not committed.
        time: When it was committed.
        author: Who wrote it.
    """

    section: Mapping[str, Any]
    commit: str
    time: datetime
    author: str


class Past(Struct, frozen=True):
    """What is known of a value's past.

    Attributes:
        sealed: The value as it is sealed now.
        since: When it was sealed first; when it was sealed anew does not count.
        commit: The commit that brought it in; empty where it is not committed.
        author: Who committed it, and so may know it.
        certificates: Fingerprints of all certificates for which it was ever sealed.
        former: Who committed the values before it, and may know what has stayed the same.
    """

    sealed: str
    since: datetime
    commit: str
    author: str
    certificates: tuple[str, ...]
    former: tuple[str, ...] = ()


def of(states: Iterable[State]) -> dict[str, Past]:
    """The past of each value that the last state has.

    Args:
        states: What the file had, the oldest first.
    """
    pasts: dict[str, Past] = {}
    for state in states:
        data = state.section.get(pins.DATA[1])
        values = data if isinstance(data, dict) else {}
        pasts = {
            str(key): _next(
                pasts.get(str(key)), str(value), pins.of(state.section, str(key)), state
            )
            for key, value in values.items()
        }
    return pasts


def _next(before: Past | None, sealed: str, pin: str, state: State) -> Past:
    if before is not None and before.sealed == sealed:
        return before
    latest = before.certificates[-1:] if before else ()
    if before is not None and pin and latest and latest != (pin,):
        certificates = tuple(dict.fromkeys((*before.certificates, pin)))
        return Past(sealed, before.since, before.commit, before.author, certificates, before.former)
    former = tuple(dict.fromkeys((*before.former, before.author))) if before else ()
    own = (pin,) if pin else ()
    return Past(sealed, state.time, state.commit, state.author, own, former)
