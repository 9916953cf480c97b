"""The demo's promotion: what was proven in one environment becomes another one's, by image, and nothing is built again.

There is no forge here: hanbae pushes its branch, and the merge, which is a reviewer's work, is a push of git's.
"""

from __future__ import annotations

from typing import Final, Protocol

from hanbae import wording, workspaces
from hanbae.actions import promote
from hanbae.promoting import refusals, sending
from hanbae.results import promotions
from hanbae.sandbox import demo_repository, demo_shop
from hanbae.streams import backoffs

_UNSETTLED: Final = "promotion.unsettled"
_LOOKS: Final = 20
_LONGEST_PAUSE: Final = 5.0


class Telling(Protocol):
    """How a caller follows the promotion."""

    def step(self, text: wording.Text) -> None:
        """A part of the job begins."""

    def words(self, promotion: promotions.Promotion) -> sending.Words:
        """What is said of a promotion to who reviews it."""

    def promoted(self, promotion: promotions.Promotion) -> None:
        """What moves."""


async def carry_out(shop: demo_shop.Shop, source: str, target: str, telling: Telling) -> None:
    """``hanbae promote``, and the merge of what it has pushed.

    Args:
        shop: The shop; everything of it was deployed to the source.
        source: The environment in which it was proven.
        target: The environment that gets it.
        telling: Follows it.

    Raises:
        hanbae.errors.Refused: What runs in the source is not what was proven there.
        hanbae.errors.Unreachable: The cluster did not answer.
    """
    telling.step(wording.Text("demo.promoting", {"source": source, "target": target}))
    demo_repository.identify(shop.repository.clone)
    with workspaces.opened(shop.repository.clone, kubeconfig=shop.sandbox.kubeconfig) as space:
        promotion = await _prepared(space, source, target)
        telling.promoted(promotion)
        # Without variables there is no forge, whatever the person is logged in to.
        await promote.carry_out(space, promotion, telling.words(promotion), {})
    facts = {"branch": promotion.branch, "into": promotion.into}
    telling.step(wording.Text("demo.merging", facts))
    shop.repository.switch(promotion.into)
    demo_repository.git(shop.repository.clone, "merge", "--quiet", "--ff-only", promotion.commit)
    shop.repository.push(promotion.into)


async def _prepared(space: workspaces.Workspace, source: str, target: str) -> promotions.Promotion:
    """The promotion, once the source has come to rest: Argo CD may still heal an object that it has just synced."""
    pauses = backoffs.Backoff(first=1.0, longest=_LONGEST_PAUSE)
    attempts = backoffs.Attempts(_LOOKS, backoff=pauses)
    async for _ in attempts:
        try:
            return await promote.prepare(space, (), source, target)
        except refusals.NotPromotable as refusal:
            if any(reason.id != _UNSETTLED for reason in refusal.reasons):
                raise
            attempts.failed(refusal)
    raise attempts.error
