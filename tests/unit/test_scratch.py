"""Temporary files are in memory only where there is room for them."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support import scratch


def test_a_folder_with_room_is_taken(tmp_path: Path) -> None:
    assert scratch.variables(0, tmp_path) == {"TMPDIR": str(tmp_path)}


def test_a_folder_with_too_little_room_is_left(tmp_path: Path) -> None:
    assert scratch.variables(2**30, tmp_path) == {}


def test_a_folder_that_is_not_there_is_left() -> None:
    assert scratch.variables(0, Path("/nowhere")) == {}


@pytest.mark.parametrize(
    ("limit", "free"), [("max", [2048]), ("5000", [2048, 3000]), (None, [2048])]
)
def test_the_limit_of_a_container_counts(
    tmp_path: Path, limit: str | None, free: list[int]
) -> None:
    (tmp_path / "meminfo").write_text("MemFree: 1 kB\nMemAvailable:       2 kB\n")
    if limit is not None:
        (tmp_path / "memory.max").write_text(f"{limit}\n")
        (tmp_path / "memory.current").write_text("2000\n")
    assert list(scratch._free(tmp_path / "meminfo", tmp_path)) == free
