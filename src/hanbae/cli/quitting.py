"""Ends the process at Ctrl-C and SIGTERM at once, for as long as no command has begun and nothing has to be put right.

Python's own answer is an exception wherever the program is. While modules are imported that is also in the middle of
what takes no exception: it is printed there and forgotten, and the command goes on.
"""

from __future__ import annotations

import os
import signal

# `typing` takes longer to import than a version to say, and until this module is there Ctrl-C ends in a traceback.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Never


def end(number: int, _: object = None) -> Never:
    """End the process with the exit code of a signal; what would be done on the way out is not."""
    os._exit(128 + number)


def at_once() -> None:
    """Have the signals end the process, but those that whoever started it has decided about."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, end)
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, end)


def in_order() -> None:
    """Have Ctrl-C raise KeyboardInterrupt again: what has begun is put right on the way out."""
    if signal.getsignal(signal.SIGINT) is end:
        signal.signal(signal.SIGINT, signal.default_int_handler)
