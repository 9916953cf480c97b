"""Where services stand in environments: what ``hanbae status`` shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from msgspec import Struct, structs

from hanbae import subjects
from hanbae.results import deployments, drifts, holds, reach

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
        deployment: Id of the last deployment: by the application's Lease, or else by the history; empty for none.
        outcome: How that one ended; empty for none, and where its driver went without saying.
        overrides: What its Application in the cluster sets and nothing in git says, such as ``image.tag``.
        by: Who deployed it.
        version: Tag of the service's image; empty where it has none.
        pending: Names of the migrations that the branch has and the commit that was deployed has not.
        gates: Items of the last deployment's checklist that failed, as far as the history knows it.
        drifts: What differs of what Helm has installed, and who has changed it; Argo CD says `differing` alone.
            Where all of a service is gone, what its engine has kept of it.
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
    by: str = ""
    version: str = ""
    pending: tuple[str, ...] = ()
    gates: tuple[str, ...] = ()
    drifts: tuple[drifts.Drift, ...] = ()


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
        unread: Environments whose Leases may not be read, so that nobody knows what is held there.
        unreadable: Records of last deployments that cannot be read.
    """

    standings: tuple[Standing, ...]
    unreached: tuple[reach.Unreached, ...] = ()
    frozen: tuple[Frozen, ...] = ()
    held: tuple[holds.HeldService, ...] = ()
    unread: tuple[reach.Unreached, ...] = ()
    unreadable: tuple[deployments.Unreadable, ...] = ()


def changed(before: Standings, after: Standings) -> Iterator[Standing]:
    """What is not as it was, of the environments that could be looked at.

    Args:
        before: An earlier look; one without standings where there was none.
        after: The look.
    """
    earlier = {
        (entry.service, entry.environment): _facts(before, entry) for entry in before.standings
    }
    silent = {entry.environment for entry in after.unreached}
    for entry in after.standings:
        if entry.environment in silent:
            continue
        if earlier.get((entry.service, entry.environment)) != _facts(after, entry):
            yield entry


def remembered(before: Standings, after: Standings) -> Standings:
    """A look with, for the environments that could not be looked at, what was there before."""
    silent = {entry.environment for entry in after.unreached}
    earlier = {(entry.service, entry.environment): entry for entry in before.standings}
    return structs.replace(
        after,
        standings=tuple(
            earlier.get((entry.service, entry.environment), entry)
            if entry.environment in silent
            else entry
            for entry in after.standings
        ),
    )


def _facts(listed: Standings, entry: Standing) -> object:
    """All that a look tells of a service in an environment."""
    on_hold = [
        service.holds
        for service in listed.held
        if (service.service, service.environment) == (entry.service, entry.environment)
    ]
    frozen = [frozen for frozen in listed.frozen if frozen.environment == entry.environment]
    return entry, on_hold, frozen
