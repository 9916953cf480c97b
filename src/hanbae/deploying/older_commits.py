"""Commits older than the head of an environment's branch: which may be deployed, and which the database forbids.

goose takes nothing back by itself. Where a database has migrations that a commit does not have, that commit's program
has never run with them, and no proof can succeed; so such a commit is refused before anything is touched, unless the
plan takes them back first, as that of a rollback does. What a database has is what is known: the proofs of the last
deployment, and the files of one whose end proves nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping

from msgspec import Struct

from hanbae import errors, wording, workspaces
from hanbae.clusters import leases
from hanbae.deploying import claiming
from hanbae.gates import migrations_in_image
from hanbae.planning import deployments, ways_back
from hanbae.policy import environments
from hanbae.results import deployments as recorded
from hanbae.results import plans


class Applied(Struct, frozen=True):
    """What a database may have.

    Attributes:
        revision: The commit whose migrations were applied.
        versions: Database → the version that it was seen to have; a database that is not named may have all of them.
        deployment: The deployment that applied them.
        is_proven: Whether the deployment succeeded.
    """

    revision: str
    versions: Mapping[str, int]
    deployment: str
    is_proven: bool


def resolve(space: workspaces.Workspace, environment: str, revision: str, head: str) -> str:
    """The commit that a name of git's stands for, if it may be deployed to an environment.

    Args:
        space: The workspace.
        environment: The environment.
        revision: A commit's id, or any other name that git has for it.
        head: The commit at the head of the environment's branch.

    Returns:
        The full id.

    Raises:
        hanbae.errors.WrongUse: git has no such commit.
        hanbae.errors.Refused: Argo CD keeps the environment at the head of the branch, or the branch does not contain
            the commit.
    """
    commit = space.checkout.revision(revision).commit
    if environments.is_automated(space.policy, environment) and commit != head:
        facts = _facts(space, environment, commit, head)
        raise errors.Refused("deploy.revision-automated", place=None, **facts)
    require_contained(space, environment, commit, head)
    return commit


def require_contained(
    space: workspaces.Workspace, environment: str, commit: str, head: str
) -> None:
    """Refuse a commit that an environment's branch does not contain.

    Args:
        space: The workspace.
        environment: The environment.
        commit: Full id.
        head: The commit at the head of the branch.

    Raises:
        hanbae.errors.Refused: The branch does not contain it, as far as this clone can tell.
    """
    if commit == head or space.checkout.is_ancestor(commit, head):
        return
    is_shallow = space.checkout.is_shallow
    text_id = "deploy.revision-shallow" if is_shallow else "deploy.revision-elsewhere"
    raise errors.Refused(text_id, place=None, **_facts(space, environment, commit, head))


def _facts(space: workspaces.Workspace, environment: str, commit: str, head: str) -> dict[str, str]:
    return {
        "environment": environment,
        "branch": space.environment(environment).branch or "",
        "remote": space.policy.argocd.remote,
        "revision": commit[:12],
        "head": head[:12],
    }


async def reasons(
    space: workspaces.Workspace,
    clusters: workspaces.Clusters,
    sources: Iterable[deployments.Source],
    planned: Mapping[str, plans.Plan],
) -> tuple[wording.Text, ...]:
    """Why commits cannot be deployed: a sentence for each database that has, or may have, migrations they lack."""
    return tuple(
        [
            reason
            for source in sources
            async for reason in _of_service(space, clusters, source, planned[source.service])
        ]
    )


async def _of_service(
    space: workspaces.Workspace,
    clusters: workspaces.Clusters,
    source: deployments.Source,
    plan: plans.Plan,
) -> AsyncIterator[wording.Text]:
    states = await applied(space, clusters, source.service, source.environment)
    back = {way.database: frozenset(way.versions) for way in plan.ways_back}
    for proof in ways_back.proofs(plan):
        for state in states:
            covered = back.get(proof.database, frozenset())
            files = await _beyond(space, source, proof, state, covered)
            if files:
                facts = {
                    "service": source.service,
                    "environment": source.environment,
                    "revision": source.revision.commit[:12],
                    "database": proof.database,
                    "files": migrations_in_image.listed(files),
                    "deployment": state.deployment,
                }
                is_certain = state.is_proven or proof.database in state.versions
                text_id = (
                    "deploy.behind-database" if is_certain else "deploy.perhaps-behind-database"
                )
                yield wording.Text(text_id, facts)
                # One sentence per database, from the most certain state.
                break


async def applied(
    space: workspaces.Workspace, clusters: workspaces.Clusters, service: str, environment: str
) -> list[Applied]:
    """What is known to be applied, what is proven before what may be; nothing where hanbae has deployed nothing.

    The Lease is everybody's, so where its deployment succeeded, that is all. Else whatever was begun since the last
    success may have migrated.
    """
    try:
        lease = await claiming.lease(space.policy, clusters.workload, service, environment)
    except errors.Forbidden:
        lease = None
    recorded = space.store.deployments(service=service, environment=environment)
    states = list(_of_history(recorded))
    last = _of_lease(lease, recorded)
    if last is not None and last.is_proven:
        return [last]
    if last is not None and last.deployment not in {state.deployment for state in states}:
        states.append(last)
    return sorted(states, key=lambda state: not state.is_proven)


def _of_history(recorded: Iterable[recorded.Deployment]) -> Iterator[Applied]:
    """The deployments of this machine's history since the last success, and that one; the newest first."""
    for deployment in recorded:
        if deployment.outcome == "refused":  # nothing was changed
            continue
        versions = {
            migration.database: migration.version
            for migration in deployment.migrations
            if migration.version is not None
        }
        is_proven = deployment.outcome == "succeeded"
        yield Applied(deployment.revision, versions, deployment.id, is_proven)
        # Its proof found exactly its commit's migrations: anything applied earlier is among them or
        # was taken back.
        if is_proven:
            return


