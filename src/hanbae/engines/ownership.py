"""Which objects own pods, by what those pods are found, and whose label they carry.

A chart that marks nothing with its release's label is watched through what Argo CD has applied: each object by its
name, and its pods by the object's own selector. That finds at least what the object owns; whose a pod is in the end,
its owner reference says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hanbae import foreign_json
from hanbae.clusters import kinds

INSTANCE: Final = "app.kubernetes.io/instance"
"""The label by which the chart contract marks everything of a release."""

OWNERS: Final = frozenset({"Deployment", "StatefulSet", "Job"})
"""Kinds of objects that Argo CD applies and that own pods, as far as they are watched."""

_BETWEEN: Final = {"Deployment": (kinds.REPLICASET, kinds.POD)}
"""What is between such an object and its pods, and the pods themselves; for other kinds the pods alone."""


def by_label(release: str) -> str:
    """The label selector of a release's objects; empty where nothing marks them, so that all are looked at."""
    return f"{INSTANCE}={release}" if release else ""


def is_marked(live: Mapping[str, Any], release: str) -> bool:
    """Whether an object carries a release's label."""
    return _labels(live).get(INSTANCE) == release


def marks_pods(live: Mapping[str, Any], release: str) -> bool:
    """Whether the pods that an object makes carry a release's label."""
    template = foreign_json.below(dict(live), "spec", "template")
    return _labels(template).get(INSTANCE) == release


def by_selector(live: Mapping[str, Any]) -> str:
    """The label selector by which a workload finds its pods; empty for one that selects by none."""
    labels = foreign_json.below(dict(live), "spec", "selector", "matchLabels")
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def between(kind: str) -> tuple[kinds.Kind, ...]:
    """The kinds that an object of a kind owns, down to its pods."""
    return _BETWEEN.get(kind, (kinds.POD,))


def _labels(live: Mapping[str, Any]) -> dict[str, Any]:
    return foreign_json.below(dict(live), "metadata", "labels")
