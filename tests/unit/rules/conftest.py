"""The shop as a team would have it that has sealed its secrets and named its images, and one pool for all tests."""

from __future__ import annotations

import asyncio
import functools
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from tests.support import trees

from hanbae import subjects
from hanbae.charts import pools
from hanbae.checking import settling, whole_repository
from hanbae.policy import documents, loading
from hanbae.repository import services
from hanbae.results import findings
from hanbae.rules import rulebook, views
from hanbae.sandbox import demo_repository

Check = Callable[..., tuple[findings.Finding, ...]]


@pytest.fixture(scope="session")
def shop() -> trees.MemoryTree:
    """The shop, prepared."""
    prepared = Path(__file__).parent / "prepared"
    return trees.MemoryTree.of(demo_repository.example(), prepared)


@functools.cache
def parsed(policy: bytes) -> tuple[documents.Policy, Mapping[str, subjects.Place]]:
    """A policy and its places; nearly all examples have the same one."""
    return loading.parse(policy, "hanbae.yaml")


def project(
    tree: trees.MemoryTree, branches: Mapping[str, trees.MemoryTree] | None = None
) -> views.Project:
    policy, places = parsed(tree.contents["hanbae.yaml"])
    return views.Project(policy, places, tree, services.of(policy, tree), branches or {})


@pytest.fixture(scope="session")
def runner() -> Iterator[asyncio.Runner]:
    """One event loop for all checks, so that they can share what it has opened."""
    with asyncio.Runner() as runner:
        yield runner


class Remembering(pools.Pool):
    """Renderers that render the same chart with the same values once; most examples change something else."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self._replies: dict[bytes, bytes] = {}

    async def exchange(
        self, message: Sequence[bytes], *, chart: str, limit: float = pools.TIMEOUT
    ) -> bytes:
        """The reply of the first time: all that it follows from is in the message."""
        key = hashlib.sha256(b"".join(message)).digest()
        if key not in self._replies:
            self._replies[key] = await super().exchange(message, chart=chart, limit=limit)
        return self._replies[key]


@pytest.fixture(scope="session")
def pool(runner: asyncio.Runner) -> Iterator[pools.Pool]:
    """Renderers that are started once: most charts here render faster than a process starts."""
    opened = Remembering(len(os.sched_getaffinity(0)))
    yield opened
    runner.run(opened.close())


@pytest.fixture
def checked(runner: asyncio.Runner, pool: pools.Pool) -> Check:
    """Checks a tree in memory with all rules, or with those that are given."""

    def run(
        tree: trees.MemoryTree,
        services: Sequence[str],
        rules: Sequence[rulebook.Rule] | None = None,
        branches: Mapping[str, trees.MemoryTree] | None = None,
    ) -> tuple[findings.Finding, ...]:
        chosen = tuple(rulebook.rules().values()) if rules is None else tuple(rules)
        repository = project(tree, branches)
        inspection = runner.run(whole_repository.inspect(repository, services, chosen, pool=pool))
        return settling.settle(repository, inspection, services).findings

    return run  # type: ignore[return-value]
