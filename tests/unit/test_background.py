"""What runs beside a test: its result, its error, and that what hangs is not waited for."""

from __future__ import annotations

import threading

import pytest
from tests.support import background


def test_result_is_there_when_the_block_is_left() -> None:
    going = threading.Event()
    with background.running(lambda: going.wait(30), within=30) as result:
        assert not result.done()
        going.set()
    assert result.result(0)


def test_error_is_raised_where_the_result_is_asked_for() -> None:
    with background.running(lambda: 1 // 0, within=30) as result:
        pass
    with pytest.raises(ZeroDivisionError):
        result.result(0)


def test_what_hangs_is_not_waited_for() -> None:
    hanging = threading.Event()
    with background.running(lambda: hanging.wait(30), within=0.01) as result:
        pass
    assert not result.done()
    hanging.set()
