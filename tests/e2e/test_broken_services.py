"""Services that are broken in every way that a real cluster tells of, side by side.

Each is named with its cause soon after the cluster knows, and no operation is left that would block the next
deployment. What they leave is what `hanbae doctor` looks at: the policy's troubleshooting table, row by row.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from tests.support import delays, faults, scenes

ENVIRONMENT: Final = "broken"
#: Seconds from the cluster's word to ours. The budget is one second, which `./dev bench` measures; thirteen
#: deployments beside other scenes get more, but less than the end of anything that waits for a deadline.
WITHIN: Final = 15.0
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
"""A Service that leads nowhere."""


@pytest.fixture(scope="module")
def deployed(demo: Any) -> Iterator[tuple[scenes.Scene, delays.Named]]:
    """One deployment of all of them."""
    scene = scenes.own(demo.sandbox, ENVIRONMENT, services=(faults.LIKE,))
    try:
        faults.publish(scene)
        yield scene, delays.deploy(scene)
    finally:
        faults.clean(scene)


@pytest.fixture(scope="module")
def scene(deployed: tuple[scenes.Scene, delays.Named]) -> scenes.Scene:
    """What the deployment has left."""
    return deployed[0]


@pytest.mark.parametrize("service", faults.FAULTS)
def test_cause_is_named_at_once_and_nothing_is_left_running(
    deployed: tuple[scenes.Scene, delays.Named], service: str
) -> None:
    scene, run = deployed
    assert run.ended.code == 1, run.ended.err
    (verdict,) = [
        deployment for deployment in run.ended.deployments if deployment["service"] == service
    ]
    assert verdict["outcome"] == "failed"
    causes = {deployment["cause"]["id"] for deployment in verdict["diagnoses"]}
    assert causes & set(faults.FAULTS[service].causes), (causes, run.ended.err)
    assert run.after[service] <= WITHIN
    application = scene.operation(service)
    assert "operation" not in application
    assert application["status"]["operationState"]["phase"] in {"Succeeded", "Failed", "Error"}


def test_image_and_pull_secret_are_named_and_no_password(
    deployed: tuple[scenes.Scene, delays.Named],
) -> None:
    _, run = deployed
    assert faults.NOWHERE in run.ended.err
    assert faults.WRONG_CREDENTIALS in run.ended.err
    assert faults.GUESSED not in run.ended.err + run.ended.out


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
    namespace = scene.namespace("ghost")
    labels = {"app.kubernetes.io/instance": "ghost-service"}
    stray = STRAY | {"metadata": {"name": "stray", "namespace": namespace, "labels": labels}}
    scene.shop.sandbox.kubectl(["apply", "-f", "-"], stdin=json.dumps(stray).encode())
    kept = tmp_path / "broken.json"
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
    selecting = named(document, "ghost")["diagnosis.selects-nothing"]
    assert selecting["subject"]["name"] == "stray"
    assert not document["unseen"]

    text = kept.read_text()
    assert kept.stat().st_mode & 0o077 == 0
    secrets = scene.shop.sandbox.kubectl(["get", "secrets", "-n", namespace, "-o", "json"])
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


def test_the_next_deployment_brings_an_image_that_is_there(scene: scenes.Scene) -> None:
    scene.build("ghost", acts_as=faults.LIKE)
    scene.publish("An image that is there")
    mended = scene.deploy("ghost")
    assert mended.code == 0, mended.err
