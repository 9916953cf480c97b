"""Files that follow from the policy, and how they are known again."""

from __future__ import annotations

from pathlib import Path

import pytest

from hanbae import errors
from hanbae.repository import generated_files


def test_only_files_that_carry_the_mark_are_known_again(tmp_path: Path) -> None:
    folder = tmp_path / "k8s/dev"
    folder.mkdir(parents=True)
    (folder / "own.yaml").write_text("# written by us\na: 1\n")
    (folder / "foreign.yaml").write_text("a: 1\n")
    assert generated_files.present(tmp_path, "k8s", "written by us") == {"k8s/dev/own.yaml"}


def test_a_file_that_cannot_be_read_is_a_fault_at_its_path(tmp_path: Path) -> None:
    (tmp_path / "k8s").mkdir()
    # An ordinary file that not even root can read from its beginning.
    (tmp_path / "k8s/broken.yaml").symlink_to("/proc/self/mem")
    with pytest.raises(errors.FileFault) as caught:
        generated_files.present(tmp_path, "k8s", "written by us")
    assert (caught.value.text.id, str(caught.value.place)) == (
        "placing.unwritable",
        "k8s/broken.yaml",
    )
