"""Ends a command at SIGTERM as at Ctrl-C: with everything that it does on its way out, only another exit code."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from hanbae.cli import quitting

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

INTERRUPTED: Final = 130
TERMINATED: Final = 143
_AGAIN_AFTER: Final = 0.01
"""Seconds until a Ctrl-C that was lost is sent again: by then the program is out of what takes no exception."""


@contextlib.contextmanager
def terminable() -> Iterator[list[int]]:
    """Turn SIGTERM into a KeyboardInterrupt; the list is not empty when that is where it came from."""
    signals: list[int] = []

    def note(number: int, _: object) -> None:
        signals.append(number)
        if signal.getsignal(signal.SIGINT) is quitting.end:
            quitting.end(number)
        # Whatever answers Ctrl-C now is to answer this: asyncio.run's handler cancels the main
        # task, which then cleans up; Python's own raises KeyboardInterrupt.
        if callable(signal.getsignal(signal.SIGINT)):
            signal.raise_signal(signal.SIGINT)
        else:
            # A shell without job control starts `command &` with SIGINT ignored, so raising it has no effect.
            raise KeyboardInterrupt

    before, hook = signal.signal(signal.SIGTERM, note), sys.unraisablehook

    def show(unraisable: UnraisableHookArgs) -> None:
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            _send_again()
        else:
            hook(unraisable)

    sys.unraisablehook = show
    try:
        yield signals
    finally:
        sys.unraisablehook = hook
        signal.signal(signal.SIGTERM, before)


def _send_again() -> None:
    """Repeat a Ctrl-C that fell into a finalizer or an import's callback, where Python prints it and goes on."""
    import threading

    timer = threading.Timer(_AGAIN_AFTER, os.kill, (os.getpid(), signal.SIGINT))
    timer.daemon = True
    timer.start()


def caused(error: BaseException) -> bool:
    """Whether an exception stands for a Ctrl-C: Python makes a RuntimeError of one that comes while a class is made."""
    return any(isinstance(cause, KeyboardInterrupt) for cause in _chain(error))


def let_go(error: BaseException) -> None:
    """Drop what an interrupted command held, without a word of coroutines that it had not come to."""
    import traceback

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        for cause in _chain(error):
            traceback.clear_frames(cause.__traceback__)


def _chain(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__
