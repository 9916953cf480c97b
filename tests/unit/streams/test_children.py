"""Children that are spoken with through pipes end without a word of asyncio's."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys

import pytest

from hanbae.checking import workers
from hanbae.images import contents
from hanbae.streams import children

MESSAGE = b"x" * 1_000_000
"""More than a pipe takes."""


async def started() -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "import signal; signal.pause()"), stdin=asyncio.subprocess.PIPE
    )


@pytest.mark.parametrize("ended_by", ["us", "somebody else", "closing its input"])
async def test_what_a_child_has_not_read_is_no_complaint(ended_by: str) -> None:
    complaints: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, facts: complaints.append(facts))
    process = await started()
    assert process.stdin is not None
    process.stdin.write(MESSAGE)
    sending = asyncio.create_task(process.stdin.drain())
    await asyncio.sleep(0)
    if ended_by == "somebody else":
        os.kill(process.pid, signal.SIGKILL)
        with pytest.raises(ConnectionError):
            await sending
    elif ended_by == "closing its input":
        process.stdin.close()
    await children.end(process)
    await asyncio.gather(sending, return_exceptions=True)
    assert process.returncode == -signal.SIGKILL
    del process, sending
    gc.collect()
    assert not complaints


async def test_workers_of_checks_and_images_end_so() -> None:
    complaints: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, facts: complaints.append(facts))
    idle = workers.Idle()
    await idle.warm(1)
    (checking,) = idle._processes
    async with contents._worker() as reading:
        for process in (checking, reading):
            assert process.stdin is not None
            os.kill(process.pid, signal.SIGSTOP)
            process.stdin.write(MESSAGE)
            sending = asyncio.create_task(process.stdin.drain())
            await asyncio.sleep(0)
            os.kill(process.pid, signal.SIGKILL)
            with pytest.raises(ConnectionError):
                await sending
    await idle.close()
    del checking, reading, process, sending
    gc.collect()
    assert not complaints
