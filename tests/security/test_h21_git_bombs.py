"""Git objects that are small and stand for more than any machine has: pushed by a stranger, read by a check."""

from __future__ import annotations

import contextlib
import hashlib
import resource
import shutil
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

import pygit2
import pytest

from hanbae import errors
from hanbae.repository import checkouts, commit_graph, histories, reverting, trees

SHOP = Path(__file__).parents[2] / "examples" / "shop"
SIZE = 512 * 1024**2
_MEMORY = 1024**3
_PATIENCE = 100


@pytest.fixture
def repository(tmp_path: Path) -> pygit2.Repository:
    return pygit2.init_repository(str(tmp_path), initial_head="main")


def write_zeros(repository: pygit2.Repository, size: int) -> pygit2.Oid:
    """A file of so many zeros, which as an object has a thousandth of that."""
    packer = zlib.compressobj(9)
    head = f"blob {size}\0".encode()
    zeros = bytes(1024**2)
    begin = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(zeros) + packer.flush(zlib.Z_FULL_FLUSH)
    digest, check = hashlib.sha1(head), zlib.adler32(head)  # noqa: S324  git's own
    for _ in range(size // len(zeros)):
        digest.update(zeros)
        check = zlib.adler32(zeros, check)
    end = b"\x03\x00" + check.to_bytes(4, "big")  # an empty last block, and the sum of all
    content = begin + block * (size // len(zeros)) + end
    name = digest.hexdigest()
    path = Path(repository.path, "objects", name[:2], name[2:])
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    assert len(content) < size / 500
    return pygit2.Oid(hex=name)


def commit(repository: pygit2.Repository, tree: pygit2.Oid) -> str:
    author = pygit2.Signature("a", "a@example.com", 0)
    parents = [] if repository.head_is_unborn else [repository.head.target]
    return str(repository.create_commit("HEAD", author, author, "m", tree, parents))


def bomb(repository: pygit2.Repository) -> pygit2.Oid:
    """A tree of twelve objects in which ten to the tenth files are."""
    builder = repository.TreeBuilder()
    builder.insert("a", repository.create_blob(b"x"), pygit2.enums.FileMode.BLOB)
    tree = builder.write()
    for _ in range(10):
        builder = repository.TreeBuilder()
        for number in range(10):
            builder.insert(f"d{number}", tree, pygit2.enums.FileMode.TREE)
        tree = builder.write()
    return tree


@pytest.mark.parametrize("mode", [pygit2.enums.FileMode.BLOB, pygit2.enums.FileMode.LINK])
def test_a_file_that_is_larger_than_the_memory(repository: pygit2.Repository, mode: int) -> None:
    builder = repository.TreeBuilder()
    builder.insert("hanbae.yaml", write_zeros(repository, SIZE), mode)
    revision = checkouts.Checkout.open(Path(repository.workdir)).revision(
        commit(repository, builder.write())
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(errors.FileFault, match="file-too-large"):
        revision.read("hanbae.yaml")
    history = histories.History(Path(repository.workdir))
    # It is told that nobody has looked into it.
    assert [(file.path, file.data) for file in history.added(lambda _: True)] == [
        ("hanbae.yaml", None)
    ]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < SIZE / 1024 / 4


def test_a_file_that_git_was_told_not_to_look_at(repository: pygit2.Repository) -> None:
    blob = write_zeros(repository, SIZE)
    folder = Path(repository.workdir)
    (folder / "a").write_text("x")
    repository.index.add(pygit2.IndexEntry("a", blob, pygit2.enums.FileMode.BLOB))
    repository.index.write()
    flag = ["update-index", "--assume-unchanged", "a"]
    subprocess.run(["git", "-C", str(folder), *flag], check=True)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(errors.FileFault, match="file-too-large"):
        trees.WorkingTree(folder).read("a")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < SIZE / 1024 / 4


def test_trees_that_hold_more_files_than_a_disk(repository: pygit2.Repository) -> None:
    tree = bomb(repository)
    revision = checkouts.Checkout.open(Path(repository.workdir)).revision(commit(repository, tree))
    with pytest.raises(errors.FileFault, match="too-many-files"):
        revision.files()
    with pytest.raises(errors.FileFault, match="too-many-files"):
        revision.links("d1")
    with pytest.raises(errors.FileFault, match="too-many-files"):
        list(histories.History(Path(repository.workdir)).added(lambda _: True))


def test_a_promotion_or_a_rollback_does_not_unfold_such_trees(
    repository: pygit2.Repository,
) -> None:
    root = Path(repository.workdir)
    honest = commit(repository, repository.TreeBuilder().write())
    hostile = commit(repository, bomb(repository))
    with _bounded():
        with pytest.raises(errors.FileFault, match="too-many-files"):
            commit_graph.Graph(root).files(hostile)
        for head, target in ((honest, hostile), (hostile, honest)):
            with pytest.raises(errors.FileFault, match="too-many-files"):
                reverting.write(
                    checkouts.Checkout.open(root),
                    head=head,
                    target=target,
                    paths=["d1"],
                    branch="back",
                    message="Back",
                )


@contextlib.contextmanager
def _bounded() -> Iterator[None]:
    """Little more memory for this process than it has, so that a fault does not take the machine's."""
    limits = resource.getrlimit(resource.RLIMIT_DATA)
    present = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_DATA, (present + _MEMORY, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, limits)


@pytest.mark.parametrize("words", [["check", "--no-cache"], ["plan", "--base", "main"]])
def test_a_branch_with_such_trees_is_refused(tmp_path: Path, words: list[str]) -> None:
    folder = tmp_path / "shop"
    shutil.copytree(SHOP, folder)
    git = ["git", "-C", str(folder), "-c", "user.name=a", "-c", "user.email=a@example.com"]
    subprocess.run([*git, "init", "-q", "-b", "main"], check=True)
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-qm", "a"], check=True)
    repository = pygit2.Repository(str(folder))
    root = repository.head.peel().tree
    services = repository.TreeBuilder(root["services"])
    services.insert("bomb", bomb(repository), pygit2.enums.FileMode.TREE)
    builder = repository.TreeBuilder(root)
    builder.insert("services", services.write(), pygit2.enums.FileMode.TREE)
    author = pygit2.Signature("a", "a@example.com", 0)
    head = repository.head.target
    hostile = repository.create_commit("refs/heads/x", author, author, "m", builder.write(), [head])
    option = "--revision" if words[0] == "check" else "--head"
    ended = subprocess.run(
        [sys.executable, "-m", "hanbae", "--lang", "en", *words, option, str(hostile)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (_MEMORY, _MEMORY)),
    )
    assert ended.returncode == 2, ended.stderr[-1000:]
    assert "more than 500000 files" in ended.stdout + ended.stderr
