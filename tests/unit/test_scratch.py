"""Temporary files are in memory only where there is room for them and programs can run from it."""

from __future__ import annotations

from pathlib import Path

from tests.support import scratch


def test_a_folder_with_room_is_taken(tmp_path: Path) -> None:
    assert scratch.variables(tmp_path, enough=1) == {"TMPDIR": str(tmp_path)}


def test_a_folder_with_too_little_room_is_left(tmp_path: Path) -> None:
    assert scratch.variables(tmp_path, enough=2**62) == {}


def test_a_folder_that_is_not_there_is_left() -> None:
    assert scratch.variables(Path("/nowhere"), enough=0) == {}
