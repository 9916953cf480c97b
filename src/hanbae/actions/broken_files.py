"""Keeps the faults of files that cannot be read, so that one of them hides nothing of what the others say."""

from __future__ import annotations

from collections.abc import Sequence

from hanbae import errors
from hanbae.results import secrets


def take(fault: errors.FileFault, broken: list[errors.FileFault] | None) -> None:
    """Keep a fault, unless the same one is kept already.

    Args:
        fault: The fault.
        broken: The faults so far; None for a caller who wants all or nothing.

    Raises:
        hanbae.errors.FileFault: The fault, where nobody keeps it.
    """
    if broken is None:
        raise fault
    # What is wrong with a chart itself is found again for every environment.
    if all(str(fault.text) != str(other.text) or fault.place != other.place for other in broken):
        broken.append(fault)


def unread(broken: Sequence[errors.FileFault] | None) -> tuple[secrets.Unread, ...]:
    """The faults as data.

    Args:
        broken: The faults; None where none was kept.
    """
    return tuple(
        secrets.Unread(fault.place, text) for fault in broken or () for text in fault.texts
    )
