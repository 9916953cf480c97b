"""Who has approved what is deployed, where the policy asks for it: people at the forge, at the exact head.

An approval counts where its giver may write to the repository, and is neither the author of the merge request nor
whoever deploys. Every commit that the environment has not had before must have come by such a merge request; else what
nobody has seen would come along with what somebody has.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from hanbae import errors, wording, workspaces
from hanbae.deploying import last_proofs
from hanbae.forges import choosing, protocol
from hanbae.repository import commit_graph
from hanbae.results import checklists, merge_requests

APPROVED: Final = "approved"
"""What approval is called among the items before a deployment."""
MOST: Final = 50
"""Commits of a branch that are looked at."""
_SHORT: Final = 12
_BRANCHES: Final = 2


class NotApproved(errors.Refused):
    """Nothing was begun.

    Attributes:
        reasons: What lacks which approval; the first one is the error's own text.
    """

    def __init__(self, reasons: tuple[wording.Text, ...]) -> None:
        super().__init__(reasons[0].id, place=None, **reasons[0].facts)
        self.reasons = reasons

    @property
    def texts(self) -> tuple[wording.Text, ...]:
        """Each reason."""
        return self.reasons


async def approved(
    space: workspaces.Workspace,
    clusters: workspaces.Clusters,
    services: Sequence[str],
    environment: str,
    commit: str,
) -> tuple[checklists.Decision, ...]:
    """What the forge says of a commit that is to be deployed; nothing where the policy does not ask.

    Args:
        space: The workspace.
        clusters: The environment's clusters.
        services: The services that are deployed.
        environment: The environment.
        commit: Full id.

    Raises:
        hanbae.errors.Refused: Too few people have approved it, or no forge is known that could say so.
        hanbae.errors.Unreachable: The forge did not answer.
    """
    proofs = await asyncio.gather(
        *(last_proofs.last_proof(space, clusters, name, environment) for name in services)
    )
    proven = [proof.commit for proof in proofs if proof is not None]
    needed = _needed(space, environment, (commit, *proven))
    if not needed:
        return ()
    mainline = commit_graph.Graph(space.checkout.root).mainline(commit)
    commits = _new(space, environment, mainline, proven)
    if not commits:
        return ()
    address = space.checkout.address(space.policy.argocd.remote)
    branch = space.environment(environment).branch or ""
    async with choosing.connect(address, os.environ) as forge:
        if forge is None:
            facts = {"environment": environment, "needed": str(needed)}
            place = space.loaded.place(f"environments.{environment}.approvals")
            raise errors.Refused("approval.no-forge", place=place, **facts)
        own = await forge.username()
        reasons: list[wording.Text] = []
        givers: list[str] = []
        evidence: list[wording.Text] = []
        for entry in commits:
            request = await forge.merged_by(entry.id, branch)
            # Pushed directly to the branch, so nobody can have approved it.
            if request is None:
                about = {"commit": entry.id[:_SHORT], "subject": entry.subject, "branch": branch}
                reasons.append(wording.Text("approval.no-request", about))
                continue
            names = await _givers(forge, request, _heads(entry, request), own)
            facts = _facts(request, names, needed, own)
            if len(names) < needed:
                reasons.append(wording.Text("approval.too-few", facts))
            givers += names
            evidence.append(wording.Text("approval.given", facts))
    if reasons:
        raise NotApproved(tuple(reasons))
    return (
        checklists.Decision(
            APPROVED,
            "",
            APPROVED,
            "attested",
            tuple(evidence),
            by=", ".join(dict.fromkeys(givers)),
            identity="forge",
        ),
    )


def _needed(space: workspaces.Workspace, environment: str, commits: Iterable[str]) -> int:
    """How many must approve: by the policy here, that of the commit, and those that were in force until now.

    Whoever could lower the number by the very commit that is to be approved would need nobody.
    """
    needed = space.environment(environment).approvals
    for commit in commits:
        with contextlib.suppress(
            errors.Error
        ):  # this clone does not have it, or it reads otherwise by now
            policy = last_proofs.policy_at(space.checkout.revision(commit), space.policy)
            settings = policy.environments.get(environment)
            needed = max(needed, settings.approvals if settings is not None else 0)
    return needed


def _new(
    space: workspaces.Workspace,
    environment: str,
    commits: Iterator[commit_graph.Commit],
    proven: Sequence[str],
) -> list[commit_graph.Commit]:
    """The commits of the branch that the environment has not had yet; none where it goes back to an older one.

    Args:
        space: The workspace.
        environment: The environment.
        commits: Those of the branch, the newest first.
        proven: What services were proven at; nothing where none was yet: then there is no commit to begin from, and
            who has approved the newest has approved all of it.

    Raises:
        hanbae.errors.Refused: They are too many to be looked at.
    """
    new: list[commit_graph.Commit] = []
    for entry in commits:
        if proven and all(_is_in(space, entry.id, other) for other in proven):
            return new
        if len(new) == MOST:
            facts = {"environment": environment, "most": str(MOST)}
            raise errors.Refused("approval.too-many", place=None, **facts)
        new.append(entry)
        if not proven:
            return new
    return new


def _is_in(space: workspaces.Workspace, commit: str, other: str) -> bool:
    return commit == other or space.checkout.is_ancestor(commit, other)


def _heads(commit: commit_graph.Commit, request: merge_requests.MergeRequest) -> frozenset[str]:
    """What was merged: a merge names it itself, whatever became of the branch after that."""
    if len(commit.parents) >= _BRANCHES:
        return frozenset(commit.parents[1:])
    # A squash or a rebase does not record what was merged, so the forge's head counts.
    return frozenset({request.head})


async def _givers(
    forge: protocol.Forge,
    request: merge_requests.MergeRequest,
    heads: frozenset[str],
    own: str,
) -> list[str]:
    """Whose approval counts."""
    # Forges treat user names as case-insensitive.
    others = {request.author.lower(), own.lower()}
    return [
        approval.by
        for approval in await forge.approvals(request)
        if approval.commit in heads and approval.by.lower() not in others
    ]


def _facts(
    request: merge_requests.MergeRequest, names: Sequence[str], needed: int, own: str
) -> dict[str, str]:
    return {
        "number": str(request.number),
        "url": request.url,
        "by": ", ".join(names) or "-",
        "count": str(len(names)),
        "needed": str(needed),
        "author": request.author or "-",
        "deployer": own,
    }
