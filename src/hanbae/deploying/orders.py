"""What a driver is to do with one deployment, and what was done of it before."""

from __future__ import annotations

from msgspec import Struct

from hanbae import wording, workspaces
from hanbae.deploying import resuming
from hanbae.planning import deployments
from hanbae.results import checklists, plans


class Order(Struct, frozen=True):
    """What is to be driven, and how.

    Attributes:
        space: The workspace.
        plan: What to do.
        deployment: The deployment's id.
        by: Who drives it.
        limit: Seconds for all of it; None for the policy's deadlines.
        waits: Wait while somebody else deploys the application, instead of refusing.
        past: What was done of it before, when it is resumed.
        stops: End it instead of going on with it.
        before: What became of the checklist before it, and what somebody waives so that it may be deployed at all; None
            where that was not decided now.
        source: The service at its commit; None where it was not read yet.
    """

    space: workspaces.Workspace
    plan: plans.Plan
    deployment: str
    by: str
    limit: float | None = None
    waits: bool = False
    past: resuming.Past | None = None
    stops: bool = False
    before: checklists.Checked | None = None
    source: deployments.Source | None = None

    @property
    def opened_by(self) -> str:
        """Who began the deployment: another person, where it is resumed."""
        return self.past.by if self.past is not None else self.by

    @property
    def resumption(self) -> wording.Text | None:
        """That it goes on with what was begun before; None where nothing was, or where that is ended instead."""
        return None if self.past is None or self.stops else self.past.half_done

    @property
    def was_announced(self) -> bool:
        """Whether an earlier driver has announced a step."""
        return self.past is not None and self.past.reached >= 0
