"""Brings a promotion to the remote and to the forge: the branch, its merge request, what is said of both."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from hanbae import workspaces
from hanbae.forges import protocol
from hanbae.promoting import offering
from hanbae.results import merge_requests, promotions

TRAILER: Final = "Promoted-Set"
"""Marks the commits that are hanbae's, so that it overwrites no others."""
MARK: Final = "<!-- hanbae promote -->"
"""Marks the comment that is hanbae's."""


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
    draft = protocol.Draft(promotion.branch, promotion.into, words.title, words.body)
    offer = offering.Offer(
        promotion.commit, TRAILER, draft, words.statuses, comment=words.comment, mark=MARK
    )
    offered = await offering.offer(space, offer, environment)
    if offered.request is None:
        return promotions.Promoted(promotion, "pushed")
    return promotions.Promoted(
        promotion, "updated" if offered.was_open else "opened", offered.request
    )
