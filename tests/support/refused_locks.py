"""A process in which the kernel refuses every lock on a file, as a network file system without a lock server does.

``python -m tests.support.refused_locks ENOLCK ARGUMENTS…`` is ``hanbae ARGUMENTS…`` in such a process.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
from typing import Final

# fcntl and flock, by machine.
_CALLS: Final = {"x86_64": (72, 73), "aarch64": (25, 32)}
_SETTING: Final = (6, 7, 37)
"""F_SETLK, F_SETLKW and F_OFD_SETLK."""
_LOAD, _EQUAL, _RETURN = 0x20, 0x15, 0x06
_NUMBER, _SECOND_ARGUMENT = 0, 24
_ALLOW, _FAIL = 0x7FFF0000, 0x00050000
_NO_NEW_PRIVILEGES, _SECCOMP, _FILTER = 38, 22, 2


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def refuse(code: int) -> None:
    """Have the kernel answer with an error to every lock from now on, in this process and its children.

    Args:
        code: The error, such as ``errno.ENOLCK``.
    """
    fcntl, flock = _CALLS[platform.machine()]
    steps = [
        (_LOAD, 0, 0, _NUMBER),
        (_EQUAL, 6, 0, flock),
        (_EQUAL, 0, 4, fcntl),
        (_LOAD, 0, 0, _SECOND_ARGUMENT),
        *((_EQUAL, 3 - index, 0, command) for index, command in enumerate(_SETTING)),
        (_RETURN, 0, 0, _ALLOW),
        (_RETURN, 0, 0, _FAIL | code),
    ]
    packed = b"".join(struct.pack("HBBI", *step) for step in steps)
    program = _Program(len(steps), packed)
    libc = ctypes.CDLL(None, use_errno=True)
    for words in (
        (_NO_NEW_PRIVILEGES, 1, 0, 0, 0),
        (_SECCOMP, _FILTER, ctypes.byref(program), 0, 0),
    ):
        if libc.prctl(*words) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


if __name__ == "__main__":
    from hanbae.cli import main

    refuse(getattr(errno, sys.argv[1]))
    sys.exit(main.run(sys.argv[2:]))
