"""Why a hook Job failed, or is about to: one failed attempt is a warning, a failed Job a verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from hanbae import foreign_json, patterns, subjects
from hanbae.diagnosing import admission, pictures, pods
from hanbae.migrations import statuses
from hanbae.policy import labels

_DEFAULT_BACKOFF: Final = 6
"""Kubernetes' own, where a Job names none."""
_NUMBER: Final = "batch.kubernetes.io/job-completion-index"
_FAILURES: Final = "batch.kubernetes.io/job-index-failure-count"
"""How often the pods of an index had failed before this one."""
_COUNT: Final = patterns.lazy(r"[0-9]{1,10}")


def causes(picture: pictures.Picture) -> Iterator[pictures.Cause]:
    """The causes in all Jobs of the picture."""
    for ref, job in picture.of("Job"):
        if pictures.condition(job, "Complete").get("status") == "True":
            continue
        failed = pictures.condition(job, "Failed")
        if failed.get("status") == "True":
            yield _failed(picture, ref, job, failed)
        elif _last_failed(picture, ref) is not None:
            yield _attempt(picture, ref, job)
        yield from admission.causes(picture, ref, ref)


def logs(picture: pictures.Picture, ref: subjects.Ref) -> tuple[str, ...]:
    """The policy's command for a migration that failed; of several pods at once, for the one that did."""
    last = _last_failed(picture, ref) if _runs_several(picture.objects[ref]) else None
    # Of a Job's pods kubectl chooses one, and rather one that runs.
    return (
        pods.logs(*last[:2])
        if last
        else ("kubectl", "logs", f"job/{ref.name}", "-n", ref.namespace)
    )


def number(pod: pictures.Object) -> str:
    """The number of a pod of an Indexed Job; empty for other pods."""
    return str((pod["metadata"].get("labels") or {}).get(_NUMBER) or "")


def _failed(
    picture: pictures.Picture,
    ref: subjects.Ref,
    job: pictures.Object,
    failed: Mapping[str, Any],
) -> pictures.Cause:
    facts = {
        **_facts(picture, ref, job),
        "reason": failed.get("reason") or "",
        "message": failed.get("message") or "",
    }
    text_id = f"diagnosis.{_role(job)}-failed"
    if failed.get("reason") == "DeadlineExceeded":
        text_id = f"diagnosis.{_role(job)}-too-long"
    elif limit := _limit_that_killed(picture, ref):
        text_id, facts = f"diagnosis.{_role(job)}-killed", facts | {"limit": limit}
    return pictures.cause(ref, text_id, facts, logs(picture, ref), fatal=True)


def _limit_that_killed(picture: pictures.Picture, ref: subjects.Ref) -> str:
    """The memory limit that ended the last attempt: the program itself could say nothing."""
    last = _last_failed(picture, ref)
    if last is None:
        return ""
    pod, container, ended = last
    return pods.limit_that_killed(picture.objects[pod], container, ended)


def _attempt(picture: pictures.Picture, ref: subjects.Ref, job: pictures.Object) -> pictures.Cause:
    facts = _facts(picture, ref, job)
    # What one of several pods meets may be what another one has done meanwhile.
    if _role(job) == "migration" and not _runs_several(job) and _is_permanent(picture, ref):
        # Kubernetes would try again and wait in between; the file stays as it is.
        return pictures.cause(
            ref,
            "diagnosis.migration-hopeless",
            facts,
            logs(picture, ref),
            fatal=True,
            is_settled=True,
        )
    return pictures.cause(
        ref, f"diagnosis.{_role(job)}-attempt", facts, logs(picture, ref), fatal=False
    )


def _is_permanent(picture: pictures.Picture, ref: subjects.Ref) -> bool:
    """Whether the last attempt failed with what another attempt meets as well."""
    last = _last_failed(picture, ref)
    if last is None:
        return False
    failure = statuses.failure(picture.logs.get((last[0], last[1]), ()))
    return failure is not None and failure.is_permanent


def _facts(picture: pictures.Picture, ref: subjects.Ref, job: pictures.Object) -> dict[str, object]:
    own = job["metadata"].get("labels") or {}
    last = _last_failed(picture, ref)
    attempt, attempts = _tries(job, picture.objects[last[0]] if last else None)
    facts: dict[str, object] = {
        "job": ref.name,
        "namespace": ref.namespace,
        "database": own.get(labels.DATABASE) or "-",
        "attempt": attempt,
        "attempts": attempts,
        "container": "-",
        "exit": "-",
        "log": "",
        "error": "",
    }
    if last is not None:
        pod, container, ended = last
        log = list(picture.logs.get((pod, container), ()))
        failure = statuses.failure(log)
        error = failure.error if failure else ended.get("message") or ended.get("reason") or ""
        facts |= {
            "container": container,
            "exit": ended.get("exitCode", "-"),
            "log": picture.tail(pod, container),
            "error": f"{failure.file}: {error}" if failure and failure.file else error,
        }
    return facts


def _tries(job: pictures.Object, pod: pictures.Object | None) -> tuple[int, int]:
    """Which attempt has failed, and of how many: of the Job, or of its index where each has attempts of its own.

    Args:
        job: The Job.
        pod: Its pod that failed last; None where there is none any more.
    """
    # Limits count the attempts after the first one.
    of_each = job["spec"].get("backoffLimitPerIndex")
    if of_each is not None:
        annotations = pod["metadata"].get("annotations") if pod is not None else None
        before = str((annotations or {}).get(_FAILURES) or "")
        return (int(before) if _COUNT.fullmatch(before) else 0) + 1, int(of_each) + 1
    backoff = job["spec"].get("backoffLimit")
    failed = int((job.get("status") or {}).get("failed") or 0)
    return max(failed, 1), (_DEFAULT_BACKOFF if backoff is None else int(backoff)) + 1


def _last_failed(
    picture: pictures.Picture, ref: subjects.Ref
) -> tuple[subjects.Ref, str, Mapping[str, Any]] | None:
    """Pod, container and end of the last container of the Job's that failed."""
    # The newest pod first: it is the last attempt.
    attempts = picture.pods_of(ref)[::-1]
    if _runs_several(picture.objects[ref]):
        # The end of one pod has the others ended, and these say nothing of why.
        attempts.sort(key=lambda pod: "deletionTimestamp" in pod[1]["metadata"])
    for pod, live_pod in attempts:
        status = live_pod.get("status") or {}
        both = [
            *(status.get("initContainerStatuses") or []),
            *(status.get("containerStatuses") or []),
        ]
        for container in both:
            for state in (container.get("state") or {}, container.get("lastState") or {}):
                ended = state.get("terminated") or {}
                if ended.get("exitCode"):
                    return pod, container["name"], ended
    return None


def _runs_several(job: pictures.Object) -> bool:
    """Whether several pods of a Job run at once."""
    return foreign_json.number(job["spec"].get("parallelism"), 1) > 1


def _role(job: pictures.Object) -> str:
    own = job["metadata"].get("labels") or {}
    return "migration" if own.get(labels.COMPONENT) == "migration" else "job"
