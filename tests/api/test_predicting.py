"""What a server-side apply will make of an object, held against the API server's own dry-run."""

from __future__ import annotations

import copy
import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from hanbae.planning import differing, predicting

if TYPE_CHECKING:
    from tests.api.conftest import ControlPlane

Object = dict[str, Any]
CONTAINER: Object = {
    "name": "app",
    "image": "shop/auth:1",
    "args": ["serve", "--fast"],
    "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
    "ports": [{"name": "http", "containerPort": 80}],
    "resources": {"limits": {"cpu": "500m", "memory": "1Gi"}},
    "livenessProbe": {"httpGet": {"path": "/", "port": "http"}},
    "lifecycle": {"preStop": {"sleep": {"seconds": 5}}},
    "securityContext": {"capabilities": {"drop": ["ALL"]}},
    "volumeMounts": [{"name": "tmp", "mountPath": "/scratch"}],
}
DEPLOYMENT: Object = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {
        "labels": {"app": "auth", "tier": "one"},
        "annotations": {"argocd.argoproj.io/tracking-id": "auth:apps/Deployment:default/auth"},
    },
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "auth"}},
        "template": {
            "metadata": {"labels": {"app": "auth"}, "annotations": {"checksum": "1"}},
            "spec": {
                "containers": [CONTAINER],
                "imagePullSecrets": [{"name": "registry"}],
                "nodeSelector": {"disk": "ssd"},
                "tolerations": [{"key": "a", "operator": "Exists"}],
                "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}}],
            },
        },
    },
}
GONE = "gone"
NAME = "predicted"
SPEC = ("spec", "template", "spec")
APP = (*SPEC, "containers", 0)


class Cluster:
    """Applies as kubectl does, as whichever manager."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane

    def apply(
        self, manifest: Object, manager: str, *, dry: bool = False, force: bool = True
    ) -> Object:
        flags = ["--dry-run=server"] if dry else []
        flags += ["--force-conflicts"] if force else []
        ended = subprocess.run(
            [
                str(self._plane.programs.path("kubectl")),
                *("apply", "--server-side", "--field-manager", manager, "-o", "json"),
                *("--show-managed-fields", "-f", "-", *flags),
            ],
            env=self._plane.programs.environment() | {"KUBECONFIG": str(self._plane.kubeconfig)},
            input=json.dumps(manifest),
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        answer: Object = json.loads(ended.stdout)
        return answer


def named(manifest: Object, name: str) -> Object:
    copied = copy.deepcopy(manifest)
    copied["metadata"] |= {"name": name, "namespace": "default"}
    return copied


def put(parent: Any, path: tuple[str | int, ...], value: Any) -> None:
    *before, last = path
    for part in before:
        parent = parent[part]
    if value == GONE:
        del parent[last]
    else:
        parent[last] = value


@pytest.fixture(scope="module")
def cluster(control_plane: ControlPlane) -> Cluster:
    return Cluster(control_plane)


@pytest.fixture(scope="module")
def live(cluster: Cluster) -> Object:
    """What two managers have applied; the tests only ask what the server would make of it."""
    cluster.apply(named(DEPLOYMENT, NAME), predicting.MANAGER)
    return cluster.apply(beside(NAME), "mesh", force=False)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("metadata", "labels", "tier"), GONE),
        (("metadata", "labels"), GONE),
        (("metadata", "annotations"), GONE),
        (("spec", "replicas"), 3),
        (("spec", "replicas"), GONE),
        ((*SPEC, "imagePullSecrets"), GONE),
        ((*SPEC, "imagePullSecrets"), [{"name": "other"}]),
        ((*SPEC, "nodeSelector"), GONE),
        ((*SPEC, "nodeSelector", "disk"), "hdd"),
        ((*SPEC, "tolerations"), []),
        ((*SPEC, "tolerations"), [{"key": "b", "operator": "Exists"}]),
        ((*SPEC, "volumes", 0, "emptyDir", "sizeLimit"), "65536Ki"),
        ((*SPEC, "volumes", 0, "emptyDir", "sizeLimit"), "128Mi"),
        ((*SPEC, "initContainers"), [{"name": "first", "image": "x"}]),
        ((*APP, "image"), "shop/auth:2"),
        ((*APP, "args"), GONE),
        ((*APP, "args"), ["serve"]),
        ((*APP, "env"), GONE),
        ((*APP, "env"), [{"name": "B", "value": "2"}]),
        ((*APP, "env"), [{"name": "B", "value": "3"}, {"name": "C", "value": ""}]),
        ((*APP, "livenessProbe"), GONE),
        ((*APP, "livenessProbe", "httpGet", "path"), "/healthz"),
        ((*APP, "livenessProbe", "periodSeconds"), 10),
        ((*APP, "livenessProbe", "periodSeconds"), 11),
        ((*APP, "lifecycle"), GONE),
        ((*APP, "ports"), [{"name": "http", "containerPort": 8080}]),
        ((*APP, "ports", 0, "name"), "web"),
        ((*APP, "resources", "limits", "cpu"), 0.5),
        ((*APP, "resources", "limits", "cpu"), "0.6"),
        ((*APP, "resources", "limits", "memory"), GONE),
        ((*APP, "resources"), {}),
        ((*APP, "securityContext"), GONE),
        ((*APP, "securityContext", "capabilities", "drop"), ["ALL", "NET_RAW"]),
        ((*APP, "volumeMounts"), GONE),
        ((*SPEC, "containers"), [{"name": "new", "image": "x"}, CONTAINER]),
    ],
)
def test_prediction_is_what_the_server_says(
    cluster: Cluster, live: Object, path: tuple[str | int, ...], value: Any
) -> None:
    target = named(DEPLOYMENT, NAME)
    put(target, path, value)
    annotated = copy.deepcopy(target)
    annotated["metadata"].setdefault("annotations", {}).setdefault(
        predicting.TRACKING, live["metadata"]["annotations"][predicting.TRACKING]
    )
    answer = cluster.apply(annotated, predicting.MANAGER, dry=True)
    predicted = predicting.predicted(live, target)
    ours = {(change.path, change.new) for change in differing.fields(live, predicted)}
    theirs = {(change.path, change.new) for change in differing.fields(live, answer)}
    assert {path for path, _ in ours} == {path for path, _ in theirs}


def beside(name: str) -> Object:
    """What somebody else has in the object too."""
    return named(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"annotations": {"mesh": "on"}, "labels": {"tier": "one"}},
            "spec": {
                "template": {
                    "metadata": {"annotations": {"mesh": "on"}},
                    "spec": {
                        "containers": [
                            {"name": "proxy", "image": "proxy:1"},
                            {"name": "app", "env": [{"name": "MESH", "value": "on"}]},
                        ],
                    },
                }
            },
        },
        name,
    )
