"""Plans of a chart that hanbae did not lay: what its Jobs migrate is read from them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from hanbae import wording
from hanbae.planning import deployments, migrating
from hanbae.policy import documents
from hanbae.repository import checkouts
from hanbae.results import plans

POLICY = documents.Policy(
    version=1,
    argocd=documents.ArgoCD("https://git.example.com/shop.git"),
    environments={"dev": documents.Environment(branch="develop", namespace_suffix="-dev")},
)
FILES = {
    "Chart.yaml": "apiVersion: v2\nname: user\nversion: 1.0.0\nappVersion: 2.0.0\n",
    "values.yaml": "app:\n  image: {repo: registry.example.com/user, version: 2.1.0}\n",
    "values-dev.yaml": "app: {replicas: 1}\n",
    "templates/jobs.yaml": """\
{{- range $wave, $name := list "identity" "profile" }}
---
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ $.Release.Name }}-db-{{ $name }}
  annotations:
    helm.sh/hook: pre-install,pre-upgrade
    helm.sh/hook-weight: "{{ $wave }}"
spec:
  template:
    metadata: {labels: {app: user-migrations}}
    spec:
      serviceAccountName: migrator
      imagePullSecrets: [{name: registry}]
      restartPolicy: Never
      containers:
        - name: migrate
          image: "{{ $.Values.app.image.repo }}-migrations:{{ $.Values.app.image.version }}"
          command: [sh, -c]
          args:
            - |
              echo "migrating {{ $name }}"
              /usr/local/bin/goose -dir /app/migrations/{{ $name }} postgres "$DB" up
          env:
            - {name: OTHER, value: x}
            - name: DB
              valueFrom: {secretKeyRef: {name: user-service-secret, key: {{ $name }}-database-url}}
{{- end }}
""",
}


def plan(folder: Path, files: dict[str, str]) -> tuple[plans.Plan, deployments.Source]:
    """The plan of a service with these files."""
    import asyncio

    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"]):
        own = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
        subprocess.run(["git", *own, *words], cwd=folder, check=True, capture_output=True)
    revision = checkouts.Checkout.open(folder).revision("HEAD")
    source = asyncio.run(deployments.read(POLICY, revision, "user", "dev"))
    return deployments.plan(source), source


def repository(job: str = FILES["templates/jobs.yaml"]) -> dict[str, str]:
    """A repository with the chart and the files of two databases."""
    chart = {f"services/user/helm/{path}": text for path, text in FILES.items()}
    chart["services/user/helm/templates/jobs.yaml"] = job
    names = ("identity/00001_a", "identity/00002_b", "profile/00007_c")
    return chart | {f"services/user/migrations/{name}.sql": "-- +goose Up\n" for name in names}


def test_each_database_of_its_jobs_is_proven(tmp_path: Path) -> None:
    planned, source = plan(tmp_path, repository())
    proofs = [step.does for step in planned.steps if isinstance(step.does, plans.Prove)]
    assert [(proof.database, proof.versions, proof.hook.name) for proof in proofs] == [
        ("identity", (1, 2), "user-service-db-identity"),
        ("profile", (7,), "user-service-db-profile"),
    ]
    files = migrating.paths(source.revision, source.databases(), source.migrations)
    assert files["profile"] == {7: "services/user/migrations/profile/00007_c.sql"}


def test_a_proof_has_nothing_of_the_job_but_what_was_read(tmp_path: Path) -> None:
    planned, _ = plan(tmp_path, repository())
    proof = next(step.does for step in planned.steps if isinstance(step.does, plans.Prove))
    spec = proof.job["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert container["image"] == "registry.example.com/user-migrations:2.1.0"
    assert container["command"] == ["/usr/local/bin/goose"]
    folder = "/app/migrations/identity"
    assert container["args"] == [
        "-env=none",
        "-dir",
        folder,
        "-table",
        "goose_db_version",
        "status",
    ]
    reference = {"name": "user-service-secret", "key": "identity-database-url"}
    assert container["env"] == [
        {"name": "GOOSE_DRIVER", "value": "postgres"},
        {"name": "GOOSE_DBSTRING", "valueFrom": {"secretKeyRef": reference}},
    ]
    assert spec["imagePullSecrets"] == [{"name": "registry"}]
    assert "serviceAccountName" not in spec
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_a_database_of_clickhouse_is_proven_with_its_own_driver_and_key(tmp_path: Path) -> None:
    """The proof is made; that a server answers it was seen of PostgreSQL only, as the page says."""
    job = FILES["templates/jobs.yaml"].replace('postgres "$DB" up', 'clickhouse "$DB" up')
    planned, _ = plan(tmp_path, repository(job))
    proof = next(step.does for step in planned.steps if isinstance(step.does, plans.Prove))
    (container,) = proof.job["spec"]["template"]["spec"]["containers"]
    reference = {"name": "user-service-secret", "key": "identity-database-url"}
    assert container["env"] == [
        {"name": "GOOSE_DRIVER", "value": "clickhouse"},
        {"name": "GOOSE_DBSTRING", "valueFrom": {"secretKeyRef": reference}},
    ]
    assert container["args"][-1] == "status"
    assert proof.versions == (1, 2)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('postgres "$DB" up', 'postgres "$DB?sslmode=disable" up', "release.address-composed"),
        ('postgres "$DB" up', 'mysql "$DB" up', "release.driver"),
        ("helm.sh/hook:", "note:", "release.no-hook"),
        ("/usr/local/bin/goose", "flyway migrate", "release.other-tool"),
    ],
)
def test_what_cannot_be_proven_is_said(
    tmp_path: Path, old: str, new: str, reason: str, recwarn: pytest.WarningsRecorder
) -> None:
    planned, _ = plan(tmp_path, repository(FILES["templates/jobs.yaml"].replace(old, new)))
    assert [step.id for step in planned.steps if isinstance(step.does, plans.Prove)] == []
    texts = [item.message.text for item in recwarn if isinstance(item.message, wording.Warned)]
    assert [text.id for text in texts] == [reason, reason]
    assert texts[0].facts["object"] == "Job/user-service-db-identity"
