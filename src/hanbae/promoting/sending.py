"""Brings a promotion to the remote and to the forge: the branch, its merge request, what is said of both.

Each step looks first whether it was done. So a promotion that was killed is run again and goes on where it was, and one
that was opened before is brought up to date.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from hanbae import errors, workspaces
from hanbae.forges import choosing, protocol
from hanbae.repository import commit_graph
from hanbae.results import merge_requests, promotions
from hanbae.streams import backoffs

TRAILER: Final = "Promoted-Set"
"""Marks the commits that are hanbae's, so that it overwrites no others."""
MARK: Final = "<!-- hanbae promote -->"
"""Marks the comment that is hanbae's."""
_LOOKS: Final = 6


class Words(Struct, frozen=True):
    """What is said of a promotion.

    Attributes:
        title: One line.
        body: Of the merge request; Markdown.
        comment: The plan; Markdown with the mark.
        statuses: What was looked at, and how it ended.
    """

    title: str
    body: str
    comment: str
    statuses: tuple[merge_requests.Status, ...]


async def send(
    space: workspaces.Workspace,
    promotion: promotions.Promotion,
    words: Words,
    environment: Mapping[str, str],
) -> promotions.Promoted:
    """Push a promotion, and open its merge request or bring it up to date.

    Args:
        space: The workspace.
        promotion: The promotion.
        words: What is said of it.
        environment: Variables, among which may be the forge's token.

    Raises:
        hanbae.errors.Refused: Somebody else's commits are on the branch, it has moved meanwhile, or the remote or the
            forge does not want it.
        hanbae.errors.Unreachable: The remote or the forge did not answer.
    """
    await _push(space, promotion)
    address = space.checkout.address(space.policy.argocd.remote)
    draft = protocol.Draft(promotion.branch, promotion.into, words.title, words.body)
    async with choosing.connect(address, environment) as forge:
        if forge is None:
            return promotions.Promoted(promotion, "pushed")
        before = await forge.opened(draft.source, draft.target)
        request = await (forge.edit(before, draft) if before else _opened(forge, draft))
        request = await _at(forge, request, promotion.commit)
        for status in words.statuses:
            await forge.report(promotion.commit, status)
        await forge.comment(request, words.comment, mark=MARK)
    return promotions.Promoted(promotion, "updated" if before else "opened", request)


async def _push(space: workspaces.Workspace, promotion: promotions.Promotion) -> None:
    remote, branch = space.policy.argocd.remote, promotion.branch
    async with space.fetching:
        there = ""
        try:
            await asyncio.to_thread(space.checkout.fetch, remote, [branch])
            there = space.checkout.head(remote, branch)
        except errors.WrongUse as error:
            if error.text.id != "repository.no-branch":
                raise
        if there == promotion.commit:
            return
        message = commit_graph.Graph(space.checkout.root).message(there) if there else ""
        if there and f"\n{TRAILER}: " not in message:
            facts = {"branch": branch, "commit": there[:12], "remote": remote}
            raise errors.Refused("promotion.others-commits", place=None, **facts)
        await asyncio.to_thread(space.checkout.push, remote, promotion.commit, branch, over=there)


async def _opened(forge: protocol.Forge, draft: protocol.Draft) -> merge_requests.MergeRequest:
    """A new merge request, or the one that somebody else has opened in the same moment."""
    try:
        return await forge.open(draft)
    except errors.Refused:
        request = await forge.opened(draft.source, draft.target)
        if request is None:
            raise
        return request


async def _at(
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
