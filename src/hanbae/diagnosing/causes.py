"""All causes at one moment, the deepest first: the one place that is asked."""

from __future__ import annotations

from typing import Final

from hanbae.diagnosing import applications, jobs, pictures, pods, rollouts, sealedsecrets

# A SealedSecret that cannot be unsealed explains the missing Secret, which explains the pod, which explains
# the Job or the rollout.
_DEEPEST_FIRST: Final = (sealedsecrets, pods, jobs, rollouts, applications)


def named(picture: pictures.Picture) -> tuple[pictures.Cause, ...]:
    """Every cause that the picture shows, each once."""
    found: dict[tuple[object, str], pictures.Cause] = {}
    for module in _DEEPEST_FIRST:
        for cause in module.causes(picture):
            found.setdefault(cause.key, cause)
    return tuple(found.values())
