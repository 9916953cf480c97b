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
        if callable(signal.getsignal(signal.SIGINT)):
            signal.raise_signal(signal.SIGINT)  # an event loop has its own way to handle it
        else:
            # Shells and nohup have what runs in the background ignore Ctrl-C; this is no Ctrl-C.
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, note)
    try:
        yield signals
    finally:
        signal.signal(signal.SIGTERM, before)
