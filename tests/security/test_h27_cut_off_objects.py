"""An object of git's that ends too early, of a bad disk or a broken copy, does not hold a command for ever."""

from __future__ import annotations

import os
import subprocess
import zlib
from pathlib import Path

import pytest
from tests.support import layouts, preforking

from hanbae import errors
from hanbae.actions import new_service
from hanbae.policy import clones, loose_objects
from hanbae.repository import trees

pytestmark = pytest.mark.timeout(100)
VALUES = "services/auth/helm/values-dev.yaml"


def git(root: Path, *words: str) -> str:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false")
    command = ["git", *identity, *words]
    return subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    layouts.begin(tmp_path, "one-cluster")
    new_service.new_service(tmp_path, "auth")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "begin")
    return tmp_path


def file_of(shop: Path, revision: str) -> Path:
    name = git(shop, "rev-parse", revision).strip()
    path = shop / ".git/objects" / name[:2] / name[2:]
    path.chmod(0o644)
    return path


@pytest.mark.parametrize("revision", ["HEAD", "HEAD^{tree}", "HEAD:services", f"HEAD:{VALUES}"])
@pytest.mark.parametrize("share", [0.1, 0.5])
@pytest.mark.parametrize(
    "words", [("check",), ("check", "--revision", "HEAD"), ("check", "--history")], ids=" ".join
)
def test_a_command_over_a_cut_off_object_ends(
    shop: Path, revision: str, share: float, words: tuple[str, ...]
) -> None:
    path = file_of(shop, revision)
    content = path.read_bytes()
    path.write_bytes(content[: max(2, int(len(content) * share))])
    code, _, err = preforking.run(
        ["--lang", "en", *words, "--no-cache"], directory=shop, environment=os.environ
    )
    # The content of a file that has not changed is read from the working tree.
    needed = revision.endswith(VALUES) is False or words != ("check",)
    assert code == (2 if needed else 0), err[-2000:]
    assert ("is corrupt" in err) is needed


BODY = b"x" * 400
CUT_OFF = {
    "in the header": zlib.compress(b"tree 400\0" + BODY)[:2],
    "in the content": zlib.compress(b"tree 999999\0" + bytes(range(256)) * 40)[:60],
    "behind blocks of nothing": b"\x78\x01"
    + b"\0\0\0\xff\xff" * 2000
    + zlib.compress(b"tree 999\0" + BODY)[2:-4],
    "of the format that git gave up": b"\xb0\x19" + zlib.compress(BODY)[:9],
}
ODD = {
    "empty": b"",
    "one letter": b"x",
    "without its last bytes": zlib.compress(b"tree 400\0" + BODY)[:-4],
    "of another size": zlib.compress(b"tree 999\0" + BODY),
    "without a size": zlib.compress(b"tree\0" + BODY),
    "in another format": zlib.compress(b"tree 400\0" + BODY)[:40] + b"\0\0\0\0",
}


@pytest.mark.parametrize("name", CUT_OFF)
def test_what_libgit2_would_wait_for_is_known(shop: Path, name: str) -> None:
    path = file_of(shop, "HEAD:services")
    path.write_bytes(CUT_OFF[name])
    assert loose_objects.damaged(str(shop / ".git")) == path
    with pytest.raises(errors.WrongUse, match="is corrupt"):
        clones.discover(shop)


@pytest.mark.parametrize("name", ODD)
def test_other_damage_is_told_by_libgit2(shop: Path, name: str) -> None:
    file_of(shop, "HEAD:services").write_bytes(ODD[name])
    assert loose_objects.damaged(str(shop / ".git")) is None
    assert clones.discover(shop) is not None


@pytest.mark.parametrize("name", ["shop", "my projects", "a\u2028b\x0bc "])
def test_objects_of_linked_and_borrowing_clones_are_looked_at(
    shop: Path, tmp_path: Path, name: str
) -> None:
    git(tmp_path, "clone", "-q", ".", name)
    shop = tmp_path / name
    git(shop, "worktree", "add", "-q", str(tmp_path / "linked"))
    git(shop, "clone", "-q", "--shared", ".", str(tmp_path / "borrowing"))
    folders = [tmp_path / "linked", tmp_path / "borrowing"]
    assert all(trees.WorkingTree(folder).files() for folder in folders)
    path = file_of(shop, "HEAD:services")
    path.write_bytes(path.read_bytes()[:20])
    for folder in folders:
        own = git(folder, "rev-parse", "--absolute-git-dir").rstrip("\n")
        # Asked before it is opened, for libgit2 would not end where this does not see it.
        assert loose_objects.damaged(own) is not None
        with pytest.raises(errors.WrongUse, match="is corrupt"):
            trees.WorkingTree(folder)
