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
            that it should be written or deleted, and nothing was touched because only a check was asked for.
        diff: From the file as it is, or was, to what hanbae writes, in unified form; empty where there was none.
        reasons: What in a file that was left alone contradicts the policy; empty where nothing does.
    """

    path: str
    outcome: Literal["created", "changed", "unchanged", "deleted", "kept", "stale"]
    diff: str = ""
    reasons: tuple[wording.Text, ...] = ()
