"""Who takes a service finishes it or gives it back, and the result is in the order of the services."""

from __future__ import annotations

import os

from hanbae.checking import inspecting, schedules


def _of(name: str) -> inspecting.Inspection:
    return inspecting.Inspection(unprepared=(inspecting.Unprepared(name, ()),))


def _names(schedule: schedules.Schedule) -> list[str]:
    return [item.unprepared[0].service for item in schedule.inspections()]


def test_services_are_taken_in_their_order_and_each_once() -> None:
    schedule = schedules.Schedule(("a", "b", "c"))
    assert schedule.take(2) == ["a", "b"]
    assert schedule.take(2) == ["c"]
    assert schedule.take() == []


def test_what_is_given_back_comes_first_and_in_its_order() -> None:
    schedule = schedules.Schedule(("a", "b", "c"))
    schedule.give_back(schedule.take(2))
    assert schedule.waiting == 3
    assert schedule.take(3) == ["a", "b", "c"]


def test_a_name_that_is_no_text_is_not_sent_elsewhere() -> None:
    odd = os.fsdecode(b"\xff")
    schedule = schedules.Schedule(("a", odd, "b", "c"))
    assert schedule.take(2, elsewhere=True) == ["a", "b"]
    assert schedule.take(2, elsewhere=True) == ["c"]
    assert schedule.take(2, elsewhere=True) == []
    assert schedule.waiting == 1
    assert schedule.take() == [odd]


def test_the_result_is_in_the_order_of_the_services_whoever_finishes_first() -> None:
    progress: list[tuple[int, int]] = []
    schedule = schedules.Schedule(("a", "b"), lambda number, of: progress.append((number, of)))
    for name in reversed(schedule.take(2)):
        schedule.finish(name, _of(name))
    assert _names(schedule) == ["a", "b"]
    assert progress == [(1, 2), (2, 2)]


def test_what_is_recalled_is_not_taken_and_counts_as_inspected() -> None:
    progress: list[tuple[int, int]] = []
    schedule = schedules.Schedule(("a", "b"), lambda number, of: progress.append((number, of)))
    schedule.recall({"a": _of("a")})
    assert schedule.take(2) == ["b"]
    schedule.finish("b", _of("b"))
    assert _names(schedule) == ["a", "b"]
    assert progress == [(2, 2)]
