"""A tree of rendered manifests: stable, complete or untouched, and nobody else's files."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import pytest

from hanbae import errors
from hanbae.actions import render, save_rendered


def manifest(kind: str = "ConfigMap", name: str = "a", **more: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **more}


def release(*objects: dict[str, Any], service: str = "auth") -> render.Release:
    return render.Release(service, "dev", f"{service}-service", "services-dev", "", objects)


def save(root: Path, *releases: render.Release, secrets: bool = False) -> save_rendered.Saved:
    with save_rendered.writing_to(root, secrets=secrets) as tree:
        for rendered in releases:
            tree.add(rendered)
        return tree.finish()


def files(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }


def test_each_object_has_a_file_and_twice_the_same_changes_nothing(tmp_path: Path) -> None:
    first = save(tmp_path, release(manifest(), manifest("Service", "b")))
    assert first.written == ("dev/auth/configmap-a.yaml", "dev/auth/service-b.yaml")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    again = save(tmp_path, release(manifest(), manifest("Service", "b")))
    assert (again.written, again.removed, again.unchanged) == ((), (), 2)
    assert {
        path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()
    } == before


def test_what_is_no_longer_rendered_goes_and_nothing_else(tmp_path: Path) -> None:
    save(tmp_path, release(manifest(), manifest(name="b")), release(manifest(), service="personal"))
    (tmp_path / "dev" / "auth" / "mine.yaml").write_text("mine")
    (tmp_path / "README.md").write_text("mine")
    saved = save(tmp_path, release(manifest()))  # of auth only: personal stays
    assert saved.removed == ("dev/auth/configmap-b.yaml",)
    assert set(files(tmp_path)) == {
        "README.md",
        "dev/auth/configmap-a.yaml",
        "dev/auth/mine.yaml",
        "dev/personal/configmap-a.yaml",
    }


def test_a_marker_that_names_other_places_removes_nothing_there(tmp_path: Path) -> None:
    outside = tmp_path / "outside.yaml"
    outside.write_text("keep")
    root = tmp_path / "tree"
    save(root, release(manifest()))
    named = '"dev/auth/../../../outside.yaml", "../outside.yaml", "dev/auth/configmap-a.yaml"'
    (root / save_rendered.MARKER).write_text(f'{{"format": 1, "files": [{named}]}}')
    save(root, release(manifest(name="b")))
    assert outside.read_text() == "keep"
    assert set(files(root)) == {"dev/auth/configmap-b.yaml"}


@pytest.mark.parametrize("secret", [{"data": {"a": "Yg=="}}, {"stringData": {"a": "b"}}])
def test_a_secret_in_clear_is_refused_and_nothing_is_changed(
    tmp_path: Path, secret: dict[str, Any]
) -> None:
    save(tmp_path, release(manifest()))
    before = files(tmp_path)
    unsealed = release(manifest(name="new"), manifest("Secret", "s", **secret))
    with pytest.raises(errors.Refused) as caught:
        save(tmp_path, unsealed)
    assert caught.value.text.id == "render.secret-in-clear"
    assert files(tmp_path) == before
    assert not list(tmp_path.glob(".hanbae-staging*"))
    assert "dev/auth/secret-s.yaml" in save(tmp_path, unsealed, secrets=True).written


@pytest.mark.parametrize("name", ["../../etc/passwd", "system:a", "A/b", ".hidden", "x" * 300, ""])
def test_a_name_is_a_file_below_its_service_and_no_other_names(tmp_path: Path, name: str) -> None:
    save(
        tmp_path,
        release(manifest(name=name), manifest(name=name.lower() + "_"), manifest(name=name)),
    )
    paths = list(files(tmp_path))
    assert len(paths) == 3
    assert all(path.startswith("dev/auth/") and path.count("/") == 2 for path in paths)


def test_names_that_differ_in_capitals_keep_their_files_in_any_order(tmp_path: Path) -> None:
    roles = [manifest("Role", "Reader", rules=[1]), manifest("Role", "reader", rules=[2])]
    save(tmp_path, release(*roles))
    again = save(tmp_path, release(*reversed(roles)))
    assert (again.written, again.removed, again.unchanged) == ((), (), 2)
    names = [path.lower() for path in files(tmp_path)]
    assert len(set(names)) == 2
    assert "dev/auth/role-reader.yaml" in names


def test_only_what_the_folder_refuses_is_told_as_its_fault(tmp_path: Path) -> None:
    with pytest.raises(BlockingIOError), save_rendered.writing_to(tmp_path):
        raise BlockingIOError(errno.EAGAIN, "no process")
    assert not list(tmp_path.iterdir())
    (tmp_path / "file").write_text("")
    with pytest.raises(errors.Failed, match=r"render\.unwritable"):
        save(tmp_path / "file", release(manifest()))
    with save_rendered.writing_to(tmp_path / "tree") as tree:
        (staging,) = (tmp_path / "tree").iterdir()
        staging.rmdir()
        staging.write_text("")
        with pytest.raises(errors.Failed, match=r"render\.unwritable"):
            tree.add(release(manifest()))


def test_somebody_elses_file_or_link_in_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    root = tmp_path / "tree"
    (root / "dev" / "auth").mkdir(parents=True)
    (root / "dev" / "auth" / "configmap-a.yaml").write_text("mine")
    with pytest.raises(errors.Refused):
        save(root, release(manifest()))
    assert files(root) == {"dev/auth/configmap-a.yaml": b"mine"}
    (root / "dev" / "personal").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(errors.Refused):
        save(root, release(manifest(), service="personal"))
    assert not files(tmp_path / "elsewhere")
