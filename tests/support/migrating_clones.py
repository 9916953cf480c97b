"""A clone whose branch gains a migration with each commit, and what the Lease and the history say of it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hanbae.charts import scaffolding
from hanbae.planning import deployments
from hanbae.policy import documents
from hanbae.repository import checkouts
from hanbae.results import deployments as results

VALUES = "services/auth/helm/values-staging.yaml"
FOLDER = "services/auth/migrations"


def policy(sync: str = "manual") -> documents.Policy:
    """One environment."""
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
        """What git answers."""
        options = ("-c", "user.name=t", "-c", "user.email=t@example.com")
        ended = subprocess.run(
            ["git", *options, *words], cwd=self.root, check=True, capture_output=True, text=True
        )
        return ended.stdout.strip()

    def migrate(self, number: int, text: str = "-- +goose Up\nSELECT 1;\n") -> str:
        """A commit with one more migration."""
        (self.root / FOLDER).mkdir(parents=True, exist_ok=True)
        (self.root / FOLDER / f"{number:05d}_m.sql").write_text(text)
        return self.commit()

    def commit(self) -> str:
        """A commit of everything that is there; its id."""
        self.git("add", "--all")
        self.git("commit", "-qm", "x", "--allow-empty")
        return self.git("rev-parse", "HEAD")

    @property
    def space(self) -> Any:
        """As much of a workspace as asks nobody."""

        async def head(_: str) -> str:
            return self.git("rev-parse", "release")

        return SimpleNamespace(
            policy=self.policy,
            checkout=checkouts.Checkout.open(self.root),
            environment=self.policy.environments.__getitem__,
            head=head,
            store=SimpleNamespace(deployments=lambda **_: self.recorded),
        )

    async def source(self, commit: str) -> deployments.Source:
        """The service at a commit."""
        revision = checkouts.Checkout.open(self.root).revision(commit)
        return await deployments.read(self.policy, revision, "auth", "staging")


def ended(revision: str, outcome: str, version: int | None = None) -> results.Deployment:
    """A deployment as the history has it."""
    migration = results.Migration("auth_db", 3, version, proven=outcome == "succeeded")
    migrations = () if version is None else (migration,)
    return results.Deployment("d1", "auth", "staging", revision, outcome, migrations=migrations)  # type: ignore[arg-type]


def lease(revision: str, outcome: str, deployment: str = "d1") -> dict[str, str]:
    """The marks of a Lease."""
    return {"deployment": deployment, "revision": revision, "outcome": outcome}
