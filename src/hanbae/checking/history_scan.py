"""``hanbae check --history``: the plaintext secrets that former commits of a branch hold."""

from __future__ import annotations

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
    secrets_by_line: dict[tuple[str, str, str], tuple[secrets.Exposed, str]] = {}
    for added in history.added(_wanted):
        text = _text(added.data)
        lines = text.splitlines()
        for exposed in secrets.in_file(added.path, text):
            # The same line of the same file is the same secret, whatever else a commit changed. The
            # oldest commit comes first, so the one that brought the secret is told.
            line = lines[exposed.place.line - 1].strip() if exposed.place.line else ""
            secrets_by_line.setdefault((added.path, exposed.variant, line), (exposed, added.commit))
    hits = [
        rulebook.Hit(
            exposed.place, {"name": exposed.name, "commit": commit[:_SHORT]}, exposed.variant
        )
        for (path, _, line), (exposed, commit) in secrets_by_line.items()
        if not _holds(history, path, line)
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


def _holds(history: histories.History, path: str, line: str) -> bool:
    """Whether the last commit still has the line, or the file where a line says nothing."""
    data = history.now(path)
    return data is not None and line.encode() in data
