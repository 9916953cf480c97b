"""A rule's examples: what it objects to, and what it wants instead, as changes to the files of ``examples/shop``.

They are shown by ``hanbae check --explain`` and in the reference, and they are the rule's tests: the failing one must
yield just this finding at just this place, the passing one none at all.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Final, Literal

import msgspec
from msgspec import Struct

from hanbae import libyaml

Where = Literal["files", "history", "cluster", "branch"]

_FOLDER: Final = "examples"


class Change(Struct, frozen=True, forbid_unknown_fields=True):
    """A change to one file; exactly one of the others is given.

    Attributes:
        file: The file, relative to the repository's root.
        text: What the whole file holds instead.
        append: What is added at its end.
        replace: Text → what stands in its place; each text is there exactly once.
        remove: The file is gone.
        link: The file is a symbolic link that points there.
        size: It holds so many characters that mean nothing.
    """

    file: str
    text: str | None = None
    append: str | None = None
    replace: dict[str, str] | None = None
    remove: bool = False
    link: str | None = None
    size: int | None = None


class Case(Struct, frozen=True, forbid_unknown_fields=True):
    """The examples of a rule.

    Attributes:
        fails: What the rule objects to.
        passes: What it does not object to, as near to `fails` as can be.
        at: The places at which the failing example is found, ``file:line`` or ``file``, in order.
        also: Codes of rules that the same change breaks as well, where that cannot be avoided.
        fixed: Whether ``--fix`` turns the failing example into one without findings.
        branches: Environment → what its branch has otherwise, as changes to the same shop; for rules that compare
            branches.
        where: Where the examples are: among the files, in a former commit that a later one has taken back, in Argo CD's
            cluster, or in a branch that is checked by another commit's policy.
    """

    fails: tuple[Change, ...]
    at: tuple[str, ...]
    passes: tuple[Change, ...] = ()
    also: tuple[str, ...] = ()
    fixed: bool = False
    branches: dict[str, tuple[Change, ...]] = {}
    where: Where = "files"


@cache
def case(code: str) -> Case:
    """The examples of a rule.

    Args:
        code: The rule's code.
    """
    text = resources.files("hanbae.rules").joinpath(_FOLDER, f"{code}.yaml").read_text("utf-8")
    return msgspec.convert(libyaml.load(text), Case)


def changed(text: str | None, change: Change) -> str | None:
    """What a change makes of a file's text; None for a file that is gone.

    Raises:
        ValueError: A text to replace is not there exactly once.
    """
    if change.remove:
        return None
    if change.size is not None:
        return "-" * change.size
    if change.text is not None:
        return change.text
    if change.append is not None:
        return (text or "") + change.append
    result = text or ""
    for before, after in (change.replace or {}).items():
        if result.count(before) != 1:
            message = f"{change.file}: {before!r} is there {result.count(before)} times"
            raise ValueError(message)
        result = result.replace(before, after)
    return result
