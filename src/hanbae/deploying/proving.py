"""Proves that a database has exactly the revision's migrations: asks goose itself, from inside the cluster."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from hanbae import errors, subjects, wording
from hanbae.clusters import connections, probes
from hanbae.migrations import drifts, statuses
from hanbae.planning import proofs
from hanbae.policy import labels
from hanbae.results import events, plans

_LONGEST_NAME: Final = 63
_LAST_LINES: Final = 5


class Reported(Struct, frozen=True):
    """What was heard of a database.

    Attributes:
        status: By goose.
        answer: By itself; None where it was not asked, or did not answer.
        why_not: Why it did not answer; None where it did, or is none that is asked.
    """

    status: statuses.Status
    answer: drifts.Answer | None = None
    why_not: wording.Text | None = None


async def prove(
    cluster: connections.Cluster,
    plan: plans.Plan,
    proof: plans.Prove,
    *,
    name: str,
    key: str,
    applied: Iterable[int],
    redact: Callable[[str], str],
) -> events.Proved:
    """Run the proof of one database.

    Args:
        cluster: The workload cluster.
        plan: The plan that it is of.
        proof: What to prove.
        name: What the Job is to be called; it is made unique by the key.
        key: The intent's key.
        applied: Versions that the deployment's own migration Job applied, from its log.
        redact: Takes secrets out of goose's words.

    Raises:
        hanbae.errors.Failed: The database has not exactly the revision's migrations, or goose could not say.
    """
    reported = await _hear(cluster, plan, proof, name=name, key=key, redact=redact)
    proved = compare(proof, reported.status, applied)
    drift: tuple[wording.Text, ...] = ()
    if reported.why_not is not None:
        drift = (reported.why_not,)
    if reported.answer is not None:
        drift = drifts.drift(
            reported.answer,
            database=proof.database,
            table=proofs.table(proof.job),
            files=(*proof.versions, *reported.status.applied, *reported.status.pending),
            service=plan.service,
            environment=plan.environment,
        )
    return msgspec.structs.replace(proved, drift=drift)


async def _hear(
    cluster: connections.Cluster,
    plan: plans.Plan,
    proof: plans.Prove,
    *,
    name: str,
    key: str,
    redact: Callable[[str], str],
) -> Reported:
    """What goose and the database say; the database is not asked where the cluster does not let us."""
    job = proofs.asking(proof.job)
    if job is None:
        return Reported(await ask(cluster, proof, name=name, key=key, redact=redact))
    try:
        ended = await _run(cluster, named(job, name, key))
    except errors.Refused as error:
        # The plain proof has the same name and would meet the same Job.
        if error.text.id == "probe.foreign-job":
            raise
        # Rights from an older hanbae allow the proof, but not the question beside it (ADR 19).
        status = await ask(cluster, proof, name=name, key=key, redact=redact)
        facts = {
            "database": proof.database,
            "environment": plan.environment,
            "reason": str(error.text.facts.get("message") or "-"),
        }
        return Reported(status, why_not=wording.Text("proof.not-let-in", facts))
    status = _status(proof, ended, redact)
    lines = ended.others.get(proofs.ASKING, [])
    answer = drifts.answer(lines)
    if answer is not None:
        return Reported(status, answer)
    reason = redact("\n".join(lines[-1:])) or "-"
    facts = {"database": proof.database, "reason": reason}
    return Reported(status, why_not=wording.Text("proof.no-answer", facts))


async def ask(
    cluster: connections.Cluster,
    proof: plans.Prove,
    *,
    name: str,
    key: str,
    redact: Callable[[str], str],
) -> statuses.Status:
    """What goose says of one database; the arguments are those of :func:`prove`.

    Raises:
        hanbae.errors.Failed: goose could not say.
    """
    return _status(proof, await _run(cluster, named(proof.job, name, key)), redact)


async def _run(cluster: connections.Cluster, job: dict[str, Any]) -> probes.Ended:
    deadline = float(job["spec"]["activeDeadlineSeconds"])
    return await probes.run_to_end(cluster, job, deadline=deadline)


def _status(
    proof: plans.Prove, ended: probes.Ended, redact: Callable[[str], str]
) -> statuses.Status:
    log = last_words(ended, redact)
    if not ended.succeeded:
        facts = {"database": proof.database, "reason": ended.reason or "-", "log": log}
        raise errors.Failed("proof.goose-failed", place=None, **facts)
    status = statuses.status(ended.log)
    if status is None:
        raise errors.Failed("proof.not-understood", database=proof.database, log=log)
    return status


def last_words(ended: probes.Ended, redact: Callable[[str], str]) -> str:
    """The last lines of a Job's log; what the cluster says of it where it has written none."""
    return redact("\n".join(ended.log[-_LAST_LINES:])) or ended.message


