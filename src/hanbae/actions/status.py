"""``hanbae status``: where every service stands in every environment, once or again and again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from typing import Final

from msgspec import structs

from hanbae import errors, workspaces
from hanbae.actions import every_environment
from hanbae.deploying import (
    holding,
    lease_lists,
    permitting,
    standing_engines,
    standing_records,
    taken_away,
)
from hanbae.images import versions
from hanbae.planning import pending
from hanbae.policy import calendars
from hanbae.results import deployments, holds, reach, standings

LOOKS_EVERY: Final = 5.0
"""Seconds between two looks at the clusters."""
FETCHES_EVERY: Final = 30.0
"""Seconds between two questions to the remote for the heads of the branches."""

_Heads = dict[str, str | errors.Error]


async def status(
    space: workspaces.Workspace,
    services: Sequence[str] = (),
    environments: Sequence[str] = (),
) -> standings.Standings:
    """Where services stand; an environment that does not answer hides no other.

    Args:
        space: The workspace.
        services: The services; all of the working tree if none is given.
        environments: The environments; all on Kubernetes if none is given.

    Raises:
        hanbae.errors.WrongUse: There is no such service or environment.
    """
    names = every_environment.chosen(space, services, environments)
    return await _Look(space, await space.heads(names)).at_all(services, names)


async def watch(
    space: workspaces.Workspace,
    services: Sequence[str] = (),
    environments: Sequence[str] = (),
) -> AsyncGenerator[standings.Standings]:
    """Where services stand, again and again; it never ends by itself.

    Args:
        space: The workspace.
        services: The services; all of the working tree if none is given.
        environments: The environments; all on Kubernetes if none is given.

    Raises:
        hanbae.errors.WrongUse: There is no such service or environment.
    """
    names = every_environment.chosen(space, services, environments)
    clock = asyncio.get_running_loop().time
    heads, fetched = await space.heads(names), clock()
    while True:
        began = clock()
        # The remote is asked less often than the clusters: each time git fetches.
        if began - fetched >= FETCHES_EVERY:
            heads, fetched = await space.heads(names), clock()
        yield await _Look(space, heads).at_all(services, names)
        await asyncio.sleep(max(LOOKS_EVERY - (clock() - began), 0))


class _Look:
    """One look at every environment."""

    def __init__(self, space: workspaces.Workspace, heads: _Heads) -> None:
        self._space = space
        self._heads = heads
        self._commits = pending.Commits(space.checkout, space.policy)
        self._engines = standing_engines.Engines(space, self._commits)
        self._held: dict[str, list[holds.HeldService]] = {}
        self._unread: dict[str, reach.Unreached] = {}
        self._unreadable: dict[str, tuple[deployments.Unreadable, ...]] = {}

    async def at_all(
        self, services: Sequence[str], environments: Sequence[str]
    ) -> standings.Standings:
        """Where services stand in environments."""
        answers = await every_environment.ask(self._space, services, environments, self._standings)
        listed = {
            (entry.service, name): entry
            for name, entries in answers.of.items()
            for entry in entries
        }
        names = answers.environments
        return standings.Standings(
            tuple(
                listed.get((service, name), standings.Standing(service, name, "unknown"))
                for service in answers.services
                for name in names
            ),
            answers.unreached,
            tuple(_frozen(self._space, names)),
            tuple(entry for name in names for entry in self._held.get(name, ())),
            tuple(self._unread[name] for name in names if name in self._unread),
            tuple(record for name in names for record in self._unreadable.get(name, ())),
        )

    async def _standings(
        self, space: workspaces.Workspace, services: Sequence[str], environment: str
    ) -> list[standings.Standing]:
        """Where services stand in one environment."""
        head = self._heads[environment]
        # Without the head nothing can be said of what is pending, so this environment counts as one
        # that did not answer.
        if isinstance(head, errors.Error):
            raise head
        async with space.clusters(environment) as clusters:
            judged = await self._engines.judge(clusters, services, environment, head=head)
            by_service = await self._leases(clusters, services, environment)
        self._held[environment] = holding.held(by_service, environment)
        entries = list(map(self._with_files, judged))
        if not entries:
            return []
        entries, self._unreadable[environment] = standing_records.completed(
            entries, by_service, space.store
        )
        return [
            taken_away.judged(space.policy, entry, by_service.get(entry.service))
            for entry in entries
        ]

    async def _leases(
        self, clusters: workspaces.Clusters, services: Sequence[str], environment: str
    ) -> lease_lists.ByService:
        """Service → its Lease; who may read none sees where services stand all the same."""
        policy = self._space.policy
        try:
            return await lease_lists.of_services(policy, clusters.workload, services, environment)
        except errors.Error as error:
            self._unread[environment] = reach.Unreached(environment, error.text)
            return {}

    def _with_files(self, entry: standings.Standing) -> standings.Standing:
        """What the names of images and the files of commits say."""
        return structs.replace(
            entry,
            version=versions.of(entry.images, entry.service),
            pending=self._commits.migrations(entry.service, entry.deployed, entry.head),
        )


def _frozen(space: workspaces.Workspace, names: Sequence[str]) -> Iterator[standings.Frozen]:
    """The environments that the policy freezes now."""
    for name in names:
        frozen = calendars.frozen(space.policy, name, space.clock())
        if frozen is not None:
            freeze, until = frozen.freeze, permitting.until(frozen)
            yield standings.Frozen(name, freeze.name, freeze.reason, until)
