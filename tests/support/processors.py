"""How busy the machine's processors are."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

_TIMES: Final = Path("/proc/stat")
_IDLE: Final = 3
"""The place of a line's idle time; what follows it, waiting for disks, is work to come (proc_stat(5))."""
_WITHOUT_GUESTS: Final = 8
"""How many of a line's numbers add up to all time: that of guests is in those before it as well."""


def idle_share(seconds: float) -> float:
    """The share of all processors' time that is idle, from 0 to 1.

    Args:
        seconds: How long to look; at least a few hundredths, which is the kernel's unit.
    """
    before = _read()
    time.sleep(seconds)
    passed = [after - earlier for earlier, after in zip(before, _read(), strict=True)]
    return passed[_IDLE] / max(sum(passed), 1)


def _read() -> list[int]:
    with _TIMES.open(encoding="ascii") as file:
        return [int(number) for number in file.readline().split()[1 : 1 + _WITHOUT_GUESTS]]
