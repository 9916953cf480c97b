"""Of which commit ``hanbae stop`` takes the migrations that it must not interrupt."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.support.migrating_clones import VALUES, Clone

from hanbae import errors
from hanbae.actions import stop
from hanbae.deploying import stopping
from hanbae.engines import protocol
from hanbae.results import plans

BARE = "-- +goose NO TRANSACTION\n-- +goose Up\nSELECT 1;\n"
WAITS = "deploy.bare-running"
NOWHERE = "0" * 40


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """Three commits, and a fourth with a migration without a transaction, which was fetched last."""
    clone = Clone(tmp_path)
    clone.git("remote", "add", "origin", "https://git.example.com/shop.git")
    clone.commits.append(clone.migrate(4, BARE))
    clone.git("update-ref", "refs/remotes/origin/release", clone.commits[-1])
    return clone


@pytest.fixture(autouse=True)
def _every_job_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster in which each Job that may be in such a migration is."""

    async def bare_running(_: object, plan: plans.Plan) -> tuple[stopping.Bare, ...]:
        proofs = [step.does for step in plan.steps if isinstance(step.does, plans.Prove)]
        return tuple(stopping.Bare(proof.hook) for proof in proofs if proof.bare)

    monkeypatch.setattr(stopping, "bare_running", bare_running)


async def waits(clone: Clone, revision: str, head: Callable[[], str]) -> str:
    async def fetched(_: str) -> str:
        return head()

    space = clone.space
    space.head = fetched
    clusters: Any = SimpleNamespace(workload=None)
    engine: Any = None
    occupant = protocol.Occupant("o1", revision, "mina", False, "", "waiting", {})
    running = stop.Running(
        space, clusters, engine, "auth", "staging", deployment="", occupant=occupant
    )
    text = await running.waits_for()
    return text.id if text is not None else ""


def away() -> str:
    raise errors.Unreachable("repository.unreachable", place=None)


async def test_the_operations_own_commit_counts_while_the_remote_is_away(clone: Clone) -> None:
    assert await waits(clone, clone.commits[3], away) == WAITS
    assert not await waits(clone, clone.commits[2], away)


async def test_the_operations_own_commit_counts_where_the_head_does_not_render(
    clone: Clone,
) -> None:
    (clone.root / VALUES).write_text("a: [\n")
    head = clone.commit()
    assert await waits(clone, clone.commits[3], lambda: head) == WAITS


async def test_of_a_commit_that_is_not_here_the_head_as_last_fetched_counts(clone: Clone) -> None:
    assert await waits(clone, NOWHERE, away) == WAITS
    clone.git("update-ref", "refs/remotes/origin/release", clone.commits[2])
    assert not await waits(clone, NOWHERE, away)


async def test_that_nothing_is_known_of_the_migrations_is_said(clone: Clone) -> None:
    clone.git("update-ref", "-d", "refs/remotes/origin/release")
    assert await waits(clone, NOWHERE, away) == "stop.unplanned"


async def test_a_commit_that_only_the_remote_has_is_fetched(clone: Clone) -> None:
    commit = clone.migrate(5)
    clone.git("update-ref", "refs/remotes/origin/release", clone.commits[2])
    loose = clone.root / ".git/objects" / commit[:2] / commit[2:]
    data = loose.read_bytes()
    loose.unlink()

    def fetch() -> str:
        loose.write_bytes(data)
        return commit

    assert await waits(clone, commit, fetch) == WAITS
