"""The team's own rules mean the same offline and to a real API server, which refuses what the check refuses."""

from __future__ import annotations

import asyncio
import json
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from hanbae import errors
from hanbae.argo import own_rules
from hanbae.clusters import connections, kinds
from hanbae.policy import documents
from hanbae.rules import own, views

if TYPE_CHECKING:
    from tests.api.conftest import ControlPlane

READY_WITHIN = 60.0
CANARY = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "canary"}}
DEPLOYMENTS = kinds.Kind("apps", "v1", "deployments", "Deployment")
EXPRESSIONS = {
    "replicas": "object.spec.replicas >= 2",
    "images": "object.spec.template.spec.containers.all(c, c.image.contains('@sha256:'))",
    "label": "object.metadata.?labels['team'].orValue('') != ''",
    "has": "!has(object.spec.minReadySeconds) || object.spec.minReadySeconds < 60",
    "missing": "object.spec.selector.matchExpressions.size() > 0",
    "regex": "object.metadata.name.matches('^[a-z]+-service$')",
    "strings": "object.metadata.name.split('-')[1] == 'service' && object.metadata.name.upperAscii() != ''",
    "namespace": "object.metadata.namespace.startsWith('services-')",
    "one": "object.spec.template.spec.containers.exists_one(c, c.name == 'app')",
    "ternary": "size(object.spec.template.spec.containers) > 1 ? false : true",
    "map": "object.spec.template.spec.containers.map(c, c.name).join(',') == 'app'",
    "in": "'app' in object.spec.template.metadata.labels",
}


def deployment(name: str, **changes: Any) -> dict[str, Any]:
    container = {"name": "app", "image": changes.get("image", "registry.example.com/app:1")}
    more = [{"name": "more", "image": "registry.example.com/more@sha256:" + "0" * 64}]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": changes.get("labels", {})},
        "spec": {
            "replicas": changes.get("replicas", 1),
            "selector": {"matchLabels": {"app": "x"}},
            "template": {
                "metadata": {"labels": {"app": "x"}},
                "spec": {"containers": [container, *(more if changes.get("two") else [])]},
            },
        },
    }


OBJECTS = {
    "plain": deployment("auth-service"),
    "good": deployment(
        "auth-service",
        replicas=3,
        labels={"team": "identity"},
        image="registry.example.com/app@sha256:" + "1" * 64,
    ),
    "other": deployment("identity", two=True, labels={"team": ""}),
}


def policy(name: str, expression: str) -> documents.Policy:
    """A policy whose environment has one rule and a namespace of its own, and nothing else in the cluster."""
    rule = documents.OwnRule(name, ("apps/Deployment",), expression, f"broken: {name}")
    last = documents.OwnRule(
        "zz-canary", ("ConfigMap",), "object.metadata.name != 'canary'", "the canary"
    )
    return documents.Policy(
        version=1,
        argocd=documents.ArgoCD("https://git.example.com/shop.git", project=f"own-{name}"),
        environments={"dev": documents.Environment(branch="develop", namespace_suffix=f"-{name}")},
        rules=(rule, last),
    )


class Cluster:
    """The API server, as an administrator."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane

    def apply(self, objects: list[dict[str, Any]]) -> None:
        kubectl = str(self._plane.programs.path("kubectl"))
        ended = subprocess.run(
            [kubectl, "--kubeconfig", str(self._plane.kubeconfig), "apply", "--filename", "-"],
            input=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}),
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr

    def refusals(self, objects: list[tuple[dict[str, Any], str]]) -> list[str]:
        """What the API server says against each object in its namespace; nothing where it takes it."""
        return asyncio.run(self._refusals(objects))

    async def _refusals(self, objects: list[tuple[dict[str, Any], str]]) -> list[str]:
        async with connections.connect(kubeconfig=self._plane.kubeconfig) as cluster:
            return [await _refusal(cluster, manifest, namespace) for manifest, namespace in objects]


async def _refusal(cluster: connections.Cluster, manifest: dict[str, Any], namespace: str) -> str:
    kind = DEPLOYMENTS if manifest["kind"] == "Deployment" else kinds.CONFIGMAP
    request = cluster.describe("create", kind, namespace, name=manifest["metadata"]["name"])
    try:
        await cluster.ask(
            request, "POST", kind.path(namespace), params={"dryRun": "All"}, body=manifest
        )
    except errors.Error as error:
        return str(error)
    return ""


@pytest.fixture(scope="module")
def cluster_with_rules(control_plane: ControlPlane) -> Cluster:
    """The API server with every rule, each in a namespace of its own."""
    cluster = Cluster(control_plane)
    space = {"apiVersion": "v1", "kind": "Namespace"}
    objects = [{**space, "metadata": {"name": f"services-{name}"}} for name in EXPRESSIONS]
    for name, expression in EXPRESSIONS.items():
        objects += own_rules.policies(policy(name, expression), "dev")
    cluster.apply(objects)
    canaries = [(CANARY, f"services-{name}") for name in EXPRESSIONS]
    deadline = time.monotonic() + READY_WITHIN
    while not all("the canary" in refusal for refusal in cluster.refusals(canaries)):
        assert time.monotonic() < deadline, cluster.refusals(canaries)
    return cluster


@pytest.mark.parametrize("sample", OBJECTS)
@pytest.mark.parametrize("name", EXPRESSIONS)
def test_api_server_refuses_what_the_check_finds(
    cluster_with_rules: Cluster, name: str, sample: str
) -> None:
    namespace = f"services-{name}"
    admitted = views.Object(OBJECTS[sample], "x.yaml", 0, namespace)
    verdict = own.evaluated(EXPRESSIONS[name], own.as_admitted(admitted))
    (refusal,) = cluster_with_rules.refusals([(OBJECTS[sample], namespace)])
    assert (refusal == "") == (verdict is True), (verdict, refusal)
    if verdict is False:
        assert f"broken: {name}" in refusal
    elif verdict is not True:
        assert f"own-{name}-dev-{name}" in refusal


def test_rules_tell_good_objects_from_bad_ones() -> None:
    """Were all verdicts the same, agreeing with them would prove nothing."""
    verdicts = {
        own.evaluated(
            expression, own.as_admitted(views.Object(manifest, "x.yaml", 0, f"services-{name}"))
        )
        for name, expression in EXPRESSIONS.items()
        for manifest in OBJECTS.values()
    }
    assert {True, False} < verdicts


def test_other_namespaces_are_left_alone(cluster_with_rules: Cluster) -> None:
    assert cluster_with_rules.refusals([(deployment("nobodys"), "default")]) == [""]
