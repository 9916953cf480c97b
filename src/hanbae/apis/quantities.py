"""Whether two spellings are one value for Kubernetes: ``500m`` and ``0.5``, ``1Gi`` and ``1024Mi``."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, Final

_QUANTITIES: Final = frozenset(
    ("limits", "requests", "hard", "storage", "sizeLimit", "averageValue", "divisor", "value")
)
_MOST_DIGITS: Final = 40
"""No quantity is that long: the API server keeps at most 2^63 - 1, and nothing below a billionth."""
_SUFFIXES: Final = {
    **{
        name: Decimal(1024) ** power
        for power, name in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)
    },
    **{name: Decimal(1000) ** power for power, name in enumerate("kMGTPE", 1)},
    **{name: Decimal(1000) ** -power for power, name in enumerate("mun", 1)},
}


def is_same(live: Any, target: Any, key: str = "") -> bool:
    """Whether the API server keeps a value of the chart as the one that is there."""
    # In Python True is equal to 1.
    if isinstance(live, bool) or isinstance(target, bool):
        return live is target
    if live == target:
        return True
    if target is None:
        return False
    if key in _QUANTITIES or isinstance(live, str) != isinstance(target, str):
        first, second = quantity(live), quantity(target)
        return first is not None and first == second
    # Two texts such as `1.10` and `1.1` may be versions: only with a unit are they taken for
    # quantities.
    units = quantity(live), quantity(target)
    return units[0] is not None and units[0] == units[1] and _has_unit(live, target)


def quantity(value: Any) -> Decimal | None:
    """A number or a quantity such as ``500m`` or ``1Gi``; None for what is none, or too large for the server."""
    text = str(value).strip() if isinstance(value, int | float | str) else ""
    # The length first: what is too long is neither read nor kept.
    return _read(text) if 0 < len(text) <= _MOST_DIGITS else None


# The same few amounts are in every container of a repository.
@lru_cache(maxsize=1024)
def _read(text: str) -> Decimal | None:
    for suffix, factor in _SUFFIXES.items():
        if text.endswith(suffix):
            text, times = text[: -len(suffix)], factor
            break
    else:
        times = Decimal(1)
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    # An exponent may be 40 digits long, and what is worked out of such a number has as many digits as it says.
    if not number.is_finite() or abs(number.adjusted()) > _MOST_DIGITS:
        return None
    return number * times


def _has_unit(*values: Any) -> bool:
    return any(str(value)[-1:].isalpha() for value in values)
