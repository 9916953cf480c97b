from __future__ import annotations

import json
from typing import Any

import pytest

from hanbae.migrations import runner_lines, statuses

HALF = {"file": "00003_x.sql", "direction": "up", "statement": 2, "sql": "SELECT 1;"}
LINE: dict[str, Any] = {"kind": "hanbae-migrate", "format": 1, "half_applied": [HALF]}
TABLE = (
    "2026/11/29 10:20:30     Applied At                  Migration",
    "2026/11/29 10:20:30     Sun Nov 29 10:20:30 2026 -- 00001_plans.sql",
    "2026/11/29 10:20:30     Pending                  -- 00003_x.sql",
)


def text(**more: Any) -> str:
    return json.dumps({**LINE, **more}, separators=(",", ":"))


def test_the_last_line_of_the_runner_says_what_is_half_applied() -> None:
    status = statuses.status([text(half_applied=[]), *TABLE, text(), "and more"])
    half = runner_lines.Half("00003_x.sql", "up", 2)
    assert status == statuses.Status((1,), (3,), (half,))


def test_gooses_own_log_says_nothing_of_it() -> None:
    assert statuses.status(TABLE) == statuses.Status((1,), (3,))


@pytest.mark.parametrize(
    "line",
    [
        text(format=2),
        text(half_applied=None),
        text(half_applied="9"),
        text()[:-9],
        text(kind="other"),
    ],
)
def test_a_line_that_is_not_understood_says_nothing(line: str) -> None:
    assert runner_lines.half_applied([line]) == ()


@pytest.mark.parametrize("halves", ["none", {"00003": HALF}, [{**HALF, "statement": "2"}]])
@pytest.mark.parametrize("form", [1, 2])
def test_the_last_line_counts_also_where_what_it_says_is_not_understood(
    halves: object, form: int
) -> None:
    """An earlier run's line is no answer to what the last one has left."""
    assert runner_lines.half_applied([text(), text(format=form, half_applied=halves)]) == ()


def test_what_an_image_writes_at_length_is_cut() -> None:
    halves = runner_lines.half_applied([text(half_applied=[{**HALF, "file": "x" * 9000}] * 9000)])
    assert len(halves) == 20
    assert len(halves[0].file) == 200
