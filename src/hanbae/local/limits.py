"""Quantities of Kubernetes in the units of Compose: the same letters mean other amounts there.

``128M`` is 128,000,000 bytes in Kubernetes and 134,217,728 in Compose; ``500m`` is half a core in Kubernetes and no
number at all in Compose.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, Final

from hanbae import patterns
from hanbae.apis import quantities

_COMPOSE: Final = patterns.lazy(r"([0-9]+(?:\.[0-9]+)?)\s*([bkmgtp]?)(?:i?b)?", re.IGNORECASE)
_POWERS: Final = {"": 0, "b": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_LONGEST: Final = 40


def memory(quantity: Any) -> int | None:
    """Bytes of a quantity of Kubernetes; None for what is none, or none above zero."""
    number = quantities.quantity(quantity)
    return int(number) if number is not None and number >= 1 else None


def cpus(quantity: Any) -> str:
    """Cores of a quantity of Kubernetes, as Compose has them: ``0.5``; empty for what is none."""
    number = quantities.quantity(quantity)
    return plain(number) if number is not None and number > 0 else ""


def plain(number: Decimal) -> str:
    """A number without exponent and trailing zeros."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def compose_memory(value: Any) -> int | None:
    """Bytes of a quantity of Compose, whose units are powers of 1024; None for what is none."""
    text = str(value).strip()
    match = _COMPOSE.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None:
        return None
    return int(Decimal(match[1]) * 1024 ** _POWERS[match[2].lower()])


def compose_cpus(value: Any) -> str:
    """Cores of Compose, spelled as :func:`cpus` does; as it is where that is no number."""
    number = quantities.quantity(value) if not str(value)[-1:].isalpha() else None
    return plain(number) if number is not None else str(value)


def written(size: int) -> str:
    """Bytes as a Compose file has them: in mebibytes where that is exact."""
    mebibytes, rest = divmod(size, 1024 * 1024)
    return f"{size}b" if rest or not mebibytes else f"{mebibytes}m"
