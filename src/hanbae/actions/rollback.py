"""``hanbae rollback``: an older commit of a service comes back, with the schema that it knows.

What is going to happen is worked out first and changes nothing. Then the commit that is gone back from is held, the
databases go back, and the code follows: deployed from git where somebody deploys by hand, reverted on a branch where
Argo CD follows git by itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from msgspec import Struct

from hanbae import errors, workspaces
from hanbae.actions import hold
from hanbae.deploying import going_back, holding, preflight, preparing
from hanbae.forges import logins, protocol, remotes
from hanbae.planning import deployments, ways_back
from hanbae.policy import environments, naming
from hanbae.promoting import offering
from hanbae.repository import reverting, services
from hanbae.results import merge_requests, plans, rollbacks

_SHORT: Final = 12
_TRAILER: Final = "Rolled-Back-From"
"""Marks the commits that are hanbae's, so that it overwrites no others."""


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
    variables: Mapping[str, str] = {},
) -> Planned:
    """Work out a rollback; nothing is changed.

    Args:
        space: The workspace.
        service: The service.
        environment: The environment.
        revision: Any name that git has for the commit to go back to; empty for the last one that succeeded before.
        waives: Why it is done although the policy freezes the environment; empty where it is not.
        variables: Those of the process, among which may be the forge's token.

    Raises:
        hanbae.errors.WrongUse: There is no such service, environment or commit, or none to go back to.
        hanbae.errors.Refused: A database cannot go back so far; the deployment is known to fail.
        hanbae.errors.Unreachable: The remote or a cluster did not answer.
    """
    space.refuse_unknown((service,), environment)
    # Called for what it does on the way: what follows is worked out from the branch as the remote
    # has it now.
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
        offers=automated and is_offered(space, variables),
    )
    return Planned(rollback, prepared)


async def foresee(
    space: workspaces.Workspace, service: str, environment: str, *, head: str, base: str = ""
) -> rollbacks.Rollback:
    """Whether a commit could be gone back from once it is deployed; no cluster is asked.

    Args:
        space: The workspace.
        service: The service.
        environment: The environment.
        head: Any name that git has for the commit.
        base: Likewise of what it would be gone back to; empty for the head of the environment's branch.

    Raises:
        hanbae.errors.WrongUse: There is no such service, environment or commit.
        hanbae.errors.FileFault: A fault in the files of one of them.
        hanbae.errors.Refused: One of them names no image, so that there is nothing to go back from or to.
        hanbae.errors.Unreachable: The remote did not answer.
    """
    settings = space.environment(environment)
    later = space.checkout.revision(head)
    older = space.checkout.revision(base or await space.head(environment))
    for revision, called in ((later, head), (older, base or settings.branch or "")):
        services.chosen(
            space.policy, revision, (service,), revision=called, environment=environment
        )
    sources = [
        await deployments.read(space.policy, revision, service, environment)
        for revision in (later, older)
    ]
    for source in sources:
        if (reason := preflight.without_plan(source)) is not None:
            raise preflight.KnownToFail((reason,))
    present, target = [deployments.plan(source, is_older=True) for source in sources]
    ways = ways_back.between(present, target, later, reached={}, revision=later.commit)
    return rollbacks.Rollback(
        service,
        environment,
        "revert" if environments.is_automated(space.policy, environment) else "deploy",
        later.commit,
        older.commit,
        tuple(map(_database, ways.back)),
        is_foresight=True,
        boundaries=tuple(boundary.why for boundary in ways.boundaries),
    )


def is_offered(space: workspaces.Workspace, variables: Mapping[str, str]) -> bool:
    """Whether a revert is brought to the forge: the user has a login where the remote is.

    Raises:
        hanbae.errors.Refused: The token would travel without TLS over other people's networks.
        hanbae.errors.WrongUse: The token has characters that no token has.
    """
    remote = remotes.read(space.checkout.address(space.policy.argocd.remote))
    return remote is not None and logins.of(remote, variables) is not None


async def keep_away(space: workspaces.Workspace, rollback: rollbacks.Rollback, why: str) -> bool:
    """Hold the commit that is gone back from, unless somebody does already.

    Returns:
        Whether this has set the hold.
    """
    service, environment = rollback.service, rollback.environment
    async with space.clusters(environment) as clusters:
        present = await holding.read(space.policy, clusters.workload, service, environment)
    # `hold.add` would put our reason in the place of what somebody has said of this commit before.
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
        message=f"Revert {service} in {environment} to {short}\n\n{_TRAILER}: {rollback.present}\n",
    )


async def offer(
    space: workspaces.Workspace,
    rollback: rollbacks.Rollback,
    reverted: reverting.Reverted,
    *,
    title: str,
    body: str,
    variables: Mapping[str, str],
) -> merge_requests.MergeRequest | None:
    """Push the commit that takes git back, and open its merge request or bring it up to date.

    Args:
        space: The workspace.
        rollback: The rollback.
        reverted: The commit.
        title: Of the merge request.
        body: Of the merge request; Markdown.
        variables: Those of the process, among which may be the forge's token.

    Raises:
        hanbae.errors.Refused: Somebody else's commits are on the branch, or the remote or the forge does not want it.
        hanbae.errors.Unreachable: The remote or the forge did not answer.
    """
    into = space.environment(rollback.environment).branch or ""
    draft = protocol.Draft(reverted.branch, into, title, body)
    offered = offering.Offer(reverted.commit, _TRAILER, draft)
    return (await offering.offer(space, offered, variables)).request


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
            yield _database(way)


def _database(way: plans.TakeBack) -> rollbacks.Database:
    return rollbacks.Database(way.database, way.version, tuple(_migrations(way)), way.losses)


def _migrations(way: plans.TakeBack) -> Iterator[rollbacks.Migration]:
    for version in way.versions:
        file = way.proof.files[way.proof.versions.index(version)]
        yield rollbacks.Migration(version, file, version not in way.bare)
