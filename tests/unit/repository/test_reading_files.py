"""The content of a working tree's file, however large it is and whatever its file system says of that."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hanbae import errors
from hanbae.repository import trees


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.yaml"
    path.write_bytes(b"a: 1\n" * 10)
    return path


@pytest.mark.parametrize("size", [0, 7, 50, 80])
def test_a_file_of_another_size_than_was_said_is_read_whole(
    file: Path, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = trees.WorkingTree(file.parent)
    stat, position = os.fstat, 6

    def sized(descriptor: int) -> os.stat_result:
        fields = list(stat(descriptor))
        fields[position] = size
        return os.stat_result(fields)

    monkeypatch.setattr(os, "fstat", sized)
    assert tree.read("a.yaml") == file.read_bytes()


@pytest.mark.parametrize("beyond", [0, 1, 5000])
def test_the_largest_file_is_read_and_no_larger_one(file: Path, beyond: int) -> None:
    file.write_bytes(b"#" * (trees.LARGEST_FILE + beyond))
    tree = trees.WorkingTree(file.parent)
    if not beyond:
        assert tree.read("a.yaml") == file.read_bytes()
        return
    with pytest.raises(errors.FileFault, match="too-large"):
        tree.read("a.yaml")


def test_a_link_to_a_folder_is_none_that_is_read(file: Path) -> None:
    (file.parent / "folder").mkdir()
    (file.parent / "folder" / "b.yaml").write_text("b: 1\n")
    (file.parent / "link").symlink_to("folder")
    with pytest.raises(errors.FileFault, match="unreadable"):
        trees.WorkingTree(file.parent).read("link")
