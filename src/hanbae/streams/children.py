"""Ends children that are spoken with through pipes, and leaves nothing for asyncio to complain of."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal


async def end(process: asyncio.subprocess.Process) -> None:
    """End a process, whatever it does, and wait for that.

    Args:
        process: The process; it may have ended already.
    """
    if process.returncode is None:
        # Not Process.kill, which may reap it before the loop does; the loop then warns of it.
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
    await process.wait()
    if process.stdin is None:
        return
    # What it has not read is lost, and that is no news. asyncio keeps it as the outcome of closing the pipe, and prints
    # a traceback where nobody asks for that.
    if not process.stdin.transport.is_closing():
        process.stdin.transport.abort()
    with contextlib.suppress(ConnectionError):
        await process.stdin.wait_closed()
