"""The newest backup is recent enough, before anything is migrated: what is migrated can be put back.

CloudNativePG says it in the status of its ``Backup`` objects, PostgreSQL in ``pg_stat_archiver``, and any other way of
making backups through a program of the team's own.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from hanbae import foreign_json
from hanbae.clusters import kinds, reading
from hanbae.gates import own_command, targets, verdicts
from hanbae.policy import documents, naming

_OF_LIBPQ: Final = ("PGSERVICEFILE", "PGPASSFILE", "PGSYSCONFDIR")
"""Where psql finds its connections and their passwords, where that is not the home folder; no password itself."""
_AHEAD: Final = timedelta(minutes=10)
"""By how much another machine's clock may be ahead of ours."""
_EPOCH: Final = 12
"""Digits of a number of seconds since 1970, at most."""


async def decide(target: targets.Target) -> verdicts.Verdict:
    """Whether the newest backup is younger than the policy asks for."""
    point = target.policy.checklists.restore_point
    if point is None:
        return verdicts.undecided("gate.no-restore-point")
    if point.environments and target.source.environment not in point.environments:
        return verdicts.passed("gate.restore-point-elsewhere", **target.facts)
    if not list(target.proofs):
        return verdicts.passed("gate.no-migrations")
    if point.cluster is not None:
        return await _of_cluster(point, target)
    return await _of_program(point, target)


async def _of_cluster(point: documents.RestorePoint, target: targets.Target) -> verdicts.Verdict:
    """By the completed backups of a cluster of CloudNativePG's."""
    source = target.source
    name = naming.filled(point.cluster or "", source.service, source.environment)
    namespace = naming.backups(target.policy, source.service, source.environment)
    completed = [
        stopped
        for backup in await reading.find(target.workload, kinds.BACKUP, namespace)
        if foreign_json.below(backup, "spec", "cluster").get("name") == name
        and foreign_json.below(backup, "status").get("phase") == "completed"
        and (stopped := moment(str(foreign_json.below(backup, "status").get("stoppedAt"))))
    ]
    verdict = _judged(max(completed, default=None), f"{namespace}/{name}", point, target)
    if not verdict.reasons:
        return verdict
    return verdict.then("kubectl", "get", kinds.BACKUP.resource, "--namespace", namespace)


async def _of_program(point: documents.RestorePoint, target: targets.Target) -> verdicts.Verdict:
    """By the last line that psql or a program of the team's own prints."""
    source = target.source
    is_psql = point.database is not None
    words = tuple(
        naming.filled(word, source.service, source.environment) if is_psql else word
        for word in point.program
    )
    ended = await own_command.run(
        point.program,
        words,
        target,
        within=point.timeout,
        handed_on=_OF_LIBPQ if is_psql else (),
    )
    if isinstance(ended, verdicts.Verdict):
        return ended
    if ended.reason is not None:
        text_id, facts = ended.reason  # it did not come to say anything of backups
        return verdicts.undecided(text_id, **facts)
    last = ended.lines[-1] if ended.lines else ""
    newest = moment(last.strip())
    # What prints nothing says that there is no backup, such as a database that has archived nothing yet.
    if last and newest is None:
        return verdicts.undecided("gate.restore-point-unreadable", **ended.facts, line=last)
    return _judged(newest, ended.facts["command"], point, target)


def _judged(
    newest: datetime | None, origin: str, point: documents.RestorePoint, target: targets.Target
) -> verdicts.Verdict:
    """What the time of the newest backup comes to; None where there is none."""
    facts = target.facts | {"what": origin, "within": point.within}
    if newest is None:
        return verdicts.failed("gate.restore-point-none", **facts)
    age = target.clock() - newest
    facts["time"] = f"{newest.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    if age < -_AHEAD:
        return verdicts.undecided("gate.restore-point-ahead", **facts)
    if age > timedelta(seconds=naming.seconds(point.within)):
        return verdicts.failed("gate.restore-point-old", **facts)
    return verdicts.passed("gate.restore-point", **facts)


def moment(text: str) -> datetime | None:
    """The time that a text is: RFC 3339, as PostgreSQL writes it, or seconds since 1970; None for any other.

    A time without a zone is none: whoever reads it would guess.
    """
    try:
        if text.isascii() and text.isdecimal() and len(text) <= _EPOCH:
            return datetime.fromtimestamp(int(text), UTC)
        parsed = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        return None
    return parsed if parsed.tzinfo is not None else None
