"""Brings a commit to the remote, on a branch of hanbae's, and to the forge, as a merge request.

Each step looks first whether it was done. So a command that was killed is run again and goes on where it was, and what
was offered before is brought up to date.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

from hanbae import errors, workspaces
from hanbae.forges import choosing, protocol
from hanbae.repository import commit_graph
from hanbae.results import merge_requests
from hanbae.streams import backoffs

_LOOKS: Final = 6


class Offer(Struct, frozen=True):
    """What is offered to be merged.

    Attributes:
        commit: The commit.
        trailer: Marks the commits of hanbae's that may be on the branch already; no others are overwritten.
        draft: The merge request.
        statuses: What is said of the commit.
        comment: What is said below the merge request; empty for nothing.
        mark: By what this comment is found again; it is in it.
    """

    commit: str
    trailer: str
    draft: protocol.Draft
    statuses: Iterable[merge_requests.Status] = ()
    comment: str = ""
    mark: str = ""


class Offered(Struct, frozen=True):
    """What became of it.

    Attributes:
        request: The merge request; None where the remote is at no forge, or the user has no login there.
        was_open: Whether it was open before.
    """

    request: merge_requests.MergeRequest | None = None
    was_open: bool = False


async def offer(
    space: workspaces.Workspace, offered: Offer, environment: Mapping[str, str]
) -> Offered:
    """Push a commit, and open its merge request or bring it up to date.

    Args:
        space: The workspace.
        offered: What is offered.
        environment: Variables, among which may be the forge's token.

    Raises:
        hanbae.errors.Refused: Somebody else's commits are on the branch, it has moved meanwhile, or the remote or the
            forge does not want it.
        hanbae.errors.Unreachable: The remote or the forge did not answer.
    """
    await _push(space, offered)
    address = space.checkout.address(space.policy.argocd.remote)
    draft = offered.draft
    async with choosing.connect(address, environment) as forge:
        if forge is None:
            return Offered()
        before = await forge.opened(draft.source, draft.target)
        request = await (forge.edit(before, draft) if before else _opened(forge, draft))
        request = await _await_head(forge, request, offered.commit)
        for status in offered.statuses:
            await forge.report(offered.commit, status)
        if offered.comment:
            await forge.comment(request, offered.comment, mark=offered.mark)
    return Offered(request, before is not None)


async def _push(space: workspaces.Workspace, offered: Offer) -> None:
    remote, branch = space.policy.argocd.remote, offered.draft.source
    async with space.fetching:
        head = await _pushed(space, branch)
        if head == offered.commit:
            return
        message = commit_graph.Graph(space.checkout.root).message(head) if head else ""
        if head and f"\n{offered.trailer}: " not in message:
            facts = {"branch": branch, "commit": head[:12], "remote": remote}
            raise errors.Refused("promotion.others-commits", place=None, **facts)
        try:
            await asyncio.to_thread(space.checkout.push, remote, offered.commit, branch, over=head)
        except errors.Refused:
            # The same promotion may have been offered twice in one moment; its commit is the same then.
            if await _pushed(space, branch) != offered.commit:
                raise


async def _pushed(space: workspaces.Workspace, branch: str) -> str:
    """The commit that the remote's branch is at; empty where it has none."""
    remote = space.policy.argocd.remote
    try:
        await asyncio.to_thread(space.checkout.fetch, remote, [branch])
        return space.checkout.head(remote, branch)
    except errors.WrongUse as error:
        if error.text.id != "repository.no-branch":
            raise
        return ""


async def _opened(forge: protocol.Forge, draft: protocol.Draft) -> merge_requests.MergeRequest:
    """A new merge request, or the one that somebody else has opened in the same moment."""
    try:
        return await forge.open(draft)
    except errors.Refused:
        request = await forge.opened(draft.source, draft.target)
        if request is None:
            raise
        return request


async def _await_head(
    forge: protocol.Forge, request: merge_requests.MergeRequest, commit: str
) -> merge_requests.MergeRequest:
    """The merge request once the forge knows that its branch is at a commit.

    Raises:
        hanbae.errors.Refused: The branch is elsewhere.
    """
    attempts = backoffs.Attempts(_LOOKS)
    async for _ in attempts:
        if request.head == commit:
            return request
        facts = {"url": request.url, "head": request.head[:12], "commit": commit[:12]}
        attempts.failed(errors.Refused("promotion.overtaken", place=None, **facts))
        request = await forge.opened(request.source, request.target) or request
    raise attempts.error
