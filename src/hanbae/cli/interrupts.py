"""Ends a command at SIGTERM as at Ctrl-C: with everything that it does on its way out, only another exit code."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from typing import Final

INTERRUPTED: Final = 130
TERMINATED: Final = 143


@contextlib.contextmanager
def terminable() -> Iterator[list[int]]:
    """Turn SIGTERM into a KeyboardInterrupt; the list is not empty when that is where it came from."""
    signals: list[int] = []

    def note(number: int, _: object) -> None:
        signals.append(number)
        # Whatever answers Ctrl-C now is to answer this: asyncio.run's handler cancels the main
        # task, which then cleans up; Python's own raises KeyboardInterrupt.
        if callable(signal.getsignal(signal.SIGINT)):
            signal.raise_signal(signal.SIGINT)
        else:
            # A shell without job control starts `command &` with SIGINT ignored, so raising it has no effect.
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, note)
    try:
        yield signals
    finally:
        signal.signal(signal.SIGTERM, before)
