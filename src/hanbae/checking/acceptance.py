"""Which findings somebody has accepted: by a comment beside them, or by the baseline; and which of these are no use."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import msgspec
from msgspec import Struct

from hanbae import subjects
from hanbae.results import findings
from hanbae.rules import ignores, rulebook

OWN = ("INP001", "INP002", "INP003", "INP004", "INP005")
"""Codes of what the runner itself finds; only the first can be accepted."""


Acceptances = tuple[findings.Accepted, ...]
"""A name for the type, because the classes below have a field that is called as the module is."""


class Settled(Struct, frozen=True):
    """What is left, and what was accepted.

    Attributes:
        findings: What is left.
        accepted: What was accepted.
    """

    findings: tuple[findings.Finding, ...]
    accepted: Acceptances


def ignored(
    collected: Iterable[findings.Finding],
    comments: Sequence[ignores.Ignore],
    *,
    codes: Collection[str],
    allowed: Collection[ignores.Ignore] | None = None,
    unsure: Collection[ignores.Ignore] = (),
    unsought: Collection[str] = (),
) -> Settled:
    """Take out what comments accept, and find fault with comments that are no use.

    Args:
        collected: The findings.
        comments: The comments.
        codes: The codes that there are.
        allowed: Those that count; None for all of them.
        unsure: Those that may accept something that was not looked for.
        unsought: Codes that were not looked for, or not everywhere.
    """
    counting = [comment for comment in comments if allowed is None or comment in allowed]
    by_line: dict[tuple[str, int], list[ignores.Ignore]] = {}
    for comment in counting:
        if comment.complete:
            by_line.setdefault((comment.place.file, comment.line), []).append(comment)
            # A finding that has no line stands in line 0: only a comment in the file's head can
            # speak of it.
            if comment.whole:
                by_line.setdefault((comment.place.file, 0), []).append(comment)
    open_findings, accepted = [], []
    used: set[tuple[subjects.Place, str]] = set()
    for finding in collected:
        line_comments = by_line.get((finding.place.file, finding.place.line), ())
        by = next((comment for comment in line_comments if finding.code in comment.codes), None)
        if by is None or finding.code in OWN[1:]:
            open_findings.append(finding)
        else:
            used.add((by.place, finding.code))
            accepted.append(findings.Accepted(finding, "ignore", by.reason, by.place))
    # Those that do not count are looked at as well: they are told to be without effect.
    for comment in comments:
        needless = {code for code in comment.codes if (comment.place, code) not in used}
        needless = set() if comment in unsure else needless.difference(unsought)
        open_findings += _faults(comment, needless, codes, counts=comment in counting)
    return Settled(tuple(open_findings), tuple(accepted))


def _faults(
    comment: ignores.Ignore,
    needless: Collection[str],
    codes: Collection[str],
    *,
    counts: bool,
) -> Iterable[findings.Finding]:
    if not comment.complete:
        yield own("INP002", comment.place, "no-reason" if comment.codes else "no-code")
        return
    for code in comment.codes:
        if code not in codes:
            yield own("INP003", comment.place, near=nearest(code, codes), code=code)
        elif not counts:
            yield own("INP004", comment.place, "not-in-base", code=code)
        elif code in needless:
            yield own("INP004", comment.place, code=code)


def nearest(code: str, codes: Collection[str]) -> str:
    """The code that was meant, most likely."""
    import difflib

    # With a cutoff of 0 there always is a nearest one, however far it is.
    return difflib.get_close_matches(code, codes, 1, 0)[0]


def own(code: str, place: subjects.Place, variant: str = "", /, **facts: str) -> findings.Finding:
    """A finding of the runner's own.

    Args:
        code: Its code.
        place: Its place.
        variant: Which of its sentences; empty for its only one.
        facts: What goes into the sentence.
    """
    rule = rulebook.rules()[code]
    part = f"found-{variant}" if variant else "found"
    precision: findings.Precision = "exact" if place.line else "file"
    text, fix = rule.text(part, facts), rule.text("fix", facts)
    return findings.Finding(code, rule.severity, place, text, precision, fix=fix)


def in_base(
    comments: Iterable[ignores.Ignore], base: Iterable[ignores.Ignore]
) -> tuple[ignores.Ignore, ...]:
    """The comments that the base has as well, for the same codes of the same line of the same file.

    A branch could move an old comment to a new line, so what stands in the line counts and not its number.
    """
    lines = {
        (comment.place.file, code, comment.content) for comment in base for code in comment.codes
    }
    return tuple(
        comment
        for comment in comments
        if all((comment.place.file, code, comment.content) in lines for code in comment.codes)
    )


def narrowed(settled: Settled, environment: str) -> Settled:
    """Only what concerns one environment."""

    def keep(finding: findings.Finding) -> bool:
        return not finding.environments or environment in finding.environments

    def cut(finding: findings.Finding) -> findings.Finding:
        only = (environment,) if finding.environments else ()
        return msgspec.structs.replace(finding, environments=only)

    return Settled(
        tuple(cut(item) for item in settled.findings if keep(item)),
        tuple(
            msgspec.structs.replace(item, finding=cut(item.finding))
            for item in settled.accepted
            if keep(item.finding)
        ),
    )
