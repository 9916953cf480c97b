"""Why a program ended, by what it wrote last: names that do not resolve, databases that refuse, wrong architectures.

Only containers that are in trouble are looked at: a program that runs may write of trouble that it has overcome.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from hanbae import subjects
from hanbae.diagnosing import jobs, pictures, pods
from hanbae.migrations import goose_files, statuses
from hanbae.policy import labels

_LONGEST: Final = 2000
"""Characters of a line that are looked at."""
_PATTERNS: Final[Mapping[str, tuple[tuple[str, ...], ...]]] = {
    "diagnosis.architecture": (("exec format error",),),
    "diagnosis.program-absent": (
        ('exec: "', "no such file or directory"),
        ("executable file not found",),
    ),
    "diagnosis.name-unresolved": (
        ("no such host",),
        ("temporary failure in name resolution",),
        ("name or service not known",),
        ("could not translate host name",),
        ("getaddrinfo", "enotfound"),
        ("getaddrinfo", "eai_again"),
        ("server misbehaving",),
    ),
    "diagnosis.database-password": (("password authentication failed",), ("sqlstate 28p01",)),
    "diagnosis.database-full": (
        ("too many clients already",),
        ("remaining connection slots",),
        ("sqlstate 53300",),
    ),
    "diagnosis.database-absent": (
        ("database", "does not exist", "3d000"),
        ("fatal", 'database "', "does not exist"),
    ),
    "diagnosis.migration-lock-held": (("hanbae-migrate: ", "still holds the lock after"),),
    "diagnosis.database-locked": (
        ("lock timeout",),
        ("sqlstate 55p03",),
        ("deadlock detected",),
        ("sqlstate 40p01",),
    ),
    "diagnosis.database-slow": (("statement timeout",), ("sqlstate 57014",)),
    "diagnosis.database-rights": (("permission denied for",), ("sqlstate 42501",)),
    "diagnosis.database-read-only": (("read-only transaction",), ("sqlstate 25006",)),
    "diagnosis.database-refused": (
        ("connection refused", ":5432"),
        ("connection refused", "postgres"),
        ("econnrefused", "5432"),
        ("the database system is starting up",),
    ),
    "diagnosis.migration-order": (("missing migrations before current version",),),
    "diagnosis.certificate-expired": (
        ("certificate has expired",),
        ("certificate is not yet valid",),
    ),
    "diagnosis.certificate-unknown": (
        ("certificate signed by unknown authority",),
        ("self-signed certificate",),
        ("self signed certificate",),
        ("unable to verify the first certificate",),
    ),
    "diagnosis.port-taken": (("address already in use",), ("eaddrinuse",)),
    "diagnosis.disk-full": (("no space left on device",),),
    "diagnosis.files-read-only": (("read-only file system",), ("erofs",)),
    "diagnosis.heap-full": (("javascript heap out of memory",), ("java.lang.outofmemoryerror",)),
    "diagnosis.schema-behind": (('relation "', "does not exist"), ("sqlstate 42p01",)),
    "diagnosis.peer-refused": (("connection refused",), ("econnrefused",)),
}
"""Cause → the ways in which a line tells of it: all words of one of them, in small letters. The first one counts."""
NAMES: Final = tuple(_PATTERNS)
"""The causes that programs tell of."""
_NOT_OF_MIGRATIONS: Final = frozenset({"diagnosis.schema-behind"})
"""For a migration a table that is not there is its own fault, which is named as such."""


def causes(picture: pictures.Picture) -> Iterator[pictures.Cause]:
    """The causes that programs have written down before they ended."""
    for ref, pod in picture.of("Pod"):
        if pod["metadata"].get("deletionTimestamp"):
            continue
        for name, is_again in _troubled(pod):
            lines = [*_ending(pod, name), *picture.logs.get((ref, name), ())]
            telling = _telling(lines, is_job=_of_job(pod))
            if telling is None:
                continue
            text_id, line = telling
            facts = {
                "pod": ref.name,
                "container": name,
                "namespace": ref.namespace,
                "message": line,
            }
            command = pods.logs(ref, name, previous=is_again)
            if text_id in {"diagnosis.database-password", "diagnosis.database-absent"}:
                command = _seals(picture, pod) or command
            yield pictures.cause(
                ref, text_id, facts, command, fatal=False, owner=pictures.owner(pod)
            )
    yield from _halves(picture)


def _troubled(pod: pictures.Object) -> Iterator[tuple[str, bool]]:
    """The containers that have ended badly, and whether they run or wait again."""
    for container in _statuses(pod):
        ended = (container.get("state") or {}).get("terminated") or {}
        before = (container.get("lastState") or {}).get("terminated") or {}
        if ended.get("exitCode"):
            yield str(container.get("name")), False
        elif before.get("exitCode") and not container.get("ready"):
            yield str(container.get("name")), True


def _statuses(pod: pictures.Object) -> list[Mapping[str, Any]]:
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


def _telling(lines: Sequence[str], *, is_job: bool) -> tuple[str, str] | None:
    """The cause that the last telling line names, and that line."""
    for line in reversed(lines):
        small = line[:_LONGEST].lower()
        for text_id, ways in _PATTERNS.items():
            if is_job and text_id in _NOT_OF_MIGRATIONS:
                continue
            if any(all(word in small for word in words) for words in ways):
                return text_id, line[:_LONGEST]
    return None


def _ending(pod: pictures.Object, container: str) -> Iterator[str]:
    """What the container runtime says of the end of a container."""
    for status in _statuses(pod):
        if status.get("name") == container:
            for state in ("state", "lastState"):
                ended = (status.get(state) or {}).get("terminated") or {}
                yield from str(ended.get("message") or "").splitlines()


def _of_job(pod: pictures.Object) -> bool:
    above = pictures.owner(pod)
    return above is not None and above.kind == "Job"


def _seals(picture: pictures.Picture, pod: pictures.Object) -> tuple[str, ...]:
    """The command that seals the addresses of databases that a pod reads anew."""
    keys = [key for key in pods.keys_read(pod, picture.secret) if "DATABASE" in key]
    return picture.seals(picture.secret, keys) if keys else ()


def _halves(picture: pictures.Picture) -> Iterator[pictures.Cause]:
    """Migrations of which some files were applied before one failed: the database is between two commits."""
    for ref, job in picture.of("Job"):
        own = job["metadata"].get("labels") or {}
        if own.get(labels.COMPONENT) != "migration" or not (job.get("status") or {}).get("failed"):
            continue
        if pictures.condition(job, "Complete").get("status") == "True":
            continue
        for logs in _logs(picture, ref):
            lines = (line for log in logs for line in log)
            applied = sorted({version for line in lines if (version := statuses.applied(line))})
            failure = next(filter(None, map(statuses.failure, reversed(logs))), None)
            if not applied or failure is None or not failure.file:
                continue
            if goose_files.version_of(failure.file) in applied:
                continue  # another pod has been faster
            facts = {
                "job": ref.name,
                "namespace": ref.namespace,
                "database": own.get(labels.DATABASE) or "-",
                "applied": ", ".join(map(str, applied)),
                "file": failure.file,
                "error": failure.error,
            }
            command, text_id = jobs.logs(picture, ref), "diagnosis.migration-half"
            yield pictures.cause(ref, text_id, facts, command, fatal=True, is_settled=True)
            break


def _logs(picture: pictures.Picture, job: subjects.Ref) -> Iterator[list[Sequence[str]]]:
    """The logs of a Job's pods, the oldest first; of an Indexed Job by number, as each may have its own database."""
    by_number: dict[str, list[Sequence[str]]] = {}
    for pod, live_pod in picture.pods_of(job):
        logs = by_number.setdefault(jobs.number(live_pod), [])
        logs += [log for (owner, _), log in picture.logs.items() if owner == pod]
    yield from by_number.values()
