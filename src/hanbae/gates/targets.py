"""What gates look at: one service at one commit, its cluster, its registries, and what a deployment has recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from hanbae import errors, wording
from hanbae.clusters import connections
from hanbae.images import references, sources
from hanbae.planning import deployments, freezing
from hanbae.policy import documents, naming
from hanbae.results import checklists, events, plans

ASKS_WITHIN: Final = 15.0
"""Seconds for one question to a registry, or to the controller of the Sealed Secrets."""


class Trusted(Struct, frozen=True):
    """The commands of items that may run on this machine.

    Attributes:
        commands: Them, word by word.
        root: The repository, in which none of their programs may be.
    """

    commands: frozenset[tuple[str, ...]]
    root: Path


NOTHING: Final = Trusted(frozenset(), Path("/"))
"""Where no item has a command."""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Target:
    """A service in an environment, as gates look at it.

    Attributes:
        source: The service at its commit.
        plan: Its plan.
        workload: The pods' cluster.
        registries: How registries are asked.
        recorded: The events of its deployment so far; none where there is no deployment.
        redact: Takes secrets out of foreign words.
        proved: What goose has proven.
        refuted: Database → why it has not the commit's migrations, where a proof has failed.
        began: When its rollout began; None where nobody knows.
        trusted: The commands that may run on this machine; None where it is not known which.
        stated: What people say of its items, as far as it holds for this commit and today.
        clock: The time.
        typed: Completes a command for a person; by default it is complete.
    """

    source: deployments.Source
    plan: plans.Plan
    workload: connections.Cluster
    registries: sources.Sources
    recorded: tuple[events.Event, ...] = ()
    redact: Callable[[str], str] = str
    proved: tuple[events.Proved, ...] = ()
    refuted: Mapping[str, wording.Text] = field(default_factory=dict)
    began: datetime | None = None
    stated: tuple[checklists.Statement, ...] = ()
    trusted: Trusted | None = None
    clock: Callable[[], datetime] = _now
    typed: Callable[[tuple[str, ...]], tuple[str, ...]] = tuple
    _digests: list[asyncio.Task[dict[str, str | errors.Error]]] = field(default_factory=list)

    @property
    def policy(self) -> documents.Policy:
        """The policy."""
        return self.source.policy

    @property
    def environment(self) -> documents.Environment:
        """The environment."""
        return self.policy.environments[self.source.environment]

    @property
    def release(self) -> str:
        """Name of the Helm release."""
        return naming.release(self.policy, self.source.service, self.source.environment)

    @property
    def objects(self) -> list[dict[str, Any]]:
        """The rendered objects."""
        return [manifest.object for manifest in self.source.rendered.manifests]

    @property
    def proofs(self) -> Iterator[plans.Prove]:
        """The proofs of the plan."""
        return (step.does for step in self.plan.steps if isinstance(step.does, plans.Prove))

    @property
    def facts(self) -> dict[str, str]:
        """The facts of most sentences."""
        return {
            "service": self.source.service,
            "environment": self.source.environment,
            "revision": self.source.revision.commit[:12],
        }

    async def digests(self) -> Mapping[str, str | errors.Error]:
        """Image → its digest, asked for once.

        The digest is empty where the registry does not have the image, and an error where it does not say.
        """
        # One task for all gates, which run at the same time: each image is asked for once.
        if not self._digests:
            self._digests.append(asyncio.create_task(self._asked_for()))
        return await self._digests[0]

    async def _asked_for(self) -> dict[str, str | errors.Error]:
        names = freezing.references(self.source)
        digests = await asyncio.gather(*(digest(name, self.registries) for name in names))
        return dict(zip(names, digests, strict=True))


async def digest(name: str, registries: sources.Sources) -> str | errors.Error:
    """The digest of an image; empty where the registry does not have it; the error where it does not say."""
    host = ""
    try:
        reference = references.parse(name)
        host = reference.host
        async with asyncio.timeout(ASKS_WITHIN):
            return await registries.digest(reference) or ""
    except errors.Error as error:
        return error
    except TimeoutError:
        return errors.Unreachable("registry.unreachable", host=host, reason=f"> {ASKS_WITHIN:g} s")
