"""What the user's clone knows of a remote, with the real git on both sides."""

from __future__ import annotations

import http.server
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support import polling

from hanbae import errors
from hanbae.repository import checkouts


def git(folder: Path, *words: str) -> str:
    identity = {"NAME": "t", "EMAIL": "t@example.com"}
    environment = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    environment |= {
        f"GIT_{who}_{k}": v for who in ("AUTHOR", "COMMITTER") for k, v in identity.items()
    }
    ended = subprocess.run(
        ["git", "-C", str(folder), *words],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    return ended.stdout.strip()


def commit(folder: Path, name: str, text: str) -> str:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", f"change {name}")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    folder = tmp_path / "origin"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "develop")
    commit(folder, "a.txt", "one")
    return folder


@pytest.fixture
def clone(tmp_path: Path, origin: Path) -> Path:
    git(tmp_path, "clone", "-q", str(origin), "clone")
    return tmp_path / "clone"


def test_head_is_the_remotes_after_a_fetch_and_not_before(origin: Path, clone: Path) -> None:
    old = git(origin, "rev-parse", "HEAD")
    new = commit(origin, "a.txt", "two")
    checkout = checkouts.Checkout.open(clone)
    assert checkout.head("origin", "develop") == old
    checkout.fetch("origin", ["develop"])
    assert checkout.head("origin", "develop") == new
    assert checkout.current() == old


def test_fetch_follows_a_branch_that_was_rewritten_and_touches_no_other(
    origin: Path, clone: Path
) -> None:
    git(origin, "branch", "feature/x")
    git(origin, "tag", "v1")
    new = commit(origin, "a.txt", "two")
    git(origin, "commit", "-q", "--amend", "-m", "again")
    amended = git(origin, "rev-parse", "HEAD")
    checkout = checkouts.Checkout.open(clone)
    checkout.fetch("origin", ["develop"])
    assert checkout.head("origin", "develop") == amended != new
    assert git(clone, "tag") == ""
    with pytest.raises(errors.WrongUse, match=r"no-branch"):
        checkout.head("origin", "feature/x")


def test_clone_is_found_from_below_and_its_root_is_the_working_tree(clone: Path) -> None:
    (clone / "services" / "auth").mkdir(parents=True)
    assert checkouts.Checkout.open(clone / "services" / "auth").root == clone.resolve()


def test_worktree_has_its_own_root(tmp_path: Path, clone: Path) -> None:
    git(clone, "worktree", "add", "-q", "--detach", str(tmp_path / "other"))
    checkout = checkouts.Checkout.open(tmp_path / "other")
    assert checkout.root == (tmp_path / "other").resolve()
    checkout.fetch("origin", ["develop"])
    assert checkout.head("origin", "develop") == checkout.current()


@pytest.mark.parametrize("kind", ["nothing", "bare"])
def test_folder_that_is_no_working_tree_is_wrong_use(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    if kind == "bare":
        git(folder, "init", "-q", "--bare")
    with pytest.raises(errors.WrongUse):
        checkouts.Checkout.open(folder)


def test_no_commit_yet_is_wrong_use(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    with pytest.raises(errors.WrongUse, match="no-commit"):
        checkouts.Checkout.open(tmp_path).current()


def test_unknown_branch_and_remote_are_wrong_use_with_what_there_is(clone: Path) -> None:
    checkout = checkouts.Checkout.open(clone)
    with pytest.raises(errors.WrongUse, match=r"no-branch.*release"):
        checkout.fetch("origin", ["release"])
    with pytest.raises(errors.WrongUse, match=r"no-remote.*known='origin'"):
        checkout.fetch("upstream", ["develop"])


def test_clone_without_any_remote_is_told_how_to_add_one(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    with pytest.raises(errors.WrongUse, match="no-remotes"):
        checkouts.Checkout.open(tmp_path).fetch("origin", ["develop"])


HOSTILE = [
    "--upload-pack=touch owned", "-x", "a b", "a..b", "a:b", "+a", "a~1", "@{-1}", "", "x.lock", "a\nb", "a*",
]  # fmt: skip


@pytest.mark.parametrize("branch", [name for name in HOSTILE if name != "+a"])
def test_branch_that_is_none_never_reaches_git(clone: Path, branch: str) -> None:
    with pytest.raises(errors.WrongUse, match="not-a-branch"):
        checkouts.Checkout.open(clone).fetch("origin", [branch])


@pytest.mark.parametrize("remote", [*HOSTILE, "/etc", "https://example.com/x.git", "../origin"])
def test_remote_that_is_none_never_reaches_git(clone: Path, remote: str) -> None:
    with pytest.raises(errors.WrongUse, match="no-remote"):
        checkouts.Checkout.open(clone).fetch(remote, ["develop"])


def test_url_with_a_password_is_masked_in_errors(clone: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://shop:canary-password@127.0.0.1:{closed.getsockname()[1]}/shop.git"
        git(clone, "remote", "set-url", "origin", url)
        with pytest.raises(errors.Unreachable) as caught:
            checkouts.Checkout.open(clone).fetch("origin", ["develop"])
    assert "canary" not in str(caught.value)
    assert "shop.git" in caught.value.text.facts["url"]
    assert not isinstance(caught.value, errors.Forbidden)


@pytest.fixture
def closed_door() -> Iterator[str]:
    """A server that wants a password."""

    class Door(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Door) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/shop.git"
        server.shutdown()
        thread.join()


def test_remote_that_wants_a_password_is_forbidden_and_nobody_is_asked(
    clone: Path, closed_door: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("LANGUAGE", "ko")
    git(clone, "remote", "set-url", "origin", closed_door)
    with pytest.raises(errors.Forbidden):
        checkouts.Checkout.open(clone).fetch("origin", ["develop"], timeout=20)


def test_fetch_that_hangs_ends_with_everything_it_started(tmp_path: Path, clone: Path) -> None:
    script = tmp_path / "ssh"
    script.write_text(f"#!/bin/sh\necho $$ > {tmp_path}/pid\nexec sleep 600\n")
    script.chmod(0o755)
    git(clone, "config", "core.sshCommand", str(script))
    git(clone, "remote", "set-url", "origin", "ssh://git@example.invalid/shop.git")
    # How long git needs until it starts ssh depends on what else the machine does.
    for timeout in (2, 20, 100):
        with pytest.raises(errors.Unreachable, match="fetch-timeout"):
            checkouts.Checkout.open(clone).fetch("origin", ["develop"], timeout=timeout)
        if (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().endswith("\n"):
            break
    pid = int((tmp_path / "pid").read_text())
    polling.until(lambda: not alive(pid), within=10)


def alive(pid: int) -> bool:
    try:
        return "Z (zombie)" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_no_git_on_the_machine_is_said(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    checkout = checkouts.Checkout.open(clone)
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(errors.Lacking):
        checkout.fetch("origin", ["develop"])


def test_git_that_the_system_does_not_start_is_said(
    clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = checkouts.Checkout.open(clone)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "git").write_text("not a program of this machine")
    (tmp_path / "bin" / "git").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(errors.Lacking) as caught:
        checkout.fetch("origin", ["develop"])
    assert caught.value.text.id == "main.unstarted"


def test_shallow_clone_is_fetched_too(tmp_path: Path, origin: Path) -> None:
    commit(origin, "a.txt", "two")
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{origin}", "shallow")
    new = commit(origin, "a.txt", "three")
    checkout = checkouts.Checkout.open(tmp_path / "shallow")
    checkout.fetch("origin", ["develop"])
    assert checkout.head("origin", "develop") == new


def test_variables_of_another_repository_do_not_lead_a_fetch_there(
    origin: Path, clone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a hook, where git says which repository it works on."""
    git(tmp_path, "clone", "-q", str(origin), "other")
    before = git(tmp_path / "other", "rev-parse", "origin/develop")
    new = commit(origin, "a.txt", "two")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path / "other"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(tmp_path / "other" / ".git" / "objects"))
    checkout = checkouts.Checkout.open(clone)
    checkout.fetch("origin", ["develop"])
    assert checkout.head("origin", "develop") == new
    for name in ("DIR", "WORK_TREE", "INDEX_FILE", "OBJECT_DIRECTORY"):
        monkeypatch.delenv(f"GIT_{name}")
    assert git(tmp_path / "other", "rev-parse", "origin/develop") == before
