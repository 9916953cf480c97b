"""An older commit is deployed only if the branch contains it and no database is past it, as far as anybody knows."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hanbae import errors, wording
from hanbae.charts import scaffolding
from hanbae.deploying import claiming, older_commits, verifying_plan
from hanbae.planning import deployments
from hanbae.policy import documents
from hanbae.repository import checkouts
from hanbae.results import deployments as results
from hanbae.results import guards

VALUES = "services/auth/helm/values-staging.yaml"
FOLDER = "services/auth/migrations"


def policy(sync: str = "manual") -> documents.Policy:
    environment = documents.Environment(branch="release", sync=sync)  # type: ignore[arg-type]
    return documents.Policy(
        version=1,
        argocd=documents.ArgoCD("https://git.example.com/shop.git"),
        environments={"staging": environment},
    )


class Clone:
    """A branch on which each commit adds a migration, and what the Lease and the history say."""

    def __init__(self, root: Path, sync: str = "manual") -> None:
        self.root = root
        self.policy = policy(sync)
        self.lease: dict[str, str] | None = None
        self.recorded: list[results.Deployment] = []
        self.git("init", "-q", "-b", "release")
        files = scaffolding.chart_files("auth", self.policy, image="registry.example.com/shop/auth")
        for path, text in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text.replace('tag: ""', "tag: 1.0.0"))
        for path in (root / FOLDER).glob("*.sql"):
            path.unlink()
        self.commits = [self.migrate(number) for number in (1, 2, 3)]

    def git(self, *words: str) -> str:
        options = ("-c", "user.name=t", "-c", "user.email=t@example.com")
        ended = subprocess.run(
            ["git", *options, *words], cwd=self.root, check=True, capture_output=True, text=True
        )
        return ended.stdout.strip()

    def migrate(self, number: int) -> str:
        (self.root / FOLDER).mkdir(parents=True, exist_ok=True)
        (self.root / FOLDER / f"{number:05d}_m.sql").write_text("-- +goose Up\nSELECT 1;\n")
        return self.commit()

    def commit(self) -> str:
        self.git("add", "--all")
        self.git("commit", "-qm", "x", "--allow-empty")
        return self.git("rev-parse", "HEAD")

    @property
    def space(self) -> Any:
        async def head(_: str) -> str:
            return self.git("rev-parse", "release")

        return SimpleNamespace(
            policy=self.policy,
            checkout=checkouts.Checkout.open(self.root),
            environment=self.policy.environments.__getitem__,
            head=head,
            store=SimpleNamespace(deployments=lambda **_: self.recorded),
        )

    def resolve(self, revision: str) -> str:
        return older_commits.resolve(self.space, "staging", revision, self.commits[-1])

    async def reasons(self, commit: str) -> tuple[wording.Text, ...]:
        revision = checkouts.Checkout.open(self.root).revision(commit)
        source = await deployments.read(self.policy, revision, "auth", "staging")
        planned = {"auth": deployments.plan(source, is_older=True)}
        clusters: Any = SimpleNamespace(workload=None)
        return await older_commits.reasons(self.space, clusters, [source], planned)


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clone:
    clone = Clone(tmp_path)

    async def read_claim(*_: object) -> Any:
        return None if clone.lease is None else SimpleNamespace(marks=clone.lease)

    monkeypatch.setattr(claiming, "seen", read_claim)
    return clone


def test_commits_of_the_branch_are_taken_by_any_name_of_gits(clone: Clone) -> None:
    first, second, head = clone.commits
    assert clone.resolve(first) == first
    assert clone.resolve(second[:9]) == second
    assert clone.resolve("release~1") == second
    assert clone.resolve(head) == head


def test_a_commit_of_another_branch_is_refused(clone: Clone) -> None:
    clone.git("switch", "-qc", "other", clone.commits[0])
    elsewhere = clone.commit()
    with pytest.raises(errors.Refused) as refused:
        clone.resolve(elsewhere)
    assert refused.value.text.id == "deploy.revision-elsewhere"
    assert refused.value.text.facts["branch"] == "release"


def test_what_is_no_commit_is_wrong_use(clone: Clone) -> None:
    with pytest.raises(errors.WrongUse):
        clone.resolve("nowhere")


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
    assert clone.resolve(clone.commits[-1]) == clone.commits[-1]
    with pytest.raises(errors.Refused) as refused:
        clone.resolve(clone.commits[0])
    assert refused.value.text.id == "deploy.revision-automated"


def ended(revision: str, outcome: str, version: int | None = None) -> results.Deployment:
    migration = results.Migration("auth_db", 3, version, proven=outcome == "succeeded")
    migrations = () if version is None else (migration,)
    return results.Deployment("d1", "auth", "staging", revision, outcome, migrations=migrations)  # type: ignore[arg-type]


def lease(revision: str, outcome: str, deployment: str = "d1") -> dict[str, str]:
    return {"deployment": deployment, "revision": revision, "outcome": outcome}


async def test_a_database_that_is_no_further_than_the_commit_lets_it_pass(clone: Clone) -> None:
    first, second, _ = clone.commits
    clone.lease, clone.recorded = lease(first, "succeeded"), [ended(first, "succeeded", 1)]
    assert await clone.reasons(second) == ()
    assert await clone.reasons(first) == ()


@pytest.mark.parametrize("is_recorded", [True, False])
async def test_migrations_past_the_commit_are_named(clone: Clone, *, is_recorded: bool) -> None:
    first, _, head = clone.commits
    clone.lease = lease(head, "succeeded")
    clone.recorded = [ended(head, "succeeded", 3)] if is_recorded else []
    (reason,) = await clone.reasons(first)
    assert reason.id == "deploy.behind-database"
    assert reason.facts["files"] == "00002_m.sql, 00003_m.sql"
    assert reason.facts["database"] == "auth_db"


async def test_only_what_a_failed_deployment_reached_counts(clone: Clone) -> None:
    first, second, head = clone.commits
    clone.lease = lease(head, "failed")
    clone.recorded = [ended(head, "failed", 2), ended(first, "succeeded", 1)]
    (reason,) = await clone.reasons(first)
    assert (reason.id, reason.facts["files"]) == ("deploy.behind-database", "00002_m.sql")
    assert await clone.reasons(second) == ()


@pytest.mark.parametrize("outcome", ["failed", "stopped", "unknown", "superseded", ""])
async def test_where_nobody_knows_how_far_it_came_the_head_is_to_be_proven_first(
    clone: Clone, outcome: str
) -> None:
    first, _, head = clone.commits
    clone.lease = lease(head, outcome, deployment="of-another-machine")
    clone.recorded = [ended(first, "succeeded", 1)]
    (reason,) = await clone.reasons(first)
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
    assert bool(await clone.reasons(first)) == ("failed" in outcomes)
    assert await clone.reasons(second) == ()


async def test_a_commit_that_is_not_here_is_compared_by_its_version(clone: Clone) -> None:
    first, _, head = clone.commits
    clone.recorded = [ended("f" * 40, "succeeded", 7)]
    (reason,) = await clone.reasons(head)
    assert (reason.id, reason.facts["files"]) == ("deploy.behind-database", "7")
    clone.recorded = [ended("f" * 40, "succeeded", 1)]
    assert await clone.reasons(first) == ()


async def test_what_hanbae_never_deployed_is_left_to_the_proof(clone: Clone) -> None:
    assert await clone.reasons(clone.commits[0]) == ()


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
