"""Services that are broken in every way that a cluster tells of."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any, Final

from tests.support import scenes

from hanbae.policy import naming

LIKE: Final = "personal"
"""The service of the shop that each of them would be, were it not broken."""
NOWHERE: Final = "sha256:" + "0" * 64
"""The digest of an image that nobody has pushed."""
WRONG_CREDENTIALS: Final = "wrong-credentials"
"""A pull secret that does not open the registry,"""
GUESSED: Final = "c4n4ry-guessed"
"""and the password in it."""


@dataclass(frozen=True)
class Fault:
    """Something that is broken.

    Attributes:
        words: In words.
        breaks: Breaks the service; it is there already, with its secrets sealed.
        kind: The kind whose words tell it first.
        word: The cluster's own word for it, as a regular expression.
        causes: The causes of which one is to be named.
    """

    words: str
    breaks: Callable[[scenes.Scene, str], None]
    kind: str
    word: str
    causes: tuple[str, ...]


def _in_template(scene: scenes.Scene, service: str, name: str, old: str, new: str) -> None:
    path = scene.clone / naming.chart(scene.shop.policy, service) / "templates" / f"{name}.yaml"
    text = path.read_text()
    if old not in text:
        message = f"{path.name} has no {old!r}"
        raise ValueError(message)
    path.write_text(text.replace(old, new))


def _unready(scene: scenes.Scene, service: str) -> None:
    scene.set_environment(service, REQUIRED_TABLES=f"{LIKE}_db.nowhere")


def _crashing(scene: scenes.Scene, service: str) -> None:
    scene.set_environment(service, REQUIRED_TABLES="elsewhere.nothing")


def _huge(scene: scenes.Scene, service: str) -> None:
    """More than the namespace's quota, which the policy's overlay sets."""
    scene.edit(service, {"resources.requests.cpu": "500"})


def _starving(scene: scenes.Scene, service: str) -> None:
    """A migration of more than the memory that it may use."""
    lines = "\n".join(["x" * 1000] * 8000)
    _migrates(scene, service, f"SELECT length('{lines}');")
    scene.once(service)
    for old in ("memory: 64Mi", "memory: 256Mi"):
        _in_template(scene, service, "migration-job", old, "memory: 16Mi")


def _privileged(scene: scenes.Scene, service: str) -> None:
    old = "allowPrivilegeEscalation: false"
    _in_template(scene, service, "deployment", old, old.replace("false", "true"))


def _late(scene: scenes.Scene, service: str) -> None:
    _migrates(scene, service, "SELECT pg_sleep(300);")
    scene.once(service)
    deadline = naming.seconds(scene.shop.policy.migrations.deadline)
    old = f"activeDeadlineSeconds: {deadline}"
    _in_template(scene, service, "migration-job", old, "activeDeadlineSeconds: 10")


def _wrong(scene: scenes.Scene, service: str) -> None:
    """With all of its attempts: a Job of one has failed, which is another cause, before its log need be there."""
    _migrates(scene, service, "ALTER TABLE nowhere ADD COLUMN a text;")


def _migrates(scene: scenes.Scene, service: str, statement: str) -> None:
    scenes.write_migrations(scene.migrations(service), {"00009_broken.sql": [statement]})
    scene.build(service, acts_as=LIKE)


def _nowhere(scene: scenes.Scene, service: str) -> None:
    """Only on a node that there is not."""
    before = "automountServiceAccountToken: false"
    selector = f"{before}\n      nodeSelector: {{disk: fast}}"
    _in_template(scene, service, "deployment", before, selector)


def _hooked(scene: scenes.Scene, service: str) -> None:
    scene.shop.sandbox.kubectl(["apply", "-f", "-"], stdin=json.dumps(_silent(scene)).encode())


def _silent(scene: scenes.Scene) -> dict[str, Any]:
    """A webhook that nobody answers, for one service of a scene: what others clean away is their own."""
    namespace = scene.namespace("hooked")
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": f"nobody-answers-{namespace}"},
        "webhooks": [
            {
                "name": "nobody.answers.example.com",
                "clientConfig": {"service": {"namespace": "default", "name": "nobody"}},
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
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


def _bare(scene: scenes.Scene, service: str) -> None:
    """As it is scaffolded: nobody has sealed its secrets."""
    relative = naming.values_file(scene.shop.policy, service, scene.environment)
    path = scene.clone / relative
    text = re.sub(r"(  encryptedData:)\n(?:    .*\n)+", r"\1 {}\n", path.read_text())
    path.write_text(text)


def _ghost(scene: scenes.Scene, service: str) -> None:
    scene.edit(service, {"image.digest": NOWHERE})


def _stranger(scene: scenes.Scene, service: str) -> None:
    address = scene.shop.sandbox.registry.address
    config = json.dumps({"auths": {address: {"username": "hanbae", "password": GUESSED}}})
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/dockerconfigjson",
        "metadata": {"name": WRONG_CREDENTIALS, "namespace": scene.namespace(service)},
        "stringData": {".dockerconfigjson": config},
    }
    scene.shop.sandbox.kubectl(["apply", "-f", "-"], stdin=json.dumps(secret).encode())
    scene.replace(service, "- name: registry-credentials", f"- name: {WRONG_CREDENTIALS}")


def _locked(scene: scenes.Scene, service: str) -> None:
    theirs = scene.values_of(LIKE).get("sealedSecret.encryptedData.DATABASE_URL")
    scene.edit(service, {"sealedSecret.encryptedData.DATABASE_URL": theirs})


FAULTS: Final[dict[str, Fault]] = {
    "unready": Fault(
        "a readiness probe that fails",
        _unready,
        "events",
        r"Unhealthy +3 ",
        ("diagnosis.not-ready",),
    ),
    "crashing": Fault(
        "a program that crashes", _crashing, "pods", r"CrashLoopBackOff", ("diagnosis.crashing",)
    ),
    "starving": Fault(
        "too little memory",
        _starving,
        "pods",
        # containerd's word on a busy node is "Error", with the exit code of a killed process.
        r"\b(OOMKilled|Error)\b",
        ("diagnosis.out-of-memory", "diagnosis.killed"),
    ),
    "nowhere": Fault(
        "no node to run on", _nowhere, "pods", r"Unschedulable", ("diagnosis.unschedulable",)
    ),
    "hooked": Fault(
        "an admission webhook that is silent",
        _hooked,
        "events",
        r"FailedCreate .*failed calling webhook",
        ("diagnosis.webhook-silent",),
    ),
    "huge": Fault(
        "a quota that is too small",
        _huge,
        "events",
        r"FailedCreate .*quota",
        ("diagnosis.quota-too-small",),
    ),
    "privileged": Fault(
        "what pod security refuses",
        _privileged,
        "events",
        r"FailedCreate .*PodSecurity",
        ("diagnosis.pod-security",),
    ),
    "late": Fault(
        "a Job past its deadline",
        _late,
        "jobs",
        r"\bFailed\b.*DeadlineExceeded",
        ("diagnosis.migration-too-long",),
    ),
    "wrong": Fault(
        "a migration that fails",
        _wrong,
        "pods",
        r"\bError\b",
        ("diagnosis.migration-hopeless",),
    ),
    "bare": Fault(
        "a missing Secret",
        _bare,
        "pods",
        r"CreateContainerConfigError",
        ("diagnosis.secret-missing",),
    ),
    "ghost": Fault(
        "an image that is not there",
        _ghost,
        "pods",
        r"ErrImagePull",
        ("diagnosis.image-not-found",),
    ),
    "stranger": Fault(
        "an image that may not be pulled",
        _stranger,
        "pods",
        r"ErrImagePull",
        ("diagnosis.image-unauthorised",),
    ),
    "locked": Fault(
        "a SealedSecret that is not unsealed",
        _locked,
        "sealedsecrets",
        r"\bFalse\b",
        ("diagnosis.undecryptable",),
    ),
}
"""Service → what is broken about it."""


def publish(scene: scenes.Scene, services: Collection[str] = tuple(FAULTS)) -> None:
    """Create some of them, broken, and push; all if none is named."""
    for service in services:
        fault = FAULTS[service]
        scene.create(service, like=LIKE)
        scene.seal(service)
        fault.breaks(scene, service)
    scene.publish("Everything that can break")


def clean(scene: scenes.Scene) -> None:
    """Take away what would stay in the way of others: a webhook, and pods that fill the node."""
    kubectl = scene.shop.sandbox.kubectl
    webhook = _silent(scene)["metadata"]["name"]
    kubectl(["delete", "validatingwebhookconfiguration", webhook, "--ignore-not-found"])
    kubectl(["delete", "namespace", scene.namespace(LIKE), "--wait=false", "--ignore-not-found"])
