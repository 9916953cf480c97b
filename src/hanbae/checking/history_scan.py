"""``hanbae check --history``: the plaintext secrets that former commits of a branch hold.

A history may be of any size, and a hostile one is larger than its clone: what is kept of it has bounds, and what is
left out is told.
"""

from __future__ import annotations

import hashlib
from collections.abc import Hashable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

from msgspec import Struct

from hanbae.checking import findings_of_rules, searches
from hanbae.policy import loading
from hanbae.repository import encodings, histories
from hanbae.results import findings
from hanbae.rules import rulebook
from hanbae.rules.layout import file_kinds, plaintexts, secrets

_SHORT: Final = 12
_MOST_LINES: Final = 250_000
"""Lines of secrets that are kept, by their digests."""
_MOST_UNSEARCHED: Final = 100
"""Files that are listed as left out."""


class Result(Struct, frozen=True):
    """What the history holds.

    Attributes:
        findings: By file and line; secrets that the last commit still has are left out, for the check of the files
            tells of them.
        searched: How far it was searched.
    """

    findings: tuple[findings.Finding, ...]
    searched: searches.Searched


def check_history(directory: Path, *, revision: str = "HEAD", since: str | None = None) -> Result:
    """Search each content that any file ever had on a branch.

    Args:
        directory: The folder of the policy, or one below it.
        revision: The branch, or any other name of its last commit.
        since: A commit before the first one, such as the last one that was checked; None for all of them.

    Raises:
        hanbae.errors.WrongUse: No policy, no clone, or no such revision.
    """
    root = loading.find(directory).parent
    history = histories.History(root, revision, since=since)
    search, ended, commits = _Search(), "", 0
    whole = latest = ""
    for added in history.added(_kind):
        begins = added.commit != latest
        if search.is_full:
            # Who goes on behind a commit sees nothing of it any more: not one of which files are left, unless it alone
            # is too much.
            ended = latest if begins else whole or latest
            break
        if begins:
            whole, latest = latest, added.commit
        commits = history.commits
        search.look(added)
    present_lines = {
        path: _shown(history, path)
        for path in {exposed.place.file for exposed, _, _ in search.former}
    }
    hits = [
        rulebook.Hit(
            exposed.place, {"name": exposed.name, "commit": commit[:_SHORT]}, exposed.variant
        )
        for exposed, commit, lines in search.former
        if not lines <= present_lines[exposed.place.file]
    ]
    stated = sorted(
        (findings_of_rules.elsewhere(secrets.FORMER, hit) for hit in hits),
        key=lambda finding: finding.place,
    )
    searched = searches.Searched(
        commits if ended else history.commits,
        history.shallow,
        revision,
        tuple(search.unsearched.values()),
        search.others,
        ended[:_SHORT],
    )
    return Result(tuple(stated), searched)


_Lines = frozenset[bytes]


class _Search:
    """What the contents show that were looked at, and which could not be.

    Attributes:
        former: Each secret with the commit that brought it and the digests of its lines.
        unsearched: What was left out, by file and reason.
        others: How many contents were left out beyond those.
    """

    def __init__(self) -> None:
        self.former: list[tuple[secrets.Exposed, str, _Lines]] = []
        self.unsearched: dict[tuple[str, str], searches.Unsearched] = {}
        self.others = 0
        self._before: dict[str, set[bytes]] = {}
        self._left = _MOST_LINES

    @property
    def is_full(self) -> bool:
        """Whether no more is kept."""
        return self._left <= 0

    def look(self, added: histories.Added) -> None:
        """Look at a content; the oldest comes first, so the commit that brought a secret is told."""
        text = "" if added.data is None else _text(added.path, added.data)
        if added.data is None or text is None:
            self._leave_out(added)
            return
        for exposed, lines in _exposed(added.path, text, added.data):
            # What a file has shown before is the same secret, whatever else a commit changed.
            before = self._before.setdefault(added.path, set())
            if not lines <= before:
                before |= lines
                self._left -= len(lines)
                self.former.append((exposed, added.commit, lines))

    def _leave_out(self, added: histories.Added) -> None:
        reason: Literal["large", "no-text"] = "large" if added.data is None else "no-text"
        key = added.path, reason
        if key not in self.unsearched and len(self.unsearched) >= _MOST_UNSEARCHED:
            self.others += 1
            return
        unsearched = searches.Unsearched(added.path, added.commit[:_SHORT], reason)
        self.unsearched.setdefault(key, unsearched)


@lru_cache(maxsize=65_536)  # a history names the same files again and again
def _kind(path: str) -> Hashable | None:
    """What a content means in a file of this name: the same elsewhere may be looked at otherwise."""
    if plaintexts.is_keystore(path):
        return "keystore"
    if not plaintexts.looked_at(path):
        return None
    return file_kinds.of(path), path.endswith((".yaml", ".yml"))


def _text(path: str, data: bytes) -> str | None:
    """The text of a file; None where it is none. Keystores are binary, and known by their names alone."""
    return "" if plaintexts.is_keystore(path) else encodings.legible(data)


def _exposed(path: str, text: str, data: bytes) -> Iterator[tuple[secrets.Exposed, _Lines]]:
    """The secrets in a content of a file, each with digests of its lines; of a keystore with that of the whole."""
    lines = text.split("\n")
    for exposed in secrets.in_file(path, text):
        whole = lines[exposed.place.line - 1 : exposed.last] if exposed.last else []
        digests = [_digest(line.strip().encode()) for line in whole] or [_digest(data)]
        yield exposed, frozenset(digests)


def _shown(history: histories.History, path: str) -> _Lines:
    """The lines of all secrets that the last commit's file still has."""
    data = history.now(path)
    text = None if data is None else _text(path, data)
    if data is None or text is None:
        return frozenset()
    return _Lines().union(*(lines for _, lines in _exposed(path, text, data)))


def _digest(data: bytes) -> bytes:
    # Lines may be as long as a file, and as many as commits.
    return hashlib.blake2b(data, digest_size=16).digest()
