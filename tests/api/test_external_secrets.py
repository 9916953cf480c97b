"""What is scaffolded for External Secrets, in an API server that serves its real kind, and what its status says there.

The operator does not run here, with the clients of all its stores: its word is as it wrote it beside this chart, built
with its fake provider and run by hand.
"""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from tests.support import external_secrets, standing_shops

from hanbae.actions import init, new_service
from hanbae.cli import main

if TYPE_CHECKING:
    from tests.api.conftest import ControlPlane

Kubectl = Callable[..., str]
STORE = "  provider: external-secrets\n  store: ClusterSecretStore/shop\n"
NAMESPACE = "services-dev"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    root = tmp_path / "shop"
    root.mkdir()
    init.init(root, repository="https://git.example.com/shop.git", one_cluster=True)
    policy = root / "hanbae.yaml"
    policy.write_text(policy.read_text().replace("  provider: sealed-secrets\n", STORE))
    new_service.new_service(root, "auth")
    values = root / "services/auth/helm/values-dev.yaml"
    values.write_text(values.read_text().replace('tag: ""', "tag: v1"))
    return root


@pytest.fixture
def kubectl(
    control_plane: ControlPlane, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Kubectl]:
    standing_shops.as_administrator(monkeypatch, control_plane.kubeconfig, tmp_path / "state")
    program = str(control_plane.programs.path("kubectl"))

    def run(*words: str, stdin: str = "") -> str:
        ended = subprocess.run(
            [program, f"--kubeconfig={control_plane.kubeconfig}", *words],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    yield run
    run("delete", "crd", "externalsecrets.external-secrets.io", "--ignore-not-found")
    run("delete", "namespace", NAMESPACE, "--ignore-not-found", "--wait=false")
    run(
        "replace", "--raw", f"/api/v1/namespaces/{NAMESPACE}/finalize", "-f", "-",
        stdin=json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}),
    )  # fmt: skip


def test_scaffold_is_taken_and_the_operators_word_is_told(
    shop: Path,
    kubectl: Kubectl,
    control_plane: ControlPlane,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"")))
    program = control_plane.programs.path("kubectl")
    cluster = standing_shops.Kubectl(program, control_plane.kubeconfig)

    def ran(*words: str) -> tuple[int, str, str]:
        code = main.run(["--lang", "en", "-C", str(shop), *words])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    def verified() -> tuple[int, dict[str, str], str]:
        words = ("--env", "dev", "--live", "--context", "admin", "--output", "json")
        code, out, err = ran("secrets", "verify", "auth", *words)
        rows = json.loads(out).get("keys", ()) if out else ()
        return code, {row["key"]: row["state"] for row in rows}, out + err

    code, _, output = verified()
    assert code == 2
    assert "ExternalSecret" in output or "externalsecrets" in output

    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    kubectl("apply", "-f", "-", stdin=json.dumps(space))
    kubectl("create", "-f", str(external_secrets.definition()))
    cluster.await_kinds("externalsecrets.external-secrets.io")
    assert verified()[:2] == (0, {"DATABASE_URL": "made"})

    _, out, _ = ran("render", "auth", "--env", "dev")
    (manifest,) = [
        item for item in yaml.safe_load_all(out) if item and item["kind"] == "ExternalSecret"
    ]
    kubectl("apply", "-n", NAMESPACE, "-f", "-", stdin=json.dumps(manifest))
    assert verified()[:2] == (0, {"DATABASE_URL": "made"})

    def answer(status: str, message: str, synced: str) -> None:
        condition: dict[str, Any] = {"type": "Ready", "status": status, "message": message}
        condition |= {"reason": "SecretSynced" if status == "True" else "SecretSyncedError"}
        condition |= {"lastTransitionTime": "2026-11-29T05:00:00Z"}
        content: dict[str, Any] = {"status": {"conditions": [condition]}}
        if synced:
            content["status"] |= {
                "binding": {"name": "auth-secrets"},
                "refreshTime": "2026-11-29T05:00:00Z",
                "syncedResourceVersion": synced,
            }
        else:  # nothing was fetched yet
            content["status"] |= {"binding": {"name": ""}, "refreshTime": None}
        words = ("patch", "externalsecret", "auth-secrets", "-n", NAMESPACE, "--subresource=status")
        kubectl(*words, "--type=merge", "-p", json.dumps(content))

    answer("False", "could not get secret data from provider", "")
    code, states, output = verified()
    assert (code, states) == (1, {"DATABASE_URL": "refused"})
    assert "could not get secret data from provider" in output
    assert "ClusterSecretStore/shop" in output

    answer("True", "secret synced", "1-3e862306cde2f925c93bbef388b145037dd1280d0a637c0cac14e7aa")
    assert verified()[:2] == (0, {"DATABASE_URL": "fetched"})

    values = shop / "services/auth/helm/values-dev.yaml"
    values.write_text(values.read_text().replace("entry: dev/auth", "entry: dev/other"))
    assert verified()[:2] == (0, {"DATABASE_URL": "made"}), "the cluster has another commit's"
