"""Services that are broken in ways that only a real node, scheduler, admission and quota can show, side by side.

Each is named with its cause, and no operation is left that would block the next deployment.
Causes with scenes of their own are in ``test_deploy_images.py``, ``test_deploy_migrations.py`` and
``test_deploy_secrets.py``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from hanbae.policy import naming
from hanbae.testing import scenes

ENVIRONMENT = "early"
SILENT: dict[str, Any] = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingWebhookConfiguration",
    "metadata": {"name": "nobody-answers"},
    "webhooks": [
        {
            "name": "nobody.answers.example.com",
            "clientConfig": {"service": {"namespace": "default", "name": "nobody"}},
            "objectSelector": {"matchLabels": {"app.kubernetes.io/name": "hooked"}},
            "rules": [
                {
                    "apiGroups": [""],
                    "apiVersions": ["v1"],
                    "operations": ["CREATE"],
                    "resources": ["pods"],
                }
            ],
            "failurePolicy": "Fail",
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            "timeoutSeconds": 2,
        }
    ],
}


def in_template(scene: scenes.Scene, service: str, name: str, old: str, new: str) -> None:
    path = scene.clone / naming.chart(scene.shop.policy, service) / "templates" / f"{name}.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def unready(scene: scenes.Scene, service: str) -> None:
    scene.set_environment(service, REQUIRED_TABLES="personal_db.nowhere")


def huge(scene: scenes.Scene, service: str) -> None:
    """More than the namespace's quota, which the policy's overlay sets."""
    scene.edit(service, {"resources.requests.cpu": "500"})


def privileged(scene: scenes.Scene, service: str) -> None:
    in_template(
        scene,
        service,
        "deployment",
        "allowPrivilegeEscalation: false",
        "allowPrivilegeEscalation: true",
    )


def late(scene: scenes.Scene, service: str) -> None:
    scenes.write_migrations(
        scene.migrations(service), {"00009_late.sql": ["SELECT pg_sleep(300);"]}
    )
    deadline = naming.seconds(scene.shop.policy.migrations.deadline)
    in_template(
        scene,
        service,
        "migration-job",
        f"activeDeadlineSeconds: {deadline}",
        "activeDeadlineSeconds: 10",
    )
    scene.once(service)
    scene.build(service, acts_as="personal")


def nowhere(scene: scenes.Scene, service: str) -> None:
    """Only on a node that there is not."""
    before = "automountServiceAccountToken: false"
    in_template(
        scene, service, "deployment", before, f"{before}\n      nodeSelector: {{disk: fast}}"
    )


def hooked(scene: scenes.Scene, service: str) -> None:
    assert service == "hooked"
    scene.shop.sandbox.kubectl(["apply", "-f", "-"], stdin=json.dumps(SILENT).encode())


FAULTS: dict[str, tuple[Callable[[scenes.Scene, str], None], str]] = {
    "unready": (unready, "diagnosis.not-ready"),
    "huge": (huge, "diagnosis.quota"),
    "privileged": (privileged, "diagnosis.pod-security"),
    "late": (late, "diagnosis.migration-too-long"),
    "nowhere": (nowhere, "diagnosis.unschedulable"),
    "hooked": (hooked, "diagnosis.webhook-silent"),
}


@pytest.fixture(scope="module")
def ended(demo: Any) -> tuple[scenes.Scene, scenes.Ended]:
    """One deployment of all of them."""
    scene = scenes.own(demo.sandbox, ENVIRONMENT)
    for service, (breaks, _) in FAULTS.items():
        scene.create(service, like="personal")
        scene.seal(service)
        breaks(scene, service)
    scene.publish("Everything that can break")
    try:
        return scene, scene.deploy(*FAULTS, "--timeout", "60")
    finally:
        words = ["delete", "validatingwebhookconfiguration", "nobody-answers"]
        scene.shop.sandbox.kubectl(words)


@pytest.mark.parametrize("service", FAULTS)
def test_cause_is_named_and_nothing_is_left_running(
    ended: tuple[scenes.Scene, scenes.Ended], service: str
) -> None:
    scene, run = ended
    assert run.code == 1, run.err
    (found,) = [each for each in run.deployments if each["service"] == service]
    assert found["outcome"] == "failed"
    causes = {each["cause"]["id"] for each in found["diagnoses"]}
    assert FAULTS[service][1] in causes, (causes, run.err)
    application = scene.operation(service)
    assert "operation" not in application
    assert application["status"]["operationState"]["phase"] in {"Succeeded", "Failed", "Error"}