def _of_lease(
    lease: leases.State | None, recorded: Iterable[recorded.Deployment]
) -> Applied | None:
    """The deployment that the Lease names; None where there is none, or it has changed nothing."""
    marks = lease.marks if lease is not None else {}
    deployment, outcome = marks.get("deployment", ""), marks.get("outcome", "")
    if not deployment or not marks.get("revision") or outcome == "refused":
        return None
    own = _of_history(entry for entry in recorded if entry.id == deployment)
    unseen = Applied(marks["revision"], {}, deployment, outcome == "succeeded")
    return next(own, unseen)


async def _beyond(
    space: workspaces.Workspace,
    source: deployments.Source,
    proof: plans.Prove,
    state: Applied,
    covered: frozenset[int],
) -> list[str]:
    """The files that a database has, or may have, and a commit has not; versions where their commit is not here.

    Those are left out that the plan takes back.
    """
    theirs = await _proof_at(space, source, state.revision, proof.database)
    version = state.versions.get(proof.database)
    if theirs is None:
        beyond = version is not None and version > max((*proof.versions, *covered))
        return [str(version)] if beyond else []
    highest = max(theirs.versions) if version is None else version
    return [
        theirs.named(number)
        for number in theirs.versions
        if number <= highest and number not in proof.versions and number not in covered
    ]


async def _proof_at(
    space: workspaces.Workspace, source: deployments.Source, commit: str, database: str
) -> plans.Prove | None:
    """The migrations of a database at a commit; None where git no longer has it, or it cannot be read any more."""
    try:
        revision = space.checkout.revision(commit)
        at_commit = await deployments.read(
            source.policy, revision, source.service, source.environment
        )
        proofs = ways_back.proofs(deployments.plan(at_commit))
        return next((proof for proof in proofs if proof.database == database), None)
    except errors.Error:
        return None
