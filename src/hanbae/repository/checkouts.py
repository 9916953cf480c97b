"""The user's clone: which commit a remote's branch is at, and what has not been committed.

Reading goes through libgit2, in this process.
Fetching and pushing go through the user's own ``git``, because only that has their credential helpers, their ssh
configuration and their proxies; it is given nothing that it could take for an option, and asks nothing where nobody can
answer.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from hanbae import errors, masking, patterns
from hanbae.policy import clones
from hanbae.repository import revisions
from hanbae.streams import locales

if TYPE_CHECKING:
    import pygit2

FETCH_TIMEOUT: Final = 120.0
"""Seconds that ``git fetch`` may take; only branch heads are asked for."""
PUSH_TIMEOUT: Final = 120.0
"""Seconds that ``git push`` may take."""

_REMOTE: Final = patterns.lazy(r"[A-Za-z0-9_][A-Za-z0-9._/-]*")
_MOST_COMMITS: Final = 20_000
"""Commits that one question walks through."""
_LONGEST_MESSAGE: Final = 2000
_SAFELY: Final = tuple(
    word
    for setting in (
        "core.hooksPath=/dev/null",  # which may name a folder of the branch
        "protocol.ext.allow=never",  # remotes that are commands
        # A branch can bring a bare repository as ordinary files, with a configuration of its own.
        "safe.bareRepository=explicit",
    )
    for word in ("-c", setting)
)
"""What no fetch needs, and what could have a program run that lies in the branch."""
# Colours and cursor movements of a remote's hooks.
_CONTROL: Final = patterns.lazy(r"\x1b\[[0-9;?]*[ -/]*[@-~]|[\x00-\x08\x0b-\x1f\x7f]")
_MISSING_BRANCH: Final = patterns.lazy(r"couldn't find remote ref (?:refs/heads/)?(\S+)")
_OVERTAKEN: Final = patterns.lazy(
    r"stale info|fetch first|cannot lock ref|reference already exists"
)
_NOT_ALLOWED: Final = patterns.lazy(
    r"(?i)authentication failed|permission denied|could not read (?:username|password)|terminal prompts disabled"
    r"|access denied|\b40[13]\b"
)


class Written(NamedTuple):
    """A commit as its author wrote it.

    Attributes:
        id: Full id.
        author: The author's name, as their git gave it.
        moment: When, by the author's clock, in UTC.
        subject: First line of the message.
    """

    id: str
    author: str
    moment: datetime
    subject: str


class Checkout:
    """A clone with a working tree. Made by :meth:`open`, unless a tree has opened it already.

    Attributes:
        root: The folder of the working tree.
    """

    def __init__(self, repository: pygit2.Repository, root: Path) -> None:
        self.root = root
        self._repository = repository

    @classmethod
    def open(cls, path: Path) -> Checkout:
        """The clone that a folder belongs to.

        Args:
            path: The folder, or one below it.

        Raises:
            errors.WrongUse: It is not in a clone, in a bare one, or in one that belongs to another user.
        """
        repository = clones.discover(path)
        if repository is None:
            raise errors.WrongUse("repository.none", folder=str(path))
        if repository.is_bare or repository.workdir is None:
            raise errors.WrongUse("repository.bare", folder=repository.path)
        return cls(repository, Path(repository.workdir).resolve())

    def branches(self) -> tuple[tuple[str, ...], str]:
        """The branches that the clone knows, its own and those of its remotes, and the one that is checked out.

        Returns:
            The names without those of remotes, sorted; and the current branch, empty where none is checked out.
        """
        names = set(self._repository.branches.local)
        for name in self._repository.branches.remote:
            _, slash, branch = name.partition("/")
            if slash and branch != "HEAD":
                names.add(branch)
        detached = self._repository.head_is_unborn or self._repository.head_is_detached
        return tuple(sorted(names)), "" if detached else self._repository.head.shorthand

    def fetch(
        self, remote: str, branches: Sequence[str], *, timeout: float = FETCH_TIMEOUT
    ) -> None:
        """Bring ``refs/remotes/<remote>/<branch>`` of these branches up to date; nothing else is touched.

        Args:
            remote: The name of a configured remote.
            branches: Names of branches, without ``refs/heads/``.
            timeout: Seconds.

        Raises:
            errors.WrongUse: There is no such remote, or a name is not a branch's.
            errors.Unreachable: git could not fetch; in its own words, without passwords.
            errors.Forbidden: The remote does not know us.
            errors.Lacking: There is no git on this machine.
        """
        self._check_remote(remote)
        for branch in branches:
            check_branch(branch)
        specs = [f"+refs/heads/{branch}:refs/remotes/{remote}/{branch}" for branch in branches]
        # Quiet, and without the maintenance that would go on in the background with the clone's files open.
        # FETCH_HEAD is the user's: what they have fetched last stays what `git merge FETCH_HEAD` means.
        options = [
            "--quiet",
            "--no-tags",
            "--no-recurse-submodules",
            "--no-auto-maintenance",
            "--no-write-fetch-head",
        ]
        words = [
            "git",
            "-C",
            str(self.root),
            *_SAFELY,
            "fetch",
            *options,
            "--end-of-options",
            remote,
            *specs,
        ]
        try:
            code, message = _run(words, self._environment(), timeout)
        except subprocess.TimeoutExpired:
            raise errors.Unreachable(
                "repository.fetch-timeout",
                remote=remote,
                url=self._url(remote),
                seconds=f"{timeout:g}",
            ) from None
        if code:
            self._refuse(remote, message)

    def push(
        self,
        remote: str,
        commit: str,
        branch: str,
        *,
        over: str = "",
        timeout: float = PUSH_TIMEOUT,
    ) -> None:
        """Have a remote's branch be at a commit, if it still is where it was.

        Args:
            remote: The name of a configured remote.
            commit: Full id.
            branch: Name of the branch, without ``refs/heads/``.
            over: Full id of where the branch is now; empty where it is not there.
            timeout: Seconds.

        Raises:
            errors.WrongUse: There is no such remote, or the name is not a branch's.
            errors.Refused: The branch is elsewhere by now, or the remote does not want it there; in its words.
            errors.Unreachable: git could not push.
            errors.Forbidden: The remote does not know us.
            errors.Lacking: There is no git on this machine.
        """
        self._check_remote(remote)
        check_branch(branch)
        # Whoever has pushed meanwhile keeps what was pushed. With nothing behind the last colon,
        # the branch must not be there at all.
        lease = f"--force-with-lease=refs/heads/{branch}:{over}"
        options = ["--quiet", "--no-verify", "--no-follow-tags", "--recurse-submodules=no", lease]
        words = ["git", "-C", str(self.root), *_SAFELY, "push", *options, "--end-of-options"]
        words += [remote, f"{commit}:refs/heads/{branch}"]
        try:
            code, message = _run(words, self._environment(), timeout)
        except subprocess.TimeoutExpired:
            raise errors.Unreachable(
                "repository.push-timeout",
                remote=remote,
                url=self._url(remote),
                seconds=f"{timeout:g}",
            ) from None
        if not code:
            return
        facts = {"remote": remote, "branch": branch}
        if _OVERTAKEN.search(message):
            raise errors.Refused("repository.overtaken", place=None, **facts)
        if "[remote rejected]" in message or "pre-receive hook declined" in message:
            raise errors.Refused("repository.rejected", place=None, **facts, reason=message)
        kind = errors.Forbidden if _NOT_ALLOWED.search(message) else errors.Unreachable
        raise kind("repository.not-pushed", place=None, **facts, reason=message)

    def address(self, remote: str) -> str:
        """Where a remote is pushed to, as git has it: there may be a password in it.

        Raises:
            errors.WrongUse: There is no such remote.
        """
        self._check_remote(remote)
        configured = self._repository.remotes[remote]
        return configured.push_url or configured.url or ""

    def head(self, remote: str, branch: str) -> str:
        """The commit that a remote's branch was at when it was last fetched, as a full id.

        Raises:
            errors.WrongUse: There is no such remote or branch here.
        """
        self._check_remote(remote)
        check_branch(branch)
        with clones.readable(self.root):
            reference = self._repository.references.get(f"refs/remotes/{remote}/{branch}")
            if reference is None:
                raise errors.WrongUse("repository.no-branch", remote=remote, branch=branch)
            return str(reference.peel().id)

    def default(self, remote: str) -> str:
        """The commit that a remote's default branch was at when it was last fetched, as a full id.

        Raises:
            errors.WrongUse: There is no such remote here, or the clone does not know its default branch.
        """
        self._check_remote(remote)
        with clones.readable(self.root):
            reference = self._repository.references.get(f"refs/remotes/{remote}/HEAD")
            if reference is None:
                raise errors.WrongUse("repository.no-branch", remote=remote, branch="HEAD")
            try:
                return str(reference.peel().id)
            except KeyError as error:  # it names a branch that is not there any more
                raise errors.WrongUse(
                    "repository.no-branch", remote=remote, branch="HEAD"
                ) from error

    def current(self) -> str:
        """The commit that is checked out, as a full id.

        Raises:
            errors.WrongUse: There is no commit yet.
        """
        with clones.readable(self.root):
            if self._repository.head_is_unborn:
                raise errors.WrongUse("repository.no-commit", folder=str(self.root))
            return str(self._repository.head.peel().id)

    def revision(self, commit: str) -> revisions.Revision:
        """The files of a commit.

        Args:
            commit: A full or short id, or any other name that git has for it.

        Raises:
            errors.WrongUse: There is no such commit here.
        """
        return revisions.Revision(self._repository, commit)

    def tracks(self, path: Path) -> bool:
        """Whether git has a file, or is about to: whoever pushes decides what is in it then.

        Args:
            path: The file, with links followed.
        """
        if not path.is_relative_to(self.root):
            return False
        name = path.relative_to(self.root).as_posix()
        with clones.readable(self.root):
            if name in self._repository.index:
                return True
            return not self._repository.head_is_unborn and name in self._repository.head.peel().tree

    def pushed(self, remote: str) -> tuple[str, ...]:
        """The commits of a remote's branches that the checked out commit begins from: itself, where they have it.

        Args:
            remote: The name of a configured remote; its branches are those that were last fetched.

        Returns:
            Full ids; several where a merge was not pushed, none where its history has nothing of the remote's.

        Raises:
            errors.WrongUse: There is no commit yet.
        """
        import pygit2

        prefix = f"refs/remotes/{remote}/"
        current = self.current()
        with clones.readable(self.root):
            # The walk ends at what the remote has, so it sees only the commits that were not pushed.
            walker = self._repository.walk(current, pygit2.enums.SortMode.NONE)
            for name in self._repository.references:
                if name.startswith(prefix):
                    walker.hide(self._repository.references[name].peel(pygit2.Commit).id)
            parents_of = {str(commit.id): list(map(str, commit.parent_ids)) for commit in walker}
        if not parents_of:
            return (current,)
        parents = dict.fromkeys(parent for ids in parents_of.values() for parent in ids)
        return tuple(parent for parent in parents if parent not in parents_of)

    @property
    def is_shallow(self) -> bool:
        """Whether the clone lacks the older part of its history, as after ``git clone --depth``."""
        return bool(self._repository.is_shallow)

    def is_ancestor(self, ancestor: str, commit: str) -> bool:
        """Whether a commit is an earlier one of another's history; False where this clone cannot tell.

        Args:
            ancestor: Full id of the earlier commit.
            commit: Full id of the later one.
        """
        import pygit2

        try:
            return bool(self._repository.descendant_of(commit, ancestor))
        except (KeyError, ValueError, pygit2.GitError):
            return False

    def between(self, commit: str, since: str, folder: str) -> tuple[Written, ...]:
        """The commits that change a folder and that a commit has and an earlier one has not; merges are left out.

        Args:
            commit: Full id of the later commit.
            since: Full id of the earlier one; empty for the later one alone.
            folder: The folder, relative to the root.

        Returns:
            None of them where this clone cannot tell: it lacks a commit, or there are too many.
        """
        import pygit2

        commits: list[Written] = []
        try:
            with clones.readable(self.root):
                if not since:
                    return (_written(self._repository.revparse_single(commit).peel(pygit2.Commit)),)
                walker = self._repository.walk(commit, pygit2.enums.SortMode.NONE)
                walker.hide(since)
                for number, written in enumerate(walker):
                    if number == _MOST_COMMITS:
                        return ()
                    if len(written.parent_ids) <= 1 and _changes(written, folder):
                        commits.append(_written(written))
        # A commit's time is whatever its author has written, also one that no clock here can show.
        except (errors.WrongUse, OverflowError):
            return ()
        return tuple(commits)

    def _check_remote(self, remote: str) -> None:
        names = list(self._repository.remotes.names())
        if not names:
            raise errors.WrongUse("repository.no-remotes", remote=remote)
        if not _REMOTE.fullmatch(remote) or remote not in names:
            raise errors.WrongUse(
                "repository.no-remote", remote=remote, known=", ".join(map(str, names))
            )

    def _url(self, remote: str) -> str:
        return masking.Redactor()(self._repository.remotes[remote].url or "")

    def _environment(self) -> dict[str, str]:
        own = {name: value for name, value in os.environ.items() if name not in clones.LEADING}
        environment = {**own, **locales.ENGLISH}  # git's words are looked at
        if not _terminal():
            environment["GIT_TERMINAL_PROMPT"] = "0"
            overrides = {"GIT_SSH", "GIT_SSH_COMMAND"} & environment.keys()
            if not overrides and "core.sshcommand" not in self._repository.config:
                environment["GIT_SSH_COMMAND"] = "ssh -o BatchMode=yes"
        return environment

    def _refuse(self, remote: str, message: str) -> None:
        if missing := _MISSING_BRANCH.search(message):
            raise errors.WrongUse("repository.no-branch", remote=remote, branch=missing[1])
        kind = errors.Forbidden if _NOT_ALLOWED.search(message) else errors.Unreachable
        raise kind("repository.not-fetched", remote=remote, url=self._url(remote), reason=message)


def _written(commit: pygit2.Commit) -> Written:
    subject = commit.raw_message.partition(b"\n")[0].decode("utf-8", "replace")
    author = (commit.author.raw_name or b"").decode("utf-8", "replace")
    moment = datetime.fromtimestamp(commit.author.time, UTC)
    return Written(str(commit.id), author, moment, subject)


def _changes(commit: pygit2.Commit, folder: str) -> bool:
    """Whether a commit makes a folder another one than its parent has."""
    parents = commit.parents
    return _content(commit, folder) != (_content(parents[0], folder) if parents else "")


def _content(commit: pygit2.Commit, folder: str) -> str:
    """The id of a folder's content; empty where there is none."""
    if folder in {"", "."}:
        return str(commit.tree.id)
    return str(commit.tree[folder].id) if folder in commit.tree else ""


