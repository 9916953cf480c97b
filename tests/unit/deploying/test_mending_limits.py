"""What had too little memory or time is mended at the line of the commit that says how much it may have."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from hanbae import subjects, wording
from hanbae.charts import scaffolding
from hanbae.deploying import mending
from hanbae.policy import documents
from hanbae.repository import checkouts
from hanbae.results import events, plans

POLICY = documents.Policy(
    version=1,
    argocd=documents.ArgoCD("https://git.example.com/shop.git"),
    environments={"staging": documents.Environment(branch="release", namespace_suffix="-staging")},
)
NAMESPACE = "services-staging"
JOB = subjects.Ref("Job", NAMESPACE, "auth-service-migrate")
JOB_TEMPLATE = "services/auth/helm/templates/migration-job.yaml"
VALUES = "services/auth/helm/values-staging.yaml"
DEPLOY = ("hanbae", "deploy", "auth", "--env", "staging")


class Clone:
    """As much of a workspace as is looked at."""

    policy = POLICY

    def __init__(self, root: Path) -> None:
        self.root = root
        for path, text in scaffolding.chart_files("auth", POLICY).items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text.replace('tag: ""', 'tag: "1.0.0"'))
        self.git("init", "--quiet")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "A service")
        self.checkout = checkouts.Checkout.open(root)

    def git(self, *words: str) -> str:
        identity = ("-c", "user.name=kim", "-c", "user.email=kim@example.com")
        answer = subprocess.run(
            ["git", *identity, *words], cwd=self.root, check=True, capture_output=True, text=True
        )
        return answer.stdout.strip()

    def line(self, file: str, text: str, *, after: str = "") -> int:
        """The number of the first line with a text, behind the one with another."""
        lines = (self.root / file).read_text().splitlines()
        start = next(index for index, line in enumerate(lines) if after in line)
        return (
            next(index for index, line in enumerate(lines) if index >= start and text in line) + 1
        )

    async def cure(
        self, text_id: str, subject: subjects.Ref, hook: subjects.Ref | None, **facts: str
    ) -> mending.Cure | None:
        revision = self.git("rev-parse", "HEAD")
        plan = plans.Plan(
            1, "auth", "staging", (plans.Step("sync", plans.Sync("auth-staging", revision)),)
        )
        cause = wording.Text(text_id, facts)
        space: Any = self
        diagnosis = events.Diagnosed(subject, cause, ("kubectl",), fatal=True)
        return await mending.of_limit(space, plan, diagnosis, hook)


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return Clone(tmp_path)


@pytest.mark.parametrize("text_id", ["diagnosis.migration-killed", "diagnosis.out-of-memory"])
async def test_migration_is_given_more_memory_in_its_template(clone: Clone, text_id: str) -> None:
    pod = subjects.Ref("Pod", NAMESPACE, "auth-service-migrate-x2v8q")
    subject = JOB if text_id == "diagnosis.migration-killed" else pod
    cure = await clone.cure(text_id, subject, JOB, container="migrate", limit="256Mi")
    assert cure is not None
    assert cure.command == DEPLOY
    assert cure.text.id == "deploy.raise-memory"
    line = clone.line(JOB_TEMPLATE, "memory:", after="limits:")
    assert cure.text.facts["place"] == f"{JOB_TEMPLATE}:{line}"


async def test_program_is_given_more_memory_in_the_values_of_its_environment(clone: Clone) -> None:
    pod = subjects.Ref("Pod", NAMESPACE, "auth-service-5f9c7d8b6-x2v8q")
    cure = await clone.cure("diagnosis.killed", pod, None, container="app", limit="256Mi")
    assert cure is not None
    assert cure.command == DEPLOY
    line = clone.line(VALUES, "memory:", after="  limits:")
    assert cure.text.facts["place"].startswith(f"{VALUES}:{line}")


async def test_migration_that_takes_too_long_is_given_more_time(clone: Clone) -> None:
    cure = await clone.cure("diagnosis.migration-too-long", JOB, JOB, job=JOB.name)
    assert cure is not None
    assert cure.text.id == "deploy.raise-deadline"
    line = clone.line(JOB_TEMPLATE, "activeDeadlineSeconds:")
    assert cure.text.facts["place"] == f"{JOB_TEMPLATE}:{line}"


@pytest.mark.parametrize(
    ("text_id", "facts"),
    [
        ("diagnosis.crashing", {"container": "app"}),
        ("diagnosis.killed", {"container": "sidecar"}),  # injected: no line of the commit has it
    ],
)
async def test_what_no_line_limits_is_not_mended_by_one(
    clone: Clone, text_id: str, facts: dict[str, str]
) -> None:
    pod = subjects.Ref("Pod", NAMESPACE, "auth-service-5f9c7d8b6-x2v8q")
    assert await clone.cure(text_id, pod, None, **facts) is None
