"""The cases: small repositories with a fault that people have had, and beside each the one without it.

A case is ``tests/cases/NAME.yaml``: a base (folders of ``tests/cases/bases``), changes to it, what ``hanbae check``
must find of the fault and what it must not find of the right side. Each stands for a kind of fault, not for itself.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final, Literal

import msgspec
from msgspec import Struct
from tests.support import trees

from hanbae import libyaml
from hanbae.rules import casebook

Side = Literal["fault", "right"]

FOLDER: Final = Path(__file__).parents[1] / "cases"
_PENDING: Final = FOLDER / "PENDING.yaml"
_BASES: Final = {
    "own": ("policy", "own"),
    "min": ("policy", "own", "min"),
    "foreign": ("policy", "foreign"),
}


class Half(Struct, frozen=True, forbid_unknown_fields=True):
    """One side of a case.

    Attributes:
        renamed: Name of a service → the name that it has instead, in paths and in files.
        earlier: Changes that earlier commits made, each after the one before; for plans and for branches.
        changes: Changes to the base, after those of both sides and of earlier commits.
        branches: Environment → how many of the earlier commits its branch has.
        findings: What is found, as ``CODE file:line``; ``*`` stands for anything, ``:+`` for any line that is known,
            and without a colon none is known.
        absent: Codes, ``*`` for any rest, of which nothing is found beyond `findings` and what the base has anyway.
    """

    changes: tuple[casebook.Change, ...] = ()
    renamed: dict[str, str] = {}
    earlier: tuple[tuple[casebook.Change, ...], ...] = ()
    branches: dict[str, int] = {}
    findings: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()


class Case(Struct, frozen=True, forbid_unknown_fields=True):
    """A case.

    Attributes:
        title: What it is.
        base: The repository that it changes: ``own`` (scaffolded, sealed), ``min`` (scaffolded, nothing sealed) or
            ``foreign`` (a chart of a team's own).
        fault: The side with the fault; with a false alarm, where nothing is wrong at all.
        right: Its counterpart; None where there is none.
        changes: Changes of both sides.
    """

    title: str
    base: str
    fault: Half
    right: Half | None = None
    changes: tuple[casebook.Change, ...] = ()

    def half(self, side: Side) -> Half:
        """One side.

        Args:
            side: Which one.

        Raises:
            LookupError: The case has no such side.
        """
        half = self.fault if side == "fault" else self.right
        if half is None:
            raise LookupError(side)
        return half

    @property
    def sides(self) -> tuple[Side, ...]:
        """The sides that there are."""
        return ("fault",) if self.right is None else ("fault", "right")

    def absent(self, side: Side) -> tuple[str, ...]:
        """Patterns of findings that a side has not, unless the base has them anyway or the side names them itself.

        Of the right side that is what the fault yields: its codes anywhere, or in the same file where a case leaves
        the code open.

        Args:
            side: Which one.
        """
        patterns = [f"{code} *" for code in self.half(side).absent]
        for finding in self.fault.findings if side == "right" else ():
            code, _, place = finding.partition(" ")
            patterns.append(f"{code} {place.partition(':')[0]}*" if "*" in code else f"{code} *")
        return tuple(patterns)


def names() -> tuple[str, ...]:
    """The names of all cases."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.yaml") if path != _PENDING))


@cache
def pending() -> dict[str, str]:
    """What does not come true yet: a case's name and side → why."""
    return msgspec.convert(libyaml.load(_PENDING.read_bytes()) or {}, dict[str, str])


@cache
def case(name: str) -> Case:
    """A case.

    Args:
        name: Its name.
    """
    return msgspec.convert(libyaml.load((FOLDER / f"{name}.yaml").read_bytes()), Case)


@cache
def base(name: str) -> trees.MemoryTree:
    """A repository that cases change.

    Args:
        name: Its name in a case.
    """
    return trees.MemoryTree.of(*(FOLDER / "bases" / folder for folder in _BASES[name]))


def commits(name: str, side: Side) -> tuple[trees.MemoryTree, ...]:
    """A side's repository after each commit; the last one is what is checked.

    Args:
        name: The case's name.
        side: Which side.
    """
    opened = case(name)
    half = opened.half(side)
    tree = base(opened.base)
    for before, after in half.renamed.items():
        tree = _renamed(tree, before, after)
    states = [tree.changed(opened.changes)]
    for changes in (*half.earlier, half.changes):
        states.append(states[-1].changed(changes))
    return tuple(states)


def _renamed(tree: trees.MemoryTree, before: str, after: str) -> trees.MemoryTree:
    start, moved = f"services/{before}/", f"services/{after}/"
    contents = {
        moved + path.removeprefix(start): data.replace(before.encode(), after.encode())
        for path, data in tree.contents.items()
        if path.startswith(start)
    }
    others = {path: data for path, data in tree.contents.items() if not path.startswith(start)}
    return trees.MemoryTree({**others, **contents})
