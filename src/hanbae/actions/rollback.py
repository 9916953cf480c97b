"""``hanbae rollback``: an older commit of a service comes back, with the schema that it knows.

What is going to happen is worked out first and changes nothing. Then the commit that is gone back from is held, the
databases go back, and the code follows: deployed from git where somebody deploys by hand, reverted on a branch where
Argo CD follows git by itself.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from hanbae import errors, workspaces
from hanbae.actions import hold
from hanbae.deploying import going_back, holding, preparing
from hanbae.policy import environments, naming
from hanbae.repository import reverting, services
from hanbae.results import plans, rollbacks

_SHORT = 12


class Planned(Struct, frozen=True):
    """A rollback before it.

    Attributes:
        rollback: What is going to happen.
        prepared: The deployment that does it; without plans where only git has to be reverted.
    """

    rollback: rollbacks.Rollback
    prepared: preparing.Prepared


async def plan(
    space: workspaces.Workspace,
    service: str,
    environment: str,
    *,
    revision: str = "",
    waives: str = "",
) -> Planned:
    """Work out a rollback; nothing is changed.

    Args:
        space: The workspace.
        service: The service.
        environment: The environment.
        revision: Any name that git has for the commit to go back to; empty for the last one that succeeded before.
        waives: Why it is done although the policy freezes the environment; empty where it is not.

    Raises:
        hanbae.errors.WrongUse: There is no such service, environment or commit, or none to go back to.
        hanbae.errors.Refused: A database cannot go back so far; the deployment is known to fail.
        hanbae.errors.Unreachable: The remote or a cluster did not answer.
    """
    space.refuse_unknown((service,), environment)
    await space.head(environment)
    async with space.clusters(environment) as clusters:
        begun = await going_back.start(space, clusters, service, environment)
    target = going_back.target(space, service, environment, begun, revision)
    prepared = await preparing.prepare(
        space, (service,), environment, older=target, back=begun, waives=waives
    )
    automated = environments.is_automated(space.policy, environment)
    rollback = rollbacks.Rollback(
        service,
        environment,
        "revert" if automated else "deploy",
        begun.commit,
        target,
        tuple(_databases(prepared)),
    )
    return Planned(rollback, prepared)


async def keep_away(space: workspaces.Workspace, rollback: rollbacks.Rollback, why: str) -> bool:
    """Hold the commit that is gone back from, unless somebody does already.

    Returns:
        Whether this has set the hold.
    """
    service, environment = rollback.service, rollback.environment
    async with space.clusters(environment) as clusters:
        present = await holding.read(space.policy, clusters.workload, service, environment)
    if any(entry.revision == rollback.present for entry in present):
        return False
    await hold.add(space, service, environment, why=why, revision=rollback.present)
    return True


async def let_go(space: workspaces.Workspace, rollback: rollbacks.Rollback) -> None:
    """Lift the hold of a rollback that was refused: nothing was changed."""
    await hold.lift(space, rollback.service, rollback.environment, revision=rollback.present)


async def revert(space: workspaces.Workspace, rollback: rollbacks.Rollback) -> reverting.Reverted:
    """Write the commit that takes git back, on a branch of its own; nothing is pushed.

    Raises:
        hanbae.errors.Refused: The service has no folder of its own, so all of the repository would go back.
        hanbae.errors.WrongUse: git knows no author, or the branch is there with something else.
        hanbae.errors.Unreachable: The remote did not answer.
    """
    service, environment = rollback.service, rollback.environment
    short = rollback.revision[:_SHORT]
    return reverting.write(
        space.checkout,
        head=await space.head(environment),
        target=rollback.revision,
        paths=_paths(space, rollback),
        branch=f"rollback/{service}-{environment}-{short}",
        message=f"Revert {service} in {environment} to {short}\n\n"
        f"It goes back from {rollback.present[:_SHORT]}.\n",
    )


def _paths(space: workspaces.Workspace, rollback: rollbacks.Rollback) -> tuple[str, ...]:
    """What is a service's own in a repository: its folder, its migrations, its values of the environment."""
    service, environment = rollback.service, rollback.environment
    policy = services.located(space.policy, space.checkout.revision(rollback.revision))
    own = [
        naming.folder(policy, service),
        naming.migrations_folder(policy, service),
        *naming.values_files(policy, service, environment),
    ]
    paths = tuple(dict.fromkeys(map(str, own)))
    if "." in paths:
        facts = {"service": service, "environment": environment}
        raise errors.Refused("rollback.no-own-folder", place=None, **facts)
    return paths


def _databases(prepared: preparing.Prepared) -> Iterator[rollbacks.Database]:
    for entry in prepared.plans.values():
        for way in entry.ways_back:
            yield rollbacks.Database(way.database, way.version, tuple(_migrations(way)), way.losses)


def _migrations(way: plans.TakeBack) -> Iterator[rollbacks.Migration]:
    for version in way.versions:
        file = way.proof.files[way.proof.versions.index(version)]
        yield rollbacks.Migration(version, file, version not in way.bare)
