"""The age of the newest backup, by CloudNativePG's objects in a real API server and by a real PostgreSQL."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from tests.support import polling, postgresql, standing_shops

from hanbae.clusters import connections
from hanbae.gates import deciding, restore_point, targets
from hanbae.policy import documents

if TYPE_CHECKING:
    from tests.api.conftest import ControlPlane

NAMESPACE = "backups-of-auth"
#: The parts of CloudNativePG's definition that hanbae reads.
DEFINITION: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "backups.postgresql.cnpg.io"},
    "spec": {
        "group": "postgresql.cnpg.io",
        "names": {"kind": "Backup", "listKind": "BackupList", "plural": "backups", "singular": "backup"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1", "served": True, "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}  # fmt: skip


def target(point: documents.RestorePoint, workload: Any, root: Path) -> Any:
    policy = documents.Policy(
        version=1,
        argocd=documents.ArgoCD("https://git.example.com/shop.git"),
        environments={"dev": documents.Environment(branch="develop")},
        services=documents.Services(namespace=NAMESPACE),
        checklists=documents.Checklists(restore_point=point),
    )
    source = SimpleNamespace(
        policy=policy,
        service="auth",
        environment="dev",
        revision=SimpleNamespace(commit="a" * 40),
    )
    return SimpleNamespace(
        source=source,
        policy=policy,
        proofs=[object()],
        workload=workload,
        redact=str,
        trusted=targets.Trusted(frozenset({point.program}), root),
        clock=lambda: datetime.now(UTC),
        facts={"service": "auth", "environment": "dev"},
    )


def backup(name: str, cluster: str, phase: str, hours: float) -> dict[str, Any]:
    stopped = datetime.now(UTC) - timedelta(hours=hours)
    return {
        "apiVersion": "postgresql.cnpg.io/v1",
        "kind": "Backup",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"cluster": {"name": cluster}},
        "status": {"phase": phase, "stoppedAt": f"{stopped:%Y-%m-%dT%H:%M:%SZ}"},
    }


async def test_cloudnativepgs_newest_completed_backup_of_the_cluster_decides(
    cluster: connections.Cluster, control_plane: ControlPlane, tmp_path: Path
) -> None:
    point = documents.RestorePoint(cluster="{service}-db", within="24h")
    looked_at = target(point, cluster, tmp_path)
    verdict = (await deciding.verdicts_of(["restore-point"], looked_at))["restore-point"]
    assert verdict.outcome == "undecided", "the cluster has no such kind"
    kubectl = standing_shops.Kubectl(
        control_plane.programs.path("kubectl"), control_plane.kubeconfig
    )
    kubectl.apply([DEFINITION])
    kubectl.await_kinds("backups.postgresql.cnpg.io")
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    others = [
        backup("other-cluster", "orders-db", "completed", 1),
        backup("running", "auth-db", "running", 1),
        backup("failed", "auth-db", "failed", 1),
    ]
    kubectl.apply([space, *others])
    verdict = await restore_point.decide(looked_at)
    assert verdict.reasons[0].id == "gate.restore-point-none"
    assert verdict.command[:3] == ("kubectl", "get", "backups.postgresql.cnpg.io")
    kubectl.apply([backup("old", "auth-db", "completed", 30)])
    assert (await restore_point.decide(looked_at)).reasons[0].id == "gate.restore-point-old"
    kubectl.apply([backup("new", "auth-db", "completed", 2)])
    verdict = await restore_point.decide(looked_at)
    assert (verdict.outcome, verdict.command) == ("passed", ())
    assert verdict.evidence[0].facts["what"] == f"{NAMESPACE}/auth-db"


@pytest.fixture
def archiving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A PostgreSQL that archives its log while a file is there, and the user's psql with its connections."""
    from tests.support.registries import Quiet

    from hanbae.sandbox import binaries

    works = tmp_path / "works"
    works.touch()
    folder = tmp_path / "server"
    folder.mkdir()
    settings = {"archive_mode": "on", "archive_command": f"test -e {works}"}
    programs = binaries.obtain(progress=Quiet())
    tools = tmp_path / "bin"
    tools.mkdir()
    libraries = f"{programs.postgres / 'lib'}:{programs.postgres_libraries}"
    (tools / "psql").write_text(
        f'#!/bin/sh\nLD_LIBRARY_PATH={libraries} exec {programs.postgres}/bin/psql "$@"\n'
    )
    (tools / "psql").chmod(0o755)
    with postgresql.running(folder, **settings) as url:
        parts = urlsplit(url)
        services, passwords = tmp_path / "services", tmp_path / "passwords"
        services.write_text(
            f"[auth-dev]\nhost={parts.hostname}\nport={parts.port}\nuser=postgres\ndbname=postgres\n"
        )
        passwords.write_text(f"*:*:*:*:{postgresql.PASSWORD}\n")
        passwords.chmod(0o600)
        monkeypatch.setenv("PGSERVICEFILE", str(services))
        monkeypatch.setenv("PGPASSFILE", str(passwords))
        monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
        yield works


def sql(statement: str) -> str:
    words = ["psql", "service=auth-dev", "-AtXqc", statement]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()


async def test_postgresqls_own_archiver_decides(archiving: Path, tmp_path: Path) -> None:
    point = documents.RestorePoint(database="{service}-{environment}", within="1h")
    looked_at = target(point, None, tmp_path / "clone")
    verdict = await restore_point.decide(looked_at)
    assert verdict.reasons[0].id == "gate.restore-point-none", "nothing is archived yet"
    sql("SELECT pg_switch_wal()")
    polling.until(lambda: sql("SELECT archived_count > 0 FROM pg_stat_archiver") == "t", within=60)
    verdict = await restore_point.decide(looked_at)
    assert verdict.outcome == "passed", verdict
    assert postgresql.PASSWORD not in str(verdict)
    archiving.unlink()  # noqa: ASYNC240  nobody waits for it
    sql("CREATE TABLE later (); SELECT pg_switch_wal()")
    failing = "SELECT last_failed_time > last_archived_time FROM pg_stat_archiver"
    polling.until(lambda: sql(failing) == "t", within=60)
    verdict = await restore_point.decide(looked_at)
    assert verdict.reasons[0].id == "gate.restore-point-none", "archiving fails"


async def test_a_database_that_is_not_there_leaves_it_undecided(
    archiving: Path, tmp_path: Path
) -> None:
    del archiving
    point = documents.RestorePoint(database="nowhere")
    verdict = await restore_point.decide(target(point, None, tmp_path / "clone"))
    assert verdict.unseen[0].id == "gate.command-failed"
    assert "nowhere" in verdict.unseen[0].facts["log"]