def check_branch(branch: str) -> None:
    """Refuse what git does not take for a branch's name, or could take for something else.

    Raises:
        errors.WrongUse: It is not one; the rules are those of ``git check-ref-format --branch``.
    """
    import pygit2

    if branch.startswith("-") or not pygit2.reference_is_valid_name(f"refs/heads/{branch}"):
        raise errors.WrongUse("repository.not-a-branch", branch=branch)


def _terminal() -> bool:
    """Whether somebody is there to answer what git asks."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def _run(words: list[str], environment: dict[str, str], timeout: float) -> tuple[int, str]:
    """Run git; its exit code, and what it said, masked and short."""
    terminal = _terminal()
    if shutil.which(words[0]) is None:
        raise errors.Lacking("repository.no-git")
    with errors.starting(words[0]):
        process = subprocess.Popen(
            words,
            # git and ssh ask on the terminal itself, not on standard input.
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environment,
            # With a terminal git must stay in its foreground group to ask; without one it gets a group of its own,
            # so that ssh and the credential helpers end with it.
            start_new_session=not terminal,
        )
    with process:
        try:
            output = process.communicate(timeout=timeout)[1]
        # On Ctrl-C as well: without a terminal git is in a group of its own, which the terminal's
        # signal does not reach.
        except BaseException:
            _end(process, group=not terminal)
            raise
    text = masking.Redactor()(_CONTROL.sub("", output.decode("utf-8", "replace"))).strip()
    return process.returncode, text[-_LONGEST_MESSAGE:]


def _end(process: subprocess.Popen[bytes], *, group: bool) -> None:
    """End git and what it started, kindly first: then it removes its lock files."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            if group:
                os.killpg(process.pid, number)
            else:
                process.send_signal(number)
            process.wait(5)
        except subprocess.TimeoutExpired:
            continue
        except ProcessLookupError:
            pass
        return
