"""The secrets of a clone: made once, kept as a developer writes them, and never where somebody else reads them."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support import compositions

from hanbae import errors
from hanbae.local import secret_values
from hanbae.local.composition import Composition, SecretKey
from hanbae.masking import Masked

AUTH = SecretKey("auth-secrets", "AUTH_DATABASE_URL")
TOKEN = SecretKey("s", "TOKEN")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    subprocess.run(["git", "init", "-q", str(folder)], check=True)
    return folder


@pytest.fixture(scope="module")
def composition() -> Composition:
    """One service with a database, a token, and a file that is a secret."""
    reads = {
        "env": [{"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "TOKEN"}}}],
        "envFrom": [{"secretRef": {"name": "s"}, "prefix": "S_"}],
        "volumeMounts": [{"name": "v", "mountPath": "/run/key"}],
    }
    volumes = [{"name": "v", "secret": {"secretName": "s", "items": [{"key": "K", "path": "k"}]}}]
    return compositions.of(
        compositions.text(
            compositions.deployment(reads, volumes=volumes),
            compositions.migration("auth", "AUTH_DATABASE_URL", -4),
        )
    )


def tree(root: Path) -> dict[str, bytes]:
    folder = root / ".hanbae"
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_what_is_missing_is_made_once_and_never_again(root: Path, composition: Composition) -> None:
    store = secret_values.Store(root)
    values, made_up = store.complete(composition)
    assert set(made_up) == {TOKEN, SecretKey("s", "K")}
    url = values[AUTH].unmask().decode()
    assert url.endswith("@postgresql:5432/auth?sslmode=disable")
    store.write(composition, values)
    before = tree(root)
    again, none = secret_values.Store(root).complete(composition)
    assert none == ()
    assert {key: value.unmask() for key, value in again.items()} == {
        key: value.unmask() for key, value in values.items()
    }
    secret_values.Store(root).write(composition, again)
    assert tree(root) == before


def test_only_its_user_can_read_anything_but_what_containers_mount(
    root: Path, composition: Composition
) -> None:
    before = os.umask(0)
    try:
        store = secret_values.Store(root)
        store.write(composition, store.complete(composition)[0])
    finally:
        os.umask(before)
    for path in (root / ".hanbae/local").rglob("*"):
        mode = stat.S_IMODE(path.stat().st_mode)
        if "files" in path.parts:
            assert mode in {0o444, 0o700, 0o755, 0o777}
        else:
            assert not mode & 0o077, path
    assert stat.S_IMODE((root / ".hanbae/local").stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_root_that_runs_docker_leaves_the_store_to_its_user(
    root: Path, composition: Composition
) -> None:
    store = root / ".hanbae/local/secrets/s.env"
    store.parent.mkdir(parents=True)
    store.write_text("MINE=1\n")
    store.chmod(0o644)
    os.chown(store, 12345, 12345)
    secret_values.Store(root).complete(composition)
    status = store.stat()
    assert (status.st_uid, stat.S_IMODE(status.st_mode)) == (12345, 0o600)
    assert store.read_text().startswith("MINE=1\n")
    assert "TOKEN=" in store.read_text()


def test_link_in_the_place_of_the_store_is_refused(root: Path, composition: Composition) -> None:
    shown = root / "shown"
    shown.write_text("A=1\n")
    store = root / ".hanbae/local/secrets/s.env"
    store.parent.mkdir(parents=True)
    store.symlink_to(shown)
    with pytest.raises(errors.FileFault):
        secret_values.Store(root).complete(composition)
    assert shown.read_text() == "A=1\n"


def test_what_a_developer_writes_stays_and_reaches_containers(
    root: Path, composition: Composition
) -> None:
    folder = root / secret_values.STORE
    folder.mkdir(parents=True)
    text = "# mine\nTOKEN='a $b'\nEXTRA=x # why"
    (folder / "s.env").write_text(text)
    store = secret_values.Store(root)
    values, made_up = store.complete(composition)
    assert TOKEN not in made_up
    assert (folder / "s.env").read_text().startswith(text + "\n")
    service = composition.service("auth-service")
    assert service is not None
    variables = secret_values.variables_of(service, values)
    assert variables["TOKEN"] == variables["S_TOKEN"] == b"a $b"
    assert variables["S_EXTRA"] == b"x"


def test_a_person_is_asked_for_what_is_neither_an_address_nor_there(
    root: Path, composition: Composition
) -> None:
    questions: list[SecretKey] = []

    def ask(key: SecretKey) -> Masked | None:
        questions.append(key)
        return Masked(b"answer") if key == TOKEN else None

    values, _ = secret_values.Store(root).complete(composition, ask)
    assert values[TOKEN].unmask() == b"answer"
    assert AUTH not in questions
    secret_values.Store(root).complete(composition, ask)
    assert len(questions) == 2


def committed_file(root: Path, elsewhere: Path) -> None:
    path = root / secret_values.STORE / "s.env"
    path.parent.mkdir(parents=True)
    path.write_text("TOKEN=known-to-all\n")
    subprocess.run(["git", "-C", str(root), "add", "-f", str(path)], check=True)


def link_of_the_folder(root: Path, elsewhere: Path) -> None:
    (root / ".hanbae").symlink_to(elsewhere)


def link_of_the_store(root: Path, elsewhere: Path) -> None:
    (root / ".hanbae/local").mkdir(parents=True)
    (root / secret_values.STORE).symlink_to(elsewhere)


def link_of_the_variables(root: Path, elsewhere: Path) -> None:
    (root / ".hanbae/local").mkdir(parents=True)
    (root / ".hanbae/local/env").symlink_to(elsewhere)


def link_of_the_files(root: Path, elsewhere: Path) -> None:
    (root / ".hanbae/local").mkdir(parents=True)
    (root / ".hanbae/local/files").symlink_to(elsewhere)


def link_of_a_value(root: Path, elsewhere: Path) -> None:
    (root / secret_values.STORE).mkdir(parents=True)
    (root / secret_values.STORE / "s.env").symlink_to(elsewhere / "s.env")


def link_in_the_repository(root: Path, elsewhere: Path) -> None:
    (root / "docs").mkdir()
    (root / ".hanbae").symlink_to("docs")


def pipe_for_a_value(root: Path, elsewhere: Path) -> None:
    (root / secret_values.STORE).mkdir(parents=True)
    os.mkfifo(root / secret_values.STORE / "s.env")


def file_for_the_folder(root: Path, elsewhere: Path) -> None:
    (root / ".hanbae").write_text("")


ATTACKS: list[Callable[[Path, Path], None]] = [
    committed_file, link_of_the_folder, link_of_the_store, link_of_the_variables, link_of_the_files,
    link_of_a_value, link_in_the_repository, pipe_for_a_value, file_for_the_folder,
]  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.__name__)
def test_a_checkout_decides_neither_values_nor_where_they_are_written(
    root: Path, tmp_path: Path, composition: Composition, attack: Callable[[Path, Path], None]
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    attack(root, elsewhere)
    store = secret_values.Store(root)
    with pytest.raises(errors.FileFault):
        store.write(composition, store.complete(composition)[0])
    assert not list(elsewhere.iterdir())
    assert not (root / "docs").exists() or not list((root / "docs").iterdir())
