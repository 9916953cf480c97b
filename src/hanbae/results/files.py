"""What became of files that hanbae writes into a repository."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from hanbae import wording


class FileChange(Struct, frozen=True):
    """One file.

    Attributes:
        path: Relative to the repository, with ``/``.
        outcome: ``kept`` means that the file differs from what hanbae would write and was left alone; ``stale`` means
            that it should be written or deleted, and nothing was touched because only a check was asked for;
            ``conflicting`` that its edits and what hanbae would write contradict each other.
        diff: From the file as it is, or was, to what hanbae writes, in unified form; empty where there was none.
        reasons: Why a file was left alone, such as what in it contradicts the policy; empty where nothing needs saying.
    """

    path: str
    outcome: Literal["created", "changed", "unchanged", "deleted", "kept", "stale", "conflicting"]
    diff: str = ""
    reasons: tuple[wording.Text, ...] = ()


class Upgrade(Struct, frozen=True):
    """What became of a service's scaffolded files when newer templates, or a newer policy, were brought into them.

    Attributes:
        service: The service.
        outcome: ``current``: there was nothing to bring. ``upgraded``: it was brought in. ``behind``: it would be, and
            nothing was touched because only that was asked. ``conflicting``: edits contradict it; nothing of the
            service was touched. ``marked``: they do, and both versions are in the files, between git's markers.
        files: What became of each file that is not as before, or could not be brought up to date; none where there was
            nothing to bring.
    """

    service: str
    outcome: Literal["current", "upgraded", "behind", "conflicting", "marked"]
    files: tuple[FileChange, ...] = ()


class Upgrades(Struct, frozen=True):
    """What became of each service."""

    services: tuple[Upgrade, ...]
