"""What a history answers: what was asked for, and beside it what of it cannot be read."""

from __future__ import annotations

from typing import NamedTuple

from hanbae import errors, subjects
from hanbae.results.deployments import Deployment, Unreadable


class Listing(NamedTuple):
    """Deployments, and the records among them that cannot be read.

    Attributes:
        deployments: What was asked for, in its order.
        unreadable: Records that would be among them.
        place: The history.
    """

    deployments: list[Deployment]
    unreadable: tuple[Unreadable, ...]
    place: subjects.Place

    def require(self) -> list[Deployment]:
        """The deployments, for whoever decides by them.

        Raises:
            hanbae.errors.FileFault: A record among them cannot be read.
        """
        for record in self.unreadable:
            raise errors.FileFault.saying(record.why, self.place)
        return self.deployments


class Copied(NamedTuple):
    """What a copy has added, and what it has left out.

    Attributes:
        deployments: How many deployments were added or gone on with.
        events: How many events.
        unreadable: Records of the other history that cannot be read.
        differing: Ids of deployments that are recorded otherwise here than there.
    """

    deployments: int
    events: int
    unreadable: tuple[Unreadable, ...] = ()
    differing: tuple[str, ...] = ()
