"""``hanbae history list --live``: what was deployed by others than hanbae."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Final

from hanbae import workspaces
from hanbae.actions import every_environment
from hanbae.argo import others
from hanbae.clusters import kinds
from hanbae.deploying import standing_engines
from hanbae.planning import pending
from hanbae.policy import environments as policy_environments
from hanbae.results import outside

_MOST: Final = 200
"""Deployments of one service that are looked through; Argo CD remembers ten syncs."""

_Answer = tuple[list[outside.Sync], list[outside.Edit]]


async def find(
    space: workspaces.Workspace, services: Sequence[str] = (), environments: Sequence[str] = ()
) -> outside.Outside:
    """What was done to Applications by others; an environment that does not answer hides no other.

    Args:
        space: The workspace.
        services: The services; all of the working tree if none is given.
        environments: The environments; all on Kubernetes if none is given.

    Raises:
        hanbae.errors.WrongUse: There is no such service or environment.
    """
    answers = await every_environment.ask(space, services, environments, _of_environment)
    syncs = [sync for entries, _ in answers.of.values() for sync in entries]
    edits = [edit for _, entries in answers.of.values() for edit in entries]
    return outside.Outside(
        tuple(sorted(syncs, key=attrgetter("began"), reverse=True)),
        tuple(sorted(edits, key=attrgetter("edited"), reverse=True)),
        answers.unreached,
    )


async def _of_environment(
    space: workspaces.Workspace, services: Sequence[str], environment: str
) -> _Answer:
    if policy_environments.by_helm(space.policy, environment):
        return [], []
    async with space.clusters(environment) as clusters:
        engines = standing_engines.Engines(space, pending.Commits(space.checkout, space.policy))
        applications = await engines.applications(clusters, services, environment)
    syncs: list[outside.Sync] = []
    edits: list[outside.Edit] = []
    for service, application in applications.items():
        if application is None:
            continue
        recorded = space.store.deployments(service=service, environment=environment, limit=_MOST)
        syncs += others.syncs(application, service, environment, recorded, now=space.clock())
        edits += others.edits(application, service, environment, own=kinds.MANAGER)
    return syncs, edits