def compare(proof: plans.Prove, status: statuses.Status, applied: Iterable[int]) -> events.Proved:
    """Hold goose's status against the revision's files.

    Raises:
        hanbae.errors.Failed: They differ, or a migration is half applied.
    """
    for half in status.half_applied:
        facts = {"database": proof.database, "file": half.file, "statement": str(half.statement)}
        text_id = "proof.half-taken-back" if half.direction == "down" else "proof.half-applied"
        raise errors.Failed(text_id, place=None, **facts)
    committed, reported = set(proof.versions), {*status.applied, *status.pending}
    pending = sorted(set(status.pending) & committed)
    below = [version for version in pending if version < status.version]
    missing = sorted(committed - reported)
    unknown = sorted(reported - committed)
    if pending or missing or unknown:
        # Causes before effects: what the image lacks, or has too much, explains what is pending.
        text_id, versions = next(
            (text_id, versions)
            for text_id, versions in (
                ("proof.not-in-image", missing),
                ("proof.not-in-commit", unknown),
                ("proof.missing-below", below),
                ("proof.not-applied", pending),
            )
            if versions
        )
        files = ", ".join(map(proof.named, versions))
        facts = {"database": proof.database, "files": files, "version": str(status.version)}
        raise errors.Failed(text_id, place=None, **facts)
    now = tuple(sorted(set(applied) & committed))
    names = tuple(map(proof.named, now)) if proof.files else ()
    return events.Proved(proof.database, len(proof.versions), status.version, now, names)


def ahead(
    plan: plans.Plan, proved: events.Proved, reached: Mapping[subjects.Ref, int]
) -> wording.Text | None:
    """That a database is past the commit's files, by the log of its migrations; None where nobody knows.

    Where the database itself has said so, it is among the proof's drift, and not told twice.

    Args:
        plan: The deployment's plan.
        proved: The proof, which is about the commit's files and no others.
        reached: Migration Job → the version of its last database, by its log.
    """
    if any(text.id == "drift.ahead" for text in proved.drift):
        return None
    proven = [step.does for step in plan.steps if isinstance(step.does, plans.Prove)]
    hooks = [proof.hook for proof in proven]
    for proof in proven:
        version = reached.get(proof.hook, 0)
        alone = (
            hooks.count(proof.hook) == 1
        )  # of several databases, nobody knows whose version it is
        if proof.database == proved.database and alone and version > proved.version:
            facts = {
                "database": proved.database,
                "version": str(version),
                "proven": str(proved.version),
            }
            return wording.Text("proof.ahead", facts)
    return None


def key(deployment: str, step: str) -> str:
    """The key of a step's intent: a label's value, so at most 63 characters, and still one of its own."""
    whole = f"{deployment}.{step}"
    if len(whole) <= _LONGEST_NAME:
        return whole
    # 9: the hyphen and eight hex digits.
    return whole[: _LONGEST_NAME - 9] + "-" + hashlib.sha256(whole.encode()).hexdigest()[:8]


def named(job: dict[str, Any], name: str, intent: str) -> dict[str, Any]:
    """The Job with its name and key; names are unique per intent, because Jobs cannot be changed.

    Args:
        job: The Job.
        name: What it is to be called; it begins as the release does.
        intent: The key.
    """
    digest = hashlib.sha256(intent.encode()).hexdigest()[:8]
    named = copy.deepcopy(job)
    # It begins as the release is called, dots included: by that the deployer may make it.
    plain = "".join(letter if letter.isalnum() or letter == "." else "-" for letter in name.lower())
    named["metadata"]["name"] = f"{plain[: _LONGEST_NAME - 9].rstrip('-.')}-{digest}"
    template = named["spec"]["template"]
    for metadata in (named["metadata"], template["metadata"]):
        metadata["labels"][labels.KEY] = intent
    return named
