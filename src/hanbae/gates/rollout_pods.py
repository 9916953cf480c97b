"""The workloads of a release as the cluster has them now, and the pods of their newest template."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from hanbae import foreign_json, subjects
from hanbae.clusters import kinds, reading
from hanbae.engines import rollouts
from hanbae.gates import targets

# The labels by which pods of a Deployment, and of a StatefulSet, name the template that they are made of.
_HASH: Final = "pod-template-hash"
_REVISION: Final = "controller-revision-hash"


class Rollout(Struct, frozen=True):
    """One workload and its newest pods.

    Attributes:
        ref: The workload.
        live: The workload as the cluster has it; None where it is not there.
        pods: The pods of its newest template that are not being ended.
    """

    ref: subjects.Ref
    live: Mapping[str, Any] | None
    pods: tuple[dict[str, Any], ...] = ()


async def read(target: targets.Target) -> tuple[Rollout, ...]:
    """The rollouts of the release: its Deployments and StatefulSets.

    Raises:
        hanbae.errors.Error: The cluster does not answer, or does not show them.
    """
    refs = [
        subjects.Ref(
            manifest["kind"],
            manifest["metadata"].get("namespace") or target.source.namespace,
            manifest["metadata"]["name"],
        )
        for manifest in target.objects
        if manifest.get("kind") in rollouts.KINDS
    ]
    return tuple(await asyncio.gather(*(_rollout(target, ref) for ref in refs)))


async def _rollout(target: targets.Target, ref: subjects.Ref) -> Rollout:
    live = await reading.get(target.workload, kinds.named(ref.kind), ref.namespace, ref.name)
    if live is None:
        return Rollout(ref, None)
    labels = foreign_json.below(live, "spec", "selector", "matchLabels")
    selector = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
    pods, replicasets = await asyncio.gather(
        reading.find(target.workload, kinds.POD, ref.namespace, label_selector=selector),
        reading.find(target.workload, kinds.REPLICASET, ref.namespace, label_selector=selector)
        if ref.kind == kinds.DEPLOYMENT.kind
        else _none(),
    )
    newest = _newest(live, replicasets)
    return Rollout(ref, live, tuple(pod for pod in pods if _is_newest(pod, newest)))


async def _none() -> list[kinds.Object]:
    return []


def _newest(live: Mapping[str, Any], replicasets: list[kinds.Object]) -> tuple[str, str]:
    """The label of the pods of a workload's newest template, and its value; empty where nobody knows."""
    if live["kind"] == kinds.DEPLOYMENT.kind:
        for replicaset in replicasets:
            if rollouts.newest(live, replicaset):
                return _HASH, str(_labels(replicaset).get(_HASH) or "")
        return _HASH, ""
    return _REVISION, str(foreign_json.below(dict(live), "status").get("updateRevision") or "")


def _is_newest(pod: Mapping[str, Any], newest: tuple[str, str]) -> bool:
    label, value = newest
    return not pod["metadata"].get("deletionTimestamp") and _labels(pod).get(label) == value


def _labels(item: Mapping[str, Any]) -> dict[str, Any]:
    return foreign_json.below(dict(item), "metadata", "labels")
