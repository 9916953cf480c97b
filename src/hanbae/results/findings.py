"""What a check says: findings, each at a place that a person can go to, and the edits that mend some of them."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from hanbae import subjects, wording

Severity = Literal["error", "warning", "notice"]
Precision = Literal["exact", "template", "file"]


class Edit(Struct, frozen=True):
    """A change to a file that mends a finding, made only where the file still is what the rule saw.

    Attributes:
        file: The file, relative to the repository's root.
        line: The line to change, counted from 1; 0 adds `after` at the end of the file, which is made if need be.
        before: The part of the line that is replaced; empty when lines are added.
        after: What takes its place; empty for a `before` that is a whole line removes the line.
    """

    file: str
    line: int
    before: str
    after: str


class Finding(Struct, frozen=True, omit_defaults=True):
    """One result of a check.

    Attributes:
        code: The rule's code, such as ``ARG001``.
        severity: ``error``, ``warning`` or ``notice``.
        place: Where a person mends it.
        text: What is wrong, with the facts.
        precision: ``exact`` when `place` is the line that a person edits; ``template`` when a template makes the
            value and only the template, or a line of it, is known; ``file`` when no line is known.
        service: The service; empty for a finding about the whole repository.
        environments: The environments in which it was found; empty when it depends on none.
        object: The rendered object, where there is one.
        fix: What to do about it.
        edits: What ``--fix`` would change; empty where the rule is not sure.
    """

    code: str
    severity: Severity
    place: subjects.Place
    text: wording.Text
    precision: Precision = "exact"
    service: str = ""
    environments: tuple[str, ...] = ()
    object: subjects.Ref | None = None
    fix: wording.Text | None = None
    edits: tuple[Edit, ...] = ()


class Accepted(Struct, frozen=True, omit_defaults=True):
    """A finding that somebody said is meant or does not matter here, or that was there before anybody checked.

    Attributes:
        finding: The finding.
        by: ``ignore`` for a comment beside it, ``baseline`` for the baseline file, ``policy`` for its ``rules:``.
        reason: What the comment or the policy says.
        place: Where that stands.
    """

    finding: Finding
    by: Literal["ignore", "baseline", "policy"]
    reason: str = ""
    place: subjects.Place | None = None
