"""Who a Lease says drives, where that is a process of this machine."""

from __future__ import annotations

import os

import pytest

from hanbae.deploying import claiming


def test_this_process_lives_here() -> None:
    assert claiming._lives_here(claiming._process()) is True


def test_a_process_of_this_number_that_began_at_another_time_does_not() -> None:
    where, number, began = claiming._process().rsplit(" ", 2)
    assert int(number) == os.getpid()
    assert claiming._lives_here(f"{where} {number} {int(began) + 1}") is False


@pytest.mark.parametrize("number", ["²", "1" * 5000, "-1", ""])
def test_what_is_no_number_of_a_process_says_nothing(number: str) -> None:
    """Whoever may write the Lease can write anything where the number stands."""
    where, _, began = claiming._process().rsplit(" ", 2)
    assert claiming._lives_here(f"{where} {number} {began}") is None
