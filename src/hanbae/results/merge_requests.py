"""Merge requests as every forge has them, whatever it calls them."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class MergeRequest(Struct, frozen=True):
    """A merge request.

    Attributes:
        number: Its number in the repository.
        url: Its page.
        source: The branch that is merged.
        target: The branch that it is merged into.
        head: Full id of the newest commit of the source.
        author: Who opened it, by their name in the forge.
        merged: Full id of the commit by which it is in the target; empty where it is not.
    """

    number: int
    url: str
    source: str
    target: str
    head: str
    author: str
    merged: str = ""


class Approval(Struct, frozen=True):
    """That somebody who may write to the repository approves a merge request.

    Attributes:
        by: Who, by their name in the forge.
        commit: Full id of the head that they have approved.
    """

    by: str
    commit: str


class Status(Struct, frozen=True):
    """What is said of a commit.

    Attributes:
        name: What was looked at: ``hanbae/gates``.
        state: How that ended.
        text: One sentence.
    """

    name: str
    state: Literal["success", "failure"]
    text: str
