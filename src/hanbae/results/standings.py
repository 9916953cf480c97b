"""Where services stand in environments: what ``hanbae status`` shows."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from hanbae import subjects
from hanbae.results import holds, reach

State = Literal[
    "current", "behind", "unseen", "drifted", "busy", "progressing", "degraded", "absent", "unknown"
]
"""What is the matter with a service in an environment.

``current``: what the branch has runs, and is healthy. ``behind``: the branch has something newer for the service.
``unseen``: Argo CD has not looked at the newest commit yet. ``drifted``: the cluster differs from the commit that was
deployed. ``busy``: an operation runs. ``progressing``: its pods are not ready yet. ``degraded``: it is not healthy.
``absent``: it was never deployed. ``unknown``: the cluster did not answer, or its answer does not say."""


class Standing(Struct, frozen=True, omit_defaults=False):
    """One service in one environment.

    Attributes:
        service: The service.
        environment: The environment.
        state: What is the matter with it, the worst first.
        deployed: Full id of the commit that was last deployed; empty where none was.
        head: Full id of the commit at the head of the environment's branch; empty where that is not known.
        since: When that was deployed, in RFC 3339 as Argo CD has it; empty where it was not.
        images: The images that run, as Argo CD lists them.
        health: Argo CD's word for its health.
        message: Argo CD's sentence about its health or its operation; may be empty.
        differing: The objects that differ from the branch.
        deployment: Id of the last deployment that this history knows; empty for none.
        outcome: How that one ended; empty for none.
        overrides: What its Application in the cluster sets and nothing in git says, such as ``image.tag``.
    """

    service: str
    environment: str
    state: State
    deployed: str = ""
    head: str = ""
    since: str = ""
    images: tuple[str, ...] = ()
    health: str = ""
    message: str = ""
    differing: tuple[subjects.Ref, ...] = ()
    deployment: str = ""
    outcome: str = ""
    overrides: tuple[str, ...] = ()


class Frozen(Struct, frozen=True):
    """An environment that the policy freezes now.

    Attributes:
        environment: Its name.
        freeze: Name of the freeze.
        reason: Why, in the policy's words.
        until: Until when, as people read it; ``-`` where no end is within sight.
    """

    environment: str
    freeze: str
    reason: str
    until: str


class Standings(Struct, frozen=True):
    """Services by environments.

    Attributes:
        standings: By service, and in the order of promotion.
        unreached: Environments of which nothing is known now.
        frozen: Environments that the policy freezes now.
        held: Services that somebody holds, as far as the clusters show that.
    """

    standings: tuple[Standing, ...]
    unreached: tuple[reach.Unreached, ...] = ()
    frozen: tuple[Frozen, ...] = ()
    held: tuple[holds.Held, ...] = ()
