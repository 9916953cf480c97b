"""A folder of rendered manifests that a branch has prepared: nothing is read, written or deleted through its links."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from tests.unit.actions.test_save_rendered import files, manifest, release, save

from hanbae import errors
from hanbae import files as one_place
from hanbae.actions import save_rendered


@pytest.mark.parametrize("linked", ["dev", "dev/auth"])
def test_nothing_is_deleted_through_a_link(tmp_path: Path, linked: str) -> None:
    outside, root = tmp_path / "outside", tmp_path / "manifests"
    victim = outside / ("auth/config.yaml" if linked == "dev" else "config.yaml")
    victim.parent.mkdir(parents=True)
    victim.write_text("mine")
    save(root, release(manifest(name="x"), service="other"))
    marker = '{"format": 1, "files": ["dev/auth/config.yaml"]}'
    (root / save_rendered.MARKER).write_text(marker)
    for path in sorted(root.rglob("*"), reverse=True):
        if path.name != save_rendered.MARKER and path.is_file():
            path.unlink()
        elif path.is_dir():
            path.rmdir()
    (root / linked).parent.mkdir(exist_ok=True)
    (root / linked).symlink_to(outside)
    with pytest.raises(errors.Refused, match="in-the-way"):
        save(root, release())
    assert victim.read_text() == "mine"


@pytest.mark.parametrize("target", ["/dev/zero", "pipe", "self"])
def test_a_marker_that_never_ends_is_none(tmp_path: Path, target: str) -> None:
    root = tmp_path / "manifests"
    root.mkdir()
    marker = root / save_rendered.MARKER
    if target == "pipe":
        os.mkfifo(marker)
    else:
        marker.symlink_to(marker if target == "self" else target)
    worker = threading.Thread(target=save, args=(root, release(manifest())), daemon=True)
    worker.start()
    worker.join(60)
    assert not worker.is_alive()
    assert list(files(root)) == ["dev/auth/configmap-a.yaml"]
    assert marker.is_file()
    assert not marker.is_symlink()


def test_an_ordinary_file_is_one(tmp_path: Path) -> None:
    path = tmp_path / "a"
    assert one_place.ordinary(path, most=3) is None
    path.write_bytes(b"abc")
    assert one_place.ordinary(path, most=3) == b"abc"
    assert one_place.ordinary(path, most=2) is None
    (tmp_path / "b").symlink_to(path)
    assert one_place.ordinary(tmp_path / "b", most=3) is None
    assert one_place.ordinary(tmp_path, most=3) is None
