"""``hanbae check --history``: the plaintext secrets that former commits of a branch hold."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from msgspec import Struct

from hanbae.checking import findings_of_rules
from hanbae.policy import loading
from hanbae.repository import histories
from hanbae.results import findings
from hanbae.rules import rulebook
from hanbae.rules.layout import plaintexts, secrets

_SHORT: Final = 12


class Result(Struct, frozen=True):
    """What the history holds.

    Attributes:
        findings: By file and line; secrets that the last commit still has are left out, for the check of the files
            tells of them.
        commits: How many commits were looked at.
        shallow: Whether the clone does not hold all of them, so that there may be more.
    """

    findings: tuple[findings.Finding, ...]
    commits: int
    shallow: bool


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
    former: list[tuple[secrets.Exposed, str, frozenset[str]]] = []
    lines_of: dict[str, set[str]] = {}
    for added in history.added(_wanted):
        # What a file has shown before is the same secret, whatever else a commit changed. The oldest
        # commit comes first, so the one that brought the secret is told.
        before = lines_of.setdefault(added.path, set())
        for exposed, lines in _exposed(added.path, added.data):
            if not lines <= before:
                before |= lines
                former.append((exposed, added.commit, lines))
    shown = {
        path: _shown(history, path) for path in {exposed.place.file for exposed, _, _ in former}
    }
    hits = [
        rulebook.Hit(
            exposed.place, {"name": exposed.name, "commit": commit[:_SHORT]}, exposed.variant
        )
        for exposed, commit, lines in former
        if not lines <= shown[exposed.place.file]
    ]
    stated = sorted(
        (findings_of_rules.elsewhere(secrets.FORMER, hit) for hit in hits),
        key=lambda finding: finding.place,
    )
    return Result(tuple(stated), history.commits, history.shallow)


def _wanted(path: str) -> bool:
    return plaintexts.looked_at(path) or plaintexts.is_keystore(path)


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        # Keystores are binary, and known by their names alone. In other files that are no text
        # nothing is looked for.
        return ""


def _exposed(path: str, data: bytes) -> Iterator[tuple[secrets.Exposed, frozenset[str]]]:
    """The secrets in a content of a file, each with the lines that it takes; of a keystore with its digest."""
    text = _text(data)
    lines = text.split("\n")
    for exposed in secrets.in_file(path, text):
        whole = lines[exposed.place.line - 1 : exposed.last] if exposed.last else [_digest(data)]
        yield exposed, frozenset(line.strip() for line in whole)


def _shown(history: histories.History, path: str) -> frozenset[str]:
    """The lines of all secrets that the last commit's file still has."""
    data = history.now(path)
    if data is None:
        return frozenset()
    return frozenset[str]().union(*(lines for _, lines in _exposed(path, data)))


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
