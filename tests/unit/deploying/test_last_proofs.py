"""A service is left out of a run only if all of it is as it was last proven; whoever cannot tell deploys."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hanbae import errors
from hanbae.charts import scaffolding
from hanbae.deploying import claiming, last_proofs, live_sources
from hanbae.planning import deployments
from hanbae.policy import loading
from hanbae.repository import checkouts
from hanbae.results import deployments as results

VALUES = "services/auth/helm/values-staging.yaml"
MIGRATION = "services/auth/migrations/00001_baseline.sql"
POLICY = """\
version: 1
argocd:
  repository: https://git.example.com/shop.git
environments:
  staging:
    branch: release
    namespace_suffix: -staging
"""


class Clone:
    """A clone with one service, and what the Lease and the history say of it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.lease: dict[str, str] | errors.Error | None = None
        self.recorded: list[tuple[str, str]] = []
        self.git("init", "-q", "-b", "release")
        (root / loading.NAME).write_text(POLICY)
        policy = loading.load(root / loading.NAME).policy
        files = scaffolding.chart_files("auth", policy, image="registry.example.com/shop/auth")
        for path, text in {**files, MIGRATION: "-- +goose Up\nSELECT 1;\n"}.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        self.edit(VALUES, 'tag: ""', "tag: 1.0.0")

    def git(self, *words: str) -> str:
        options = ("-c", "user.name=t", "-c", "user.email=t@example.com")
        ended = subprocess.run(
            ["git", *options, *words], cwd=self.root, check=True, capture_output=True, text=True
        )
        return ended.stdout.strip()

    def edit(self, path: str, old: str, new: str) -> None:
        text = (self.root / path).read_text()
        assert old in text
        (self.root / path).write_text(text.replace(old, new))

    def commit(self) -> str:
        self.git("add", "--all")
        self.git("commit", "-qm", "x", "--allow-empty")
        return self.git("rev-parse", "HEAD")

    def proven(self, commit: str, outcome: str = "succeeded") -> None:
        self.lease = {"deployment": "d1", "revision": commit, "outcome": outcome}

    async def is_unchanged(self) -> bool:
        commit = self.commit()
        policy = loading.load(self.root / loading.NAME).policy
        checkout = checkouts.Checkout.open(self.root)
        source = await deployments.read(policy, checkout.revision(commit), "auth", "staging")

        def recorded(*, service: str, environment: str) -> list[results.Deployment]:
            return [
                results.Deployment("d0", service, environment, revision, outcome)  # type: ignore[arg-type]
                for revision, outcome in self.recorded
            ]

        space: Any = SimpleNamespace(
            policy=policy, checkout=checkout, store=SimpleNamespace(deployments=recorded)
        )
        clusters: Any = SimpleNamespace(workload=None)
        names = await last_proofs.unchanged(space, clusters, {"auth": source})
        assert names in {(), ("auth",)}
        return bool(names)


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clone:
    clone = Clone(tmp_path)

    async def read_claim(*_: object) -> Any:
        if isinstance(clone.lease, errors.Error):
            raise clone.lease
        return None if clone.lease is None else SimpleNamespace(marks=clone.lease)

    async def nothing(*_: object) -> None:
        return None

    monkeypatch.setattr(live_sources, "_application", nothing)
    monkeypatch.setattr(claiming, "lease", read_claim)
    return clone


async def test_the_proven_commit_and_later_ones_that_are_about_something_else_are_left_out(
    clone: Clone,
) -> None:
    clone.proven(clone.commit())
    assert await clone.is_unchanged()
    (clone.root / "README.md").write_text("words\n")
    clone.edit(VALUES, "image:", "# A comment renders nothing.\nimage:")
    assert await clone.is_unchanged()


CHANGES: dict[str, Callable[[Clone], None]] = {
    "an image": lambda clone: clone.edit(VALUES, "tag: 1.0.0", "tag: 1.0.1"),
    "an object": lambda clone: clone.edit(VALUES, "replicas: 2", "replicas: 3"),
    "a migration's text": lambda clone: clone.edit(MIGRATION, "SELECT 1", "SELECT 2"),
    "a new migration": lambda clone: (
        (clone.root / MIGRATION.replace("00001_baseline", "00002_b")).write_text("-- +goose Up\n"),
        None,
    )[1],
    "the namespace": lambda clone: clone.edit(loading.NAME, "-staging", "-stage"),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_whatever_differs_is_deployed(clone: Clone, change: str) -> None:
    clone.proven(clone.commit())
    CHANGES[change](clone)
    assert not await clone.is_unchanged()


async def test_a_commit_that_was_taken_back_is_compared_with_what_runs_not_with_what_was_before(
    clone: Clone,
) -> None:
    clone.commit()
    clone.edit(VALUES, "tag: 1.0.0", "tag: 1.0.1")
    clone.proven(clone.commit())
    clone.edit(VALUES, "tag: 1.0.1", "tag: 1.0.0")
    assert not await clone.is_unchanged()


@pytest.mark.parametrize("outcome", ["failed", "stopped", "refused", "unknown", ""])
async def test_a_last_deployment_without_success_is_no_proof(clone: Clone, outcome: str) -> None:
    clone.proven(clone.commit(), outcome)
    assert not await clone.is_unchanged()


async def test_a_service_that_was_never_deployed_is_not_left_out(clone: Clone) -> None:
    assert not await clone.is_unchanged()


async def test_a_commit_that_this_clone_does_not_have_proves_nothing(clone: Clone) -> None:
    clone.proven("f" * 40)
    assert not await clone.is_unchanged()


@pytest.mark.parametrize(
    ("recorded", "unchanged"),
    [
        (["succeeded"], True),
        (["refused", "succeeded"], True),
        (["failed", "succeeded"], False),
        (["running", "succeeded"], False),
    ],
)
@pytest.mark.parametrize("lease", [None, errors.Forbidden("cluster.forbidden", place=None)])
async def test_the_history_answers_where_no_lease_does(
    clone: Clone, lease: errors.Error | None, recorded: list[str], *, unchanged: bool
) -> None:
    commit = clone.commit()
    clone.lease = lease
    clone.recorded = [(commit, outcome) for outcome in recorded]
    assert await clone.is_unchanged() is unchanged
