"""A tree with files as they would be if they were written."""

from __future__ import annotations

from pathlib import Path

import pytest

from hanbae.repository import trees


@pytest.mark.parametrize("folder", ["", ".", "k8s"])
def test_what_would_be_written_is_among_the_files_of_its_folder(
    tmp_path: Path, folder: str
) -> None:
    (tmp_path / "k8s").mkdir()
    (tmp_path / "k8s/old.yaml").write_text("a: 1\n")
    before = trees.WorkingTree(tmp_path)
    tree = trees.Overlaid(before, {"k8s/old.yaml": b"a: 2\n", "k8s/new.yaml": b"b: 1\n"})
    assert set(tree.files(folder)) == {"k8s/old.yaml", "k8s/new.yaml"}
    assert tree.files(folder)["k8s/old.yaml"] != before.files(folder)["k8s/old.yaml"]
