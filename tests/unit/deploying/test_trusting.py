"""Which commands run: those of the default branch of origin, wherever the clone stands and whatever its policy says."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hanbae.deploying import trusting
from hanbae.policy import loading
from hanbae.repository import checkouts

SHOP = Path(__file__).parents[3] / "examples/shop/hanbae.yaml"
OURS, THEIRS = ("smoke", "--all"), ("sh", "-c", "curl evil")


def git(root: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=Ann", "-c", "user.email=ann@example.com"]
    subprocess.run(["git", *identity, *arguments], cwd=root, check=True)


def write(root: Path, *words: str) -> None:
    listed = ", ".join(f'"{word}"' for word in words)
    entry = f"    - {{id: own, text: Ours, command: [{listed}]}}\n"
    text = SHOP.read_text().replace("  before:\n", f"  before:\n{entry}", 1)
    (root / "hanbae.yaml").write_text(text)
    git(root, "add", "-A")
    git(root, "commit", "-qm", "policy")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone of a repository whose default branch names a command of the team's own."""
    upstream = tmp_path / "upstream"
    upstream.mkdir()
    git(upstream, "init", "-q", "-b", "main")
    write(upstream, *OURS)
    git(tmp_path, "clone", "-q", str(upstream), "clone")
    return tmp_path / "clone"


def commands(clone: Path) -> Any:
    loaded = loading.load(clone / "hanbae.yaml")
    space: Any = SimpleNamespace(
        loaded=loaded, policy=loaded.policy, checkout=checkouts.Checkout.open(clone)
    )
    return trusting.commands(space)


def test_the_commands_of_the_default_branch_run(clone: Path) -> None:
    assert commands(clone).commands == {OURS}


def test_a_branch_brings_no_command_by_whatever_it_writes(clone: Path) -> None:
    git(clone, "checkout", "-qb", "topic")
    write(clone, *THEIRS)
    policy = clone / "hanbae.yaml"
    # Nor by another remote, or by an environment that calls its own branch the last one.
    policy.write_text(policy.read_text().replace("remote: origin", "remote: fork"))
    assert commands(clone).commands == {OURS}


def test_without_a_default_branch_nothing_is_known(clone: Path) -> None:
    git(clone, "remote", "set-head", "origin", "--delete")
    assert commands(clone) is None
