"""``hanbae hold``: what may not be deployed, kept in the cluster so that a whole team's deployments are refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from hanbae import errors, workspaces
from hanbae.actions import every_environment
from hanbae.deploying import holding
from hanbae.results import checklists, holds

LONGEST: Final = 400
"""Characters of a reason."""


async def add(
    space: workspaces.Workspace, service: str, environment: str, *, why: str, revision: str = ""
) -> holds.HeldService:
    """Hold a service in an environment, or one commit of it; nothing that runs is touched.

    Args:
        space: The workspace.
        service: The service.
        environment: The environment.
        why: Why.
        revision: The commit that may not be deployed, by any name that git has for it; empty for all.

    Raises:
        hanbae.errors.WrongUse: There is no such service, environment or commit, or no reason.
        hanbae.errors.Refused: It has as many holds as it can have.
        hanbae.errors.Unreachable: The cluster did not answer, or does not let us.
    """
    space.refuse_unknown((service,), environment)
    reason = why.strip()
    if not reason or len(reason) > LONGEST:
        raise errors.WrongUse("hold.no-reason", most=str(LONGEST))
    commit = space.checkout.revision(revision).commit if revision else ""
    since = space.clock().strftime("%Y-%m-%dT%H:%M:%SZ")
    async with space.clusters(environment) as clusters:
        by = await clusters.identity()
        identity: checklists.Identity = "cluster" if clusters.argocd is None else "argocd"
        hold = holds.Hold(reason, by, identity, since, commit)

        def added(before: tuple[holds.Hold, ...]) -> tuple[holds.Hold, ...]:
            # A commit has one hold: a second one takes the place of the first.
            others = tuple(entry for entry in before if entry.revision != commit)
            if len(others) >= holding.MOST:
                raise errors.Refused(
                    "hold.too-many",
                    service=service,
                    environment=environment,
                    most=str(holding.MOST),
                )
            return (*others, hold)

        now = await holding.change(space, clusters.workload, service, environment, added)
    return holds.HeldService(service, environment, now)


async def lift(
    space: workspaces.Workspace, service: str, environment: str, *, revision: str = ""
) -> tuple[holds.HeldService, holds.HeldService]:
    """Lift the holds of a service in an environment, or that of one commit.

    Args:
        space: The workspace.
        service: The service.
        environment: The environment.
        revision: The commit whose hold is lifted; empty for all of them.

    Returns:
        The holds that were lifted, and those that are left.

    Raises:
        hanbae.errors.WrongUse: There is no such service, environment or commit.
        hanbae.errors.Unreachable: The cluster did not answer, or does not let us.
    """
    space.refuse_unknown((service,), environment)
    commit = space.checkout.revision(revision).commit if revision else ""
    lifted: tuple[holds.Hold, ...] = ()

    # It may be called again with other holds, where somebody else has changed the Lease meanwhile.
    def left(before: tuple[holds.Hold, ...]) -> tuple[holds.Hold, ...]:
        nonlocal lifted
        lifted = tuple(entry for entry in before if commit in {"", entry.revision})
        return tuple(entry for entry in before if entry not in lifted)

    async with space.clusters(environment) as clusters:
        before = await holding.read(space.policy, clusters.workload, service, environment)
        now = before
        if before:  # else a Lease would be made for nothing
            now = await holding.change(space, clusters.workload, service, environment, left)
    return holds.HeldService(service, environment, lifted), holds.HeldService(
        service, environment, now
    )


async def listed(
    space: workspaces.Workspace,
    services: Sequence[str] = (),
    environments: Sequence[str] = (),
) -> holds.Holds:
    """What is held; an environment that does not answer hides no other.

    Args:
        space: The workspace.
        services: The services; all of the working tree if none is given.
        environments: The environments; all on Kubernetes if none is given.

    Raises:
        hanbae.errors.WrongUse: There is no such service or environment.
    """
    answers = await every_environment.ask(space, services, environments, _of_environment)
    entries = tuple(entry for answer in answers.of.values() for entry in answer)
    return holds.Holds(entries, answers.unreached)


async def _of_environment(
    space: workspaces.Workspace, services: Sequence[str], environment: str
) -> list[holds.HeldService]:
    async with space.clusters(environment) as clusters:
        return await holding.listed(space.policy, clusters.workload, services, environment)
