"""Commands beside a test: waited for when it is over, but not for ever."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from typing import TypeVar

_T = TypeVar("_T")


@contextlib.contextmanager
def running(function: Callable[[], _T], *, within: float) -> Iterator[futures.Future[_T]]:
    """Run a function meanwhile; gives its result to come.

    A pool would wait for its thread as long as that takes, even when Python ends: what hangs would hang the run.

    Args:
        function: It.
        within: Seconds for which it is waited for at the end of the block, whatever happens in there.
    """
    result: futures.Future[_T] = futures.Future()

    def run() -> None:
        try:
            result.set_result(function())
        except BaseException as error:  # noqa: BLE001  it is raised where the result is asked for
            result.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        yield result
    finally:
        futures.wait([result], timeout=within)
