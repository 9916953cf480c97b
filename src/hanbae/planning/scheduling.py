"""What Argo CD does in which phase and wave, and how long it may take.

Argo CD goes through PreSync, Sync and PostSync, in each through its waves in ascending order, and waits two seconds
before it begins the next wave (``ARGOCD_SYNC_WAVE_DELAY``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from hanbae import subjects
from hanbae.argo import hooks
from hanbae.results import previews

GAP: Final = 2.0
"""Seconds between two waves, unless Argo CD's controller is told otherwise."""

_ORDER: Final = {"PreSync": 0, "Sync": 1, "PostSync": 2}


def waves(objects: Iterable[Mapping[str, Any]], namespace: str) -> tuple[previews.Wave, ...]:
    """The waves of a full sync, in their order.

    Args:
        objects: The rendered objects.
        namespace: Where objects go that name no namespace.
    """
    plain: dict[tuple[int, int], list[subjects.Ref]] = {}
    run: dict[tuple[int, int], list[subjects.Ref]] = {}
    for manifest in objects:
        ref = reference(manifest, namespace)
        ran = phases(manifest)
        if ran:
            # A hook of several phases runs once in each.
            for phase in ran:
                if phase in _ORDER:
                    run.setdefault((_ORDER[phase], wave(manifest)), []).append(ref)
        elif not is_ignored(manifest):
            plain.setdefault((_ORDER["Sync"], wave(manifest)), []).append(ref)
    names = {number: phase for phase, number in _ORDER.items()}
    return tuple(
        previews.Wave(
            names[moment[0]], moment[1], tuple(plain.get(moment, ())), tuple(run.get(moment, ()))
        )
        for moment in sorted({*plain, *run})
    )


def estimate(planned_waves: Sequence[previews.Wave], last: float | None) -> previews.Estimate:
    """How long a sync may take: the pauses between waves, and what the last one took."""
    return previews.Estimate(GAP * max(len(planned_waves) - 1, 0), last)


def phases(manifest: Mapping[str, Any]) -> tuple[hooks.Phase, ...]:
    """The phases of a hook; none for objects whose annotations no API server would take."""
    return hooks.phases(manifest) if _has_annotations(manifest) else ()


def wave(manifest: Mapping[str, Any]) -> int:
    """The sync wave of an object, whatever shape it has."""
    return hooks.wave(manifest) if _has_annotations(manifest) else 0


def is_ignored(manifest: Mapping[str, Any]) -> bool:
    """Whether Argo CD leaves an object out: a hook annotation whose value is no phase, or ``Skip``."""
    return _has_annotations(manifest) and hooks.is_ignored(manifest)


def _has_annotations(manifest: Mapping[str, Any]) -> bool:
    metadata = manifest.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, Mapping) else None
    return isinstance(annotations, Mapping) and all(
        isinstance(value, str | int | float) for value in annotations.values()
    )


def reference(manifest: Mapping[str, Any], namespace: str) -> subjects.Ref:
    """How a rendered object is pointed at."""
    declared = manifest.get("metadata")
    metadata = declared if isinstance(declared, Mapping) else {}
    name = metadata.get("name") or metadata.get("generateName") or ""
    where = metadata.get("namespace") or namespace
    return subjects.Ref(str(manifest.get("kind")), str(where), str(name))
