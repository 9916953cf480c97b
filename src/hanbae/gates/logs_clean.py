"""The logs of the new pods are clean: no line of a breakdown, no container that was started again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Final

from hanbae import errors, excerpts, foreign_json
from hanbae.clusters import logs, rereading
from hanbae.gates import rollout_pods, targets, verdicts

UNCLEAN: Final = (
    "panic:",
    "fatal error:",
    "level=fatal",
    '"level":"fatal"',
    "traceback (most recent call last)",
    "unhandled exception",
    "uncaughtexception",
    "unhandledpromiserejection",
    "exception in thread",
    "outofmemoryerror",
    "segmentation fault",
)
"""What a program writes when it breaks down; in lower case."""
_MOST_LINES: Final = 3
_LONGEST: Final = 300
_AT_ONCE: Final = 8


async def decide(target: targets.Target) -> verdicts.Verdict:
    """Whether the containers of the newest pods have written nothing unclean since the rollout, and run on."""
    all_rollouts = await rollout_pods.read(target)
    pods = [pod for rollout in all_rollouts for pod in rollout.pods]
    if all(_wants_none(rollout) for rollout in all_rollouts):
        return verdicts.passed("gate.no-workloads")
    if not pods:
        return verdicts.undecided("gate.no-pods", **target.facts)
    places = asyncio.Semaphore(_AT_ONCE)

    async def judge(pod: Mapping[str, Any], status: Mapping[str, Any]) -> verdicts.Verdict:
        async with places:
            return await _of_container(target, pod, status)

    judged = await asyncio.gather(
        *(judge(pod, status) for pod in pods for status in _statuses(pod))
    )
    return verdicts.joined(*judged)


def _wants_none(rollout: rollout_pods.Rollout) -> bool:
    return foreign_json.below(dict(rollout.live or {}), "spec").get("replicas") == 0


def _statuses(pod: Mapping[str, Any]) -> list[dict[str, Any]]:
    return foreign_json.mappings((pod.get("status") or {}).get("containerStatuses"))


async def _of_container(
    target: targets.Target, pod: Mapping[str, Any], status: Mapping[str, Any]
) -> verdicts.Verdict:
    """What one container's log and its restarts say."""
    metadata = pod["metadata"]
    namespace, name = str(metadata["namespace"]), str(metadata["name"])
    container = str(status.get("name") or "")
    facts = {"pod": name, "namespace": namespace, "container": container}
    command = ("kubectl", "logs", name, "-c", container, "-n", namespace)
    try:
        lines = await logs.tail(target.workload, namespace, name, container, since=_since(target))
    except errors.Error as error:
        return verdicts.unseen(error)
    unclean = _unclean(target, lines)
    judged = []
    if unclean:
        excerpt = "\n".join(
            excerpts.one_line(line, _LONGEST, redact=target.redact)
            for line in unclean[:_MOST_LINES]
        )
        more = {"lines": str(len(unclean)), "log": excerpt}
        judged.append(verdicts.failed("gate.log-unclean", **facts, **more).then(*command))
    restarts = restarted(status, since=_since(target))
    if restarts:
        failed = verdicts.failed("gate.restarted", **facts, **restarts)
        judged.append(failed.then(*command, "--previous"))
    if judged:
        return verdicts.joined(*judged)
    if is_cut(lines):
        return verdicts.undecided("gate.log-incomplete", **facts)
    return verdicts.passed("gate.log-clean", **facts, lines=str(len(lines)))


def _unclean(target: targets.Target, lines: Iterable[rereading.Line]) -> list[str]:
    """The lines since the rollout that say that something has broken down."""
    words = target.policy.checklists.unclean
    lowered = UNCLEAN if words is None else tuple(word.lower() for word in words)
    return [line.text for line in lines if any(word in line.text.lower() for word in lowered)]


def _since(target: targets.Target) -> str:
    """When the rollout began, as timestamps of logs and states are written; empty for the pods' own beginning."""
    return target.began.strftime("%Y-%m-%dT%H:%M:%SZ") if target.began is not None else ""


def is_cut(lines: Iterable[rereading.Line]) -> bool:
    """Whether some of a log could not be seen: it has a gap, or is longer than what is read of it."""
    size = 0
    for line in lines:
        if line.gap or line.cut:
            return True
        size += len(line.time) + len(line.text.encode()) + 2
    # The last line may have been cut anywhere, and its end is not counted where the log has none.
    return size >= logs.MOST - rereading.LONGEST_LINE


def restarted(status: Mapping[str, Any], *, since: str) -> dict[str, str]:
    """How often a container was started again, and why; empty where it was not since the rollout.

    Args:
        status: The container's status.
        since: When the rollout began; empty for the pod's own beginning.
    """
    count = foreign_json.number(status.get("restartCount"), 0)
    ended = foreign_json.below(dict(status), "lastState", "terminated")
    # Of a container's ends Kubernetes keeps the last one. Where that is older than the rollout, so are all.
    if not count or (ended.get("finishedAt") and str(ended["finishedAt"]) < since):
        return {}
    reason = str(ended.get("reason") or "-")
    return {"restarts": str(count), "reason": reason, "code": str(ended.get("exitCode", "-"))}
