"""The health checks pass, and go on passing for the policy's time of settling."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from hanbae import foreign_json
from hanbae.engines import rollouts
from hanbae.gates import rollout_pods, targets, verdicts
from hanbae.policy import naming


async def decide(target: targets.Target) -> verdicts.Verdict:
    """Whether every rollout is complete, and its pods stay as ready as they are while they settle."""
    before = await rollout_pods.read(target)
    if not before:
        return verdicts.passed("gate.no-workloads")
    unready = _unready(before)
    if unready is not None:
        return unready
    seconds = naming.seconds(target.policy.checklists.settle)
    if seconds:
        await asyncio.sleep(seconds)
        after = await rollout_pods.read(target)
        unready = _unready(after) or _changed(before, after)
        if unready is not None:
            return unready
    names = ", ".join(f"{rollout.ref.kind}/{rollout.ref.name}" for rollout in before)
    pods = sum(len(rollout.pods) for rollout in before)
    return verdicts.passed(
        "gate.health-settled", workloads=names, pods=str(pods), seconds=str(seconds)
    )


def _unready(all_rollouts: Sequence[rollout_pods.Rollout]) -> verdicts.Verdict | None:
    """The first workload that is not as it should be; None where each is."""
    for rollout in all_rollouts:
        facts = {
            "kind": rollout.ref.kind,
            "name": rollout.ref.name,
            "namespace": rollout.ref.namespace,
        }
        workload = f"{rollout.ref.kind.lower()}/{rollout.ref.name}"
        command = ("kubectl", "describe", workload, "-n", rollout.ref.namespace)
        if rollout.live is None:
            return verdicts.failed("gate.workload-missing", **facts)
        progress = rollouts.progress(rollout.live)
        if not progress.complete:
            state = progress.message or progress.state
            return verdicts.failed("gate.workload-unready", **facts, state=state).then(*command)
    return None


def _changed(
    before: Sequence[rollout_pods.Rollout], after: Sequence[rollout_pods.Rollout]
) -> verdicts.Verdict | None:
    """A pod that was ready, and was not all the time; None where each was.

    That a pod was not ready for a moment is seen later: its condition says since when it is ready, and its containers
    how often they were started again.
    """
    now = {_uid(pod): stamp(pod) for rollout in after for pod in rollout.pods}
    for rollout in before:
        for pod in rollout.pods:
            latest = now.get(_uid(pod))
            # A pod that is gone was replaced; whether its successor is ready, the rollout says
            # (`_unready`).
            if latest is not None and latest != stamp(pod):
                metadata = pod["metadata"]
                describe = (
                    "kubectl",
                    "describe",
                    "pod",
                    metadata["name"],
                    "-n",
                    metadata["namespace"],
                )
                facts = {"pod": str(metadata["name"]), "namespace": str(metadata["namespace"])}
                return verdicts.failed("gate.pod-flapped", **facts).then(*describe)
    return None


def _uid(pod: Mapping[str, Any]) -> str:
    return str(pod["metadata"].get("uid"))


def stamp(pod: Mapping[str, Any]) -> tuple[str, str, int]:
    """What changes whenever a pod's readiness does: its state, since when, and its containers' restarts."""
    status = foreign_json.below(dict(pod), "status")
    ready = next(
        (
            entry
            for entry in foreign_json.mappings(status.get("conditions"))
            if entry.get("type") == "Ready"
        ),
        {},
    )
    restarts = sum(
        foreign_json.number(entry.get("restartCount"), 0)
        for entry in foreign_json.mappings(status.get("containerStatuses"))
    )
    return str(ready.get("status")), str(ready.get("lastTransitionTime")), restarts
