"""An older commit is deployed only if the branch contains it and no database is past it, as far as anybody knows."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from tests.support.migrating_clones import Clone, ended, lease

from hanbae import errors, wording
from hanbae.deploying import claiming, older_commits, verifying_plan
from hanbae.planning import deployments
from hanbae.repository import checkouts
from hanbae.results import guards


async def reasons(clone: Clone, commit: str) -> tuple[wording.Text, ...]:
    source = await clone.source(commit)
    planned = {"auth": deployments.plan(source, is_older=True)}
    clusters: Any = SimpleNamespace(workload=None)
    return await older_commits.reasons(clone.space, clusters, [source], planned)


def resolve(clone: Clone, revision: str) -> str:
    return older_commits.resolve(clone.space, "staging", revision, clone.commits[-1])


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clone:
    clone = Clone(tmp_path)

    async def read_claim(*_: object) -> Any:
        return None if clone.lease is None else SimpleNamespace(marks=clone.lease)

    monkeypatch.setattr(claiming, "lease", read_claim)
    return clone


def test_commits_of_the_branch_are_taken_by_any_name_of_gits(clone: Clone) -> None:
    first, second, head = clone.commits
    assert resolve(clone, first) == first
    assert resolve(clone, second[:9]) == second
    assert resolve(clone, "release~1") == second
    assert resolve(clone, head) == head


def test_a_commit_of_another_branch_is_refused(clone: Clone) -> None:
    clone.git("switch", "-qc", "other", clone.commits[0])
    elsewhere = clone.commit()
    with pytest.raises(errors.Refused) as refused:
        resolve(clone, elsewhere)
    assert refused.value.text.id == "deploy.revision-elsewhere"
    assert refused.value.text.facts["branch"] == "release"


def test_what_is_no_commit_is_wrong_use(clone: Clone) -> None:
    with pytest.raises(errors.WrongUse):
        resolve(clone, "nowhere")


def test_a_shallow_clone_says_that_it_cannot_tell(clone: Clone, tmp_path: Path) -> None:
    shallow = tmp_path / "shallow"
    first = clone.commits[0]
    clone.git("clone", "-q", "--depth=1", clone.root.as_uri(), str(shallow))
    # Asked for by its id, it comes without what leads to it.
    subprocess.run(["git", "fetch", "-q", "--depth=1", "origin", first], cwd=shallow, check=True)
    space = clone.space
    space.checkout = checkouts.Checkout.open(shallow)
    with pytest.raises(errors.Refused) as refused:
        older_commits.resolve(space, "staging", first, clone.commits[-1])
    assert refused.value.text.id == "deploy.revision-shallow"


def test_an_automated_environment_follows_its_head_alone(tmp_path: Path) -> None:
    clone = Clone(tmp_path, "auto")
    assert resolve(clone, clone.commits[-1]) == clone.commits[-1]
    with pytest.raises(errors.Refused) as refused:
        resolve(clone, clone.commits[0])
    assert refused.value.text.id == "deploy.revision-automated"
    settings = msgspec.structs.replace(clone.policy.environments["staging"], engine="helm")
    clone.policy = msgspec.structs.replace(clone.policy, environments={"staging": settings})
    assert resolve(clone, clone.commits[0]) == clone.commits[0], "Helm follows nothing by itself"


async def test_a_database_that_is_no_further_than_the_commit_lets_it_pass(clone: Clone) -> None:
    first, second, _ = clone.commits
    clone.lease, clone.recorded = lease(first, "succeeded"), [ended(first, "succeeded", 1)]
    assert await reasons(clone, second) == ()
    assert await reasons(clone, first) == ()


@pytest.mark.parametrize("is_recorded", [True, False])
async def test_migrations_past_the_commit_are_named(clone: Clone, *, is_recorded: bool) -> None:
    first, _, head = clone.commits
    clone.lease = lease(head, "succeeded")
    clone.recorded = [ended(head, "succeeded", 3)] if is_recorded else []
    (reason,) = await reasons(clone, first)
    assert reason.id == "deploy.behind-database"
    assert reason.facts["files"] == "00002_m.sql, 00003_m.sql"
    assert reason.facts["database"] == "auth_db"


async def test_only_what_a_failed_deployment_reached_counts(clone: Clone) -> None:
    first, second, head = clone.commits
    clone.lease = lease(head, "failed")
    clone.recorded = [ended(head, "failed", 2), ended(first, "succeeded", 1)]
    (reason,) = await reasons(clone, first)
    assert (reason.id, reason.facts["files"]) == ("deploy.behind-database", "00002_m.sql")
    assert await reasons(clone, second) == ()


@pytest.mark.parametrize("outcome", ["failed", "stopped", "unknown", "superseded", ""])
async def test_where_nobody_knows_how_far_it_came_the_head_is_to_be_proven_first(
    clone: Clone, outcome: str
) -> None:
    first, _, head = clone.commits
    clone.lease = lease(head, outcome, deployment="of-another-machine")
    clone.recorded = [ended(first, "succeeded", 1)]
    (reason,) = await reasons(clone, first)
    assert reason.id == "deploy.perhaps-behind-database"
    assert reason.facts["files"] == "00002_m.sql, 00003_m.sql"
    assert reason.facts["deployment"] == "of-another-machine"


@pytest.mark.parametrize(
    "outcomes", [["succeeded"], ["refused", "succeeded"], ["refused", "failed", "succeeded"]]
)
async def test_without_a_lease_the_history_answers_back_to_the_last_success(
    clone: Clone, outcomes: Sequence[str]
) -> None:
    first, second, head = clone.commits
    clone.recorded = [ended(second, outcome) for outcome in outcomes[:-1]]
    clone.recorded += [ended(first, outcomes[-1], 1), ended(head, "succeeded", 3)]
    # What was proven before the last success has been taken back by hand since, or the success would not be one.
    assert bool(await reasons(clone, first)) == ("failed" in outcomes)
    assert await reasons(clone, second) == ()


async def test_a_commit_that_is_not_here_is_compared_by_its_version(clone: Clone) -> None:
    first, _, head = clone.commits
    clone.recorded = [ended("f" * 40, "succeeded", 7)]
    (reason,) = await reasons(clone, head)
    assert (reason.id, reason.facts["files"]) == ("deploy.behind-database", "7")
    clone.recorded = [ended("f" * 40, "succeeded", 1)]
    assert await reasons(clone, first) == ()


async def test_what_hanbae_never_deployed_is_left_to_the_proof(clone: Clone) -> None:
    assert await reasons(clone, clone.commits[0]) == ()


async def test_the_promise_is_that_the_branch_contains_the_commit_when_the_deployment_begins(
    clone: Clone,
) -> None:
    first = clone.commits[0]
    revision = checkouts.Checkout.open(clone.root).revision(first)
    source = await deployments.read(clone.policy, revision, "auth", "staging")
    plan = deployments.plan(source, is_older=True)
    promise = guards.contained(plan)
    assert promise == guards.BranchContains("release", first)
    assert guards.head(plan) is None
    clusters: Any = None
    clone.commit()
    await verifying_plan.keep(clone.space, clusters, plan)
    clone.git("checkout", "-q", "--orphan", "new")
    clone.commit()
    clone.git("branch", "-qf", "release", "new")
    with pytest.raises(errors.Refused) as refused:
        await verifying_plan.keep(clone.space, clusters, plan)
    assert refused.value.text.id == "deploy.revision-elsewhere"
