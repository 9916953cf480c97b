"""All causes at one moment, the deepest first: the one place that is asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from hanbae import subjects
from hanbae.diagnosing import (
    application_conditions,
    externalsecrets,
    jobs,
    pictures,
    pods,
    rollouts,
    sealedsecrets,
)

# A SealedSecret that cannot be unsealed, or an ExternalSecret that cannot be fetched, explains the missing Secret,
# which explains the pod, which explains the Job or the rollout.
_DEEPEST_FIRST: Final = (
    sealedsecrets,
    externalsecrets,
    pods,
    jobs,
    rollouts,
    application_conditions,
)


def named(picture: pictures.Picture) -> tuple[pictures.Cause, ...]:
    """Every cause that the picture shows, each once; a symptom only where nothing explains it."""
    distinct: dict[tuple[object, str], pictures.Cause] = {}
    for module in _DEEPEST_FIRST:
        for cause in module.causes(picture):
            # Of several pods of one owner, the one that is beyond help says more.
            before = distinct.setdefault(cause.key, cause)
            if cause.diagnosis.fatal and not before.diagnosis.fatal:
                distinct[cause.key] = cause
    explained = {
        _root(picture.objects, cause.owner) for cause in distinct.values() if not cause.is_symptom
    }
    return tuple(
        cause
        for cause in distinct.values()
        if not cause.is_symptom or _root(picture.objects, cause.owner) not in explained
    )


def _root(objects: Mapping[subjects.Ref, pictures.Object], ref: subjects.Ref) -> subjects.Ref:
    """What people deploy: the Deployment above a ReplicaSet."""
    passed = {ref}
    while (current := objects.get(ref)) is not None:
        above = pictures.owner(current)
        # Kubernetes takes owners in a circle too.
        if above is None or above in passed:
            break
        passed.add(above)
        ref = above
    return ref
