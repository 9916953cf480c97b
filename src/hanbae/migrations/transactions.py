"""Which migrations run outside a transaction, so that nothing takes back half of one that is interrupted.

goose (v3.27) reads ``-- +goose NO TRANSACTION`` as a line of its own; blanks around the words do not count.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_BARE: Final = re.compile(r"^--\s*\+goose\s+NO\s+TRANSACTION\s*$", re.MULTILINE | re.IGNORECASE)


def bare(texts: Mapping[int, str]) -> tuple[int, ...]:
    """The versions that run outside a transaction, ascending.

    Args:
        texts: Version → text of its file.
    """
    return tuple(version for version, text in sorted(texts.items()) if _BARE.search(text))
