"""What is said about a check beside its findings: how many there are, what was accepted, what has not been begun."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from hanbae import wording
from hanbae.cli import reports
from hanbae.cli.text import catalogue, escaping, narration
from hanbae.repository import histories

if TYPE_CHECKING:
    from hanbae.actions import fix
    from hanbae.checking import searches
    from hanbae.results import findings

_MOST_NAMES: Final = 5
_LONG: Final = 1.0
"""Seconds after which a check tells how far it is."""
_AGAIN: Final = 0.1


class Progress:
    """How far a check is, on a terminal and only when it takes long; gone when it ends.

    Args:
        speaker: Speaks to the person.
    """

    def __init__(self, speaker: narration.Narration) -> None:
        self._stream = speaker.stream if speaker.terminal else None
        self._next = time.monotonic() + _LONG
        self._shown = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._stream is not None and self._shown:
            # To the beginning of the line, then erase to its end.
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def tell(self, count: int, total: int) -> None:
        """Tell how many services have been looked at."""
        if self._stream is None or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _AGAIN
        self._shown = True
        text = wording.Text("check.progress", {"done": str(count), "total": str(total)})
        self._stream.write(f"\r\x1b[K{catalogue.sentence(text)}")
        self._stream.flush()


def summary(report: reports.Report) -> wording.Text:
    """What was checked, and how much was found."""
    result = report.result
    facts = {
        "services": str(len(result.services)),
        "environments": escaping.plain(", ".join(result.environments)) or "-",
        "rules": str(result.rules),
    }
    if not result.findings:
        return wording.Text("check.clean", facts)
    facts |= {f"{severity}s": str(report.count(severity)) for severity in reports.SEVERITIES}
    return wording.Text("check.found", facts)


def tell(speaker: narration.Narration, report: reports.Report, *, by_rule: bool = False) -> None:
    """Say it to the person.

    Args:
        speaker: Speaks to the person.
        report: The report.
        by_rule: Whether the findings were shown by rule instead of one by one.
    """
    result = report.result
    if report.failed:
        speaker.fail(summary(report))
    elif result.findings:
        speaker.warn(summary(report))
    else:
        speaker.succeed(summary(report))
    if result.is_policy_new:
        speaker.note(wording.Text("check.policy-new"))
    if result.elsewhere:
        facts = {"paths": escaping.plain(", ".join(result.elsewhere[:_MOST_NAMES]))}
        speaker.warn(wording.Text("check.no-services", facts))
    _tell_unasked(speaker, result.unasked)
    if by_rule:
        speaker.note(wording.Text("check.overview"))
    _tell_accepted(speaker, result.accepted)
    if result.searched is not None:
        _tell_searched(speaker, result.searched)
    if result.unprepared:
        speaker.note(_unprepared(report))


def _tell_unasked(speaker: narration.Narration, unasked: Mapping[str, wording.Text]) -> None:
    if unasked:
        names = ", ".join(unasked)
        speaker.warn(wording.Text("check.unasked", {"environments": escaping.plain(names)}))
    for reason in {str(reason): reason for reason in unasked.values()}.values():
        speaker.note(reason)


def _tell_searched(speaker: narration.Narration, searched: searches.Searched) -> None:
    facts = {"commits": str(searched.commits), "revision": escaping.plain(searched.revision)}
    speaker.note(wording.Text("check.searched", facts))
    if searched.shallow:
        speaker.warn(wording.Text("check.searched-shallow"))
    if searched.unsearched:
        files = [f"{content.file} ({content.commit})" for content in searched.unsearched]
        remaining = len(files[_MOST_NAMES:]) + searched.others
        more = [f"… (+{remaining})"] if remaining else []
        facts = {
            "limit": str(histories.LARGEST_FILE // 1024**2),
            "files": escaping.plain(", ".join([*files[:_MOST_NAMES], *more])),
        }
        speaker.warn(wording.Text("check.searched-without", facts))
    if searched.ended:
        speaker.warn(wording.Text("check.searched-ended", {"commit": searched.ended}))


def _tell_accepted(speaker: narration.Narration, accepted: Sequence[findings.Accepted]) -> None:
    ignored = [acceptance.finding for acceptance in accepted if acceptance.by == "ignore"]
    baseline = sum(acceptance.by == "baseline" for acceptance in accepted)
    if ignored or baseline:
        facts = {
            "ignored": str(len(ignored)),
            "errors": str(sum(finding.severity == "error" for finding in ignored)),
            "baseline": str(baseline),
        }
        speaker.note(wording.Text("check.accepted", facts))
    off = [acceptance.finding for acceptance in accepted if acceptance.by == "policy"]
    if off:
        codes = ", ".join(sorted({finding.code for finding in off}))
        facts = {"count": str(len(off)), "codes": escaping.plain(codes)}
        speaker.note(wording.Text("check.switched-off", facts))


def _unprepared(report: reports.Report) -> wording.Text:
    unprepared = report.result.unprepared
    names = [
        f"{service.service} ({', '.join(service.environments)})"
        for service in unprepared[:_MOST_NAMES]
    ]
    more = [f"… (+{len(unprepared) - _MOST_NAMES})"] if len(unprepared) > _MOST_NAMES else []
    facts = {"names": escaping.plain(", ".join(names + more))}
    return wording.Text("check.unprepared", facts)


def tell_fixed(speaker: narration.Narration, fixed: fix.Fixed, *, written: bool) -> None:
    """Say what was mended, or with what differences it would be."""
    for change in fixed.changes:
        if written:
            facts = {"path": escaping.plain(change.path)}
            speaker.succeed(wording.Text("check.fixed-file", facts))
        else:
            for line in change.diff.rstrip("\n").split("\n"):
                speaker.line(escaping.terminal(catalogue.printable(line)))
    counts = {"count": str(len(fixed.mended))}
    speaker.note(wording.Text("check.fixed" if written else "check.would-fix", counts))
    if fixed.left:
        speaker.warn(wording.Text("check.not-fixed", {"count": str(len(fixed.left))}))
