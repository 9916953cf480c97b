"""Which migrations run outside a transaction, so that nothing takes back half of one that is interrupted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from hanbae.migrations import scripts

_SUSPECT: Final = "transaction"


def bare(texts: Mapping[int, str]) -> tuple[int, ...]:
    """The versions that run outside a transaction, ascending.

    Args:
        texts: Version → text of its file.
    """
    return tuple(
        version
        for version, text in sorted(texts.items())
        # Reading a file as goose does costs more than looking for a word of the annotation.
        if _SUSPECT in text.lower() and not scripts.parse(text).transaction
    )
