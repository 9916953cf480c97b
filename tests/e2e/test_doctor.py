"""The policy's troubleshooting table on a real cluster: each row is named with its cause, outside of a deployment."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from tests.support import faults, scenes

ENVIRONMENT: Final = "ward"
ROWS: Final = {
    "wrong": ("doctor.migration-failed", "diagnosis.migration-hopeless", "hanbae history show"),
    "bare": ("doctor.secret-absent", "diagnosis.secret-missing", "hanbae secrets seal bare"),
    "ghost": ("doctor.image-not-pulled", "diagnosis.image-not-found", "hanbae image set ghost"),
    "stranger": ("doctor.image-not-pulled", "diagnosis.image-unauthorised", "hanbae history show"),
    "nowhere": ("doctor.pod-starts-not", "diagnosis.no-such-node", "kubectl describe nodes"),
}
"""Service → symptom, cause and what the command holds; what a hook wrote is in the history when its sync is over."""
STRAY: Final[dict[str, Any]] = {
    "apiVersion": "v1",
    "kind": "Service",
    "spec": {"selector": {"app": "nobody"}, "ports": [{"port": 80}]},
}


@pytest.fixture(scope="module")
def scene(demo: Any) -> Iterator[scenes.Scene]:
    """Five broken services whose deployments have failed, and a Service that leads nowhere."""
    scene = scenes.own(demo.sandbox, ENVIRONMENT, services=())
    try:
        faults.publish(scene, tuple(ROWS))
        ended = scene.deploy(*ROWS, "--timeout", "120", "--no-preflight")
        assert ended.code == 1, ended.err
        namespace = scene.namespace("ghost")
        labels = {"app.kubernetes.io/instance": "ghost-service"}
        stray = STRAY | {"metadata": {"name": "stray", "namespace": namespace, "labels": labels}}
        scene.shop.sandbox.kubectl(["apply", "-f", "-"], stdin=json.dumps(stray).encode())
        yield scene
    finally:
        faults.clean(scene)


def doctor(scene: scenes.Scene, *words: str, kubeconfig: str) -> tuple[int, dict[str, Any]]:
    ended = scenes.hanbae(
        "doctor", *words, "--output", "json", directory=scene.clone, KUBECONFIG=kubeconfig
    )
    assert ended.out, ended.err
    return ended.code, json.loads(ended.out)


def named(document: dict[str, Any], service: str) -> dict[str, dict[str, Any]]:
    return {
        entry["cause"]["id"]: entry
        for entry in document["diagnoses"]
        if entry["service"] == service
    }


def test_each_row_is_named_with_its_cause_evidence_and_command(
    scene: scenes.Scene, tmp_path: Path
) -> None:
    kept = tmp_path / "ward.json"
    admin = str(scene.shop.sandbox.kubeconfig)
    code, document = doctor(
        scene, *ROWS, "--env", scene.environment, "--snapshot", str(kept), kubeconfig=admin
    )
    assert code == 1, document
    for service, (symptom, cause, command) in ROWS.items():
        entry = named(document, service)[cause]
        assert entry["symptom"]["id"] == symptom
        assert entry["severity"] == ("warning" if service == "nowhere" else "error")
        assert command in " ".join(entry["command"])
        assert entry["evidence"], entry
    stray = named(document, "ghost")["diagnosis.selects-nothing"]
    assert stray["subject"]["name"] == "stray"
    assert not document["unseen"]

    text = kept.read_text()
    assert kept.stat().st_mode & 0o077 == 0
    secrets = scene.shop.sandbox.kubectl(
        ["get", "secrets", "-n", scene.namespace("ghost"), "-o", "json"]
    )
    for secret in json.loads(secrets)["items"]:
        assert not [value for value in (secret.get("data") or {}).values() if value in text]
    again = scenes.hanbae(
        "doctor", "--from-snapshot", str(kept), "--output", "json", directory=tmp_path
    )
    assert json.loads(again.out)["diagnoses"] == document["diagnoses"]
    assert again.code == 1


def test_the_deployer_is_told_what_it_may_not_look_at(scene: scenes.Scene) -> None:
    deployer = scene.deployer()["KUBECONFIG"]
    code, document = doctor(scene, "ghost", "--env", scene.environment, kubeconfig=deployer)
    assert code == 1, document
    assert "diagnosis.image-not-found" in named(document, "ghost")
    assert {entry["kind"] for entry in document["unseen"]} >= {"Node", "Ingress"}
