"""The demo's git repository: the example as a team would have it, with a remote that Argo CD can read.

The remote is a bare repository in the sandbox's own folder; people who look at a kept demo work in the clone
beside it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import hanbae
from hanbae import errors
from hanbae.sandbox import calling
from hanbae.streams import locales

#: Whose commits they are, and no setting of the user's: a hook, a signing key or a URL rewrite of theirs has
#: no business in a throw-away repository.
_ENVIRONMENT: Final = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_AUTHOR_NAME": "hanbae demo",
    "GIT_AUTHOR_EMAIL": "demo@hanbae.invalid",
    "GIT_COMMITTER_NAME": "hanbae demo",
    "GIT_COMMITTER_EMAIL": "demo@hanbae.invalid",
}
#: Variables that would make git work somewhere else, as inside a hook of another repository.
_DROPPED: Final = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY")

#: What a checkout may have beside the example: a developer's own values, which git ignores, and a repository.
_IGNORED: Final = shutil.ignore_patterns("values.yaml", ".git")


def example() -> Path:
    """The shop: in a checkout at ``examples/shop``, in an installed package beside this module.

    Raises:
        errors.Lacking: The installation has neither.
    """
    package = Path(hanbae.__file__).parent
    for place in (package.parent.parent / "examples" / "shop", package / "sandbox" / "shop"):
        if (place / "hanbae.yaml").is_file():
            return place
    raise errors.Lacking("demo.no-example")


@dataclass(frozen=True)
class Repository:
    """A clone and its remote.

    Attributes:
        clone: The working copy.
        remote: The bare repository.
    """

    clone: Path
    remote: Path

    @property
    def url(self) -> str:
        """The remote as git and Argo CD fetch it."""
        return self.remote.as_uri()

    def switch(self, branch: str, *, create: bool = False) -> None:
        """Go to a branch; `create` makes it (anew) where the clone is now."""
        git(self.clone, "switch", "--quiet", *(["--force-create"] if create else []), branch)

    def commit(self, message: str) -> str:
        """Commit everything that differs, if anything does.

        Returns:
            The full id of the branch's head.
        """
        git(self.clone, "add", "--all")
        if git(self.clone, "status", "--porcelain"):
            git(self.clone, "commit", "--quiet", "--message", message)
        return git(self.clone, "rev-parse", "HEAD")

    def push(self, *branches: str) -> None:
        """Push branches to the remote."""
        git(self.clone, "push", "--quiet", "origin", *branches)


def create(source: Path, clone: Path, remote: Path) -> Repository:
    """A fresh repository with the content of `source` as its first commit on ``main``; older ones are replaced.

    Args:
        source: The example.
        clone: Where the working copy goes.
        remote: Where the bare repository goes.
    """
    for folder in (clone, remote):
        shutil.rmtree(folder, ignore_errors=True)
    remote.parent.mkdir(parents=True, exist_ok=True)
    git(remote.parent, "init", "--quiet", "--bare", "--initial-branch", "main", str(remote))
    shutil.copytree(source, clone, ignore=_IGNORED)
    git(clone, "init", "--quiet", "--initial-branch", "main")
    repository = Repository(clone, remote)
    git(clone, "remote", "add", "origin", repository.url)
    repository.commit("The shop")
    repository.push("main")
    return repository


def identify(clone: Path) -> None:
    """Have a clone say itself whose commits are made in it, for what does not run git with our variables."""
    for setting in ("name", "email"):
        value = _ENVIRONMENT[f"GIT_COMMITTER_{setting.upper()}"]
        git(clone, "config", f"user.{setting}", value)


def git(folder: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
    """Run git in a folder and return what it says.

    Raises:
        errors.Failed: git failed; the text has its words.
        KeyboardInterrupt: Ctrl-C or SIGTERM has ended it.
    """
    inherited = {name: value for name, value in os.environ.items() if name not in _DROPPED}
    with errors.starting("git"):
        ended = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            env={**inherited, **locales.ENGLISH, **_ENVIRONMENT, **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    calling.heed_interrupt(ended.returncode)
    if ended.returncode != 0:
        raise errors.Failed("demo.git-failed", command=arguments[0], output=ended.stderr.strip())
    return ended.stdout.strip()
