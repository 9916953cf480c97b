"""Whether anything may be promoted to an environment now: freezes of the policy and holds of people refuse it."""

from __future__ import annotations

from hanbae import errors, wording, workspaces
from hanbae.deploying import claiming, holding, permitting
from hanbae.policy import documents, folders, naming
from hanbae.promoting import own_files
from hanbae.repository import commit_graph
from hanbae.results import checklists, promotions


async def waived(
    space: workspaces.Workspace,
    policy: documents.Policy,
    proven: promotions.ProvenSet,
    target: str,
    *,
    reason: str,
) -> tuple[tuple[checklists.Decision, ...], tuple[wording.Text, ...]]:
    """What somebody waives so that a set can be promoted; nothing where nothing forbids it.

    Who may not see the target's holds may promote all the same: its deployment is refused by them.

    Args:
        space: The workspace.
        policy: The policy, located in the set's commit.
        proven: The set.
        target: The environment that it is for.
        reason: Why a freeze is waived; empty where it is not.

    Returns:
        What is waived, and what could not be seen.

    Raises:
        hanbae.errors.Refused: The environment is frozen and no reason was given, or somebody holds a service there.
        hanbae.errors.Unreachable: The cluster did not answer.
    """
    graph = commit_graph.Graph(space.checkout.root)
    async with space.clusters(target) as clusters:
        by = await clusters.identity()
        identity: checklists.Identity = "cluster" if clusters.argocd is None else "argocd"
        decisions = permitting.waived(space, target, reason=reason, by=by, identity=identity)
        for member in proven.members:
            service = member.service
            try:
                lease = await claiming.lease(space.policy, clusters.workload, service, target)
            except errors.Forbidden:
                unseen = wording.Text("promotion.holds-unseen", {"environment": target})
                return decisions, (unseen,)
            marks = lease.marks if lease is not None else {}
            for hold in holding.of(marks):
                if _is_same(graph, policy, service, hold.revision, proven.commit):
                    holding.refuse(marks, service, target, hold.revision)
    return decisions, ()


def _is_same(
    graph: commit_graph.Graph, policy: documents.Policy, service: str, held_commit: str, commit: str
) -> bool:
    """Whether a service is in a commit what it is in one that is held; a merge has another id than what it brought."""
    # A hold that names no commit is one of every commit.
    if held_commit in {"", commit}:
        return True
    own, folder = own_files.every(policy, (service,)), str(naming.folder(policy, service))
    try:
        sides = [graph.files(entry) for entry in (held_commit, commit)]
    except (
        errors.WrongUse
    ):  # this clone does not have it, so it is in nothing that is promoted from here
        return False
    first, second = (
        {
            path: entry
            for path, entry in files.items()
            if folders.holds(folder, path) and path not in own
        }
        for files in sides
    )
    return first == second
