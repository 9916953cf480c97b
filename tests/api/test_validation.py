"""Objects whose fields do not go together, given to a real API server and to KUB034: both say the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.api import test_verdicts
from tests.api.test_verdicts import CONTAINER, GONE, POD, Server, changed, findings

from hanbae.rules import views

project = test_verdicts.project
server = test_verdicts.server

BASES = {
    "DaemonSet": """
        apiVersion: apps/v1
        kind: DaemonSet
        metadata: {name: agent}
        spec:
          selector: {matchLabels: {app: agent}}
          template:
            metadata: {labels: {app: agent}}
            spec: {containers: [{name: a, image: x}]}
        """,
    "PVC": """
        apiVersion: v1
        kind: PersistentVolumeClaim
        metadata: {name: data}
        spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
        """,
    "ClusterRoleBinding": """
        apiVersion: rbac.authorization.k8s.io/v1
        kind: ClusterRoleBinding
        metadata: {name: web}
        roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
        subjects: [{kind: ServiceAccount, name: web, namespace: default}]
        """,
    "SA": """
        apiVersion: v1
        kind: ServiceAccount
        metadata: {name: web}
        """,
    "ClusterRole": """
        apiVersion: rbac.authorization.k8s.io/v1
        kind: ClusterRole
        metadata: {name: web}
        rules:
        - apiGroups: ['']
          resources: [pods]
          verbs: [get]
        """,
    "PV": """
        apiVersion: v1
        kind: PersistentVolume
        metadata: {name: web}
        spec:
          capacity: {storage: 1Gi}
          accessModes: [ReadWriteOnce]
          hostPath: {path: /a}
        """,
    "StorageClass": """
        apiVersion: storage.k8s.io/v1
        kind: StorageClass
        metadata: {name: web}
        provisioner: a.example.com/b
        """,
    "PriorityClass": """
        apiVersion: scheduling.k8s.io/v1
        kind: PriorityClass
        metadata: {name: web}
        value: 10
        """,
    "Quota": """
        apiVersion: v1
        kind: ResourceQuota
        metadata: {name: web}
        spec:
          hard: {pods: '1', requests.cpu: '1'}
        """,
    "LimitRange": """
        apiVersion: v1
        kind: LimitRange
        metadata: {name: web}
        spec:
          limits:
          - type: Container
            max: {cpu: '4'}
        """,
    "Webhook": """
        apiVersion: admissionregistration.k8s.io/v1
        kind: ValidatingWebhookConfiguration
        metadata: {name: web}
        webhooks:
        - name: a.example.com
          sideEffects: None
          admissionReviewVersions: [v1]
          clientConfig:
            service: {name: a, namespace: b, path: /x}
          rules:
          - operations: [CREATE]
            apiGroups: ['']
            apiVersions: [v1]
            resources: [secrets]
        """,
    "IngressClass": """
        apiVersion: networking.k8s.io/v1
        kind: IngressClass
        metadata: {name: web}
        spec: {controller: example.com/a}
        """,
    "ReplicaSet": """
        apiVersion: apps/v1
        kind: ReplicaSet
        metadata: {name: web}
        spec:
          selector:
            matchLabels: {app: web}
          template:
            metadata:
              labels: {app: web}
            spec:
              containers:
              - {name: a, image: x}
        """,
    "Pod": """
        apiVersion: v1
        kind: Pod
        metadata: {name: web}
        spec:
          containers:
          - {name: a, image: x}
        """,
    "APIService": """
        apiVersion: apiregistration.k8s.io/v1
        kind: APIService
        metadata: {name: v1.g.example.com}
        spec:
          group: g.example.com
          version: v1
          groupPriorityMinimum: 100
          versionPriority: 10
          service: {name: a, namespace: b}
        """,
    "Endpoints": """
        apiVersion: v1
        kind: Endpoints
        metadata: {name: web}
        subsets:
        - addresses:
          - {ip: 10.0.0.1}
          ports:
          - {port: 80}
        """,
    "RuntimeClass": """
        apiVersion: node.k8s.io/v1
        kind: RuntimeClass
        metadata: {name: web}
        handler: a
        """,
}
RULES = ("KUB034", *test_verdicts.CODES)


def _cases() -> list[tuple[str, dict[str, Any], bool]]:
    text = (Path(__file__).parent / "validation.yaml").read_text()
    table = yaml.safe_load(text.replace('"CONTAINER', f'"{CONTAINER}').replace('"POD', f'"{POD}'))
    return [
        (kind, changes, verdict == "accepted")
        for kind, verdicts in table.items()
        for verdict, rows in verdicts.items()
        for changes in rows
    ]


CASES = _cases()


def manifest_of(kind: str, changes: dict[str, Any]) -> dict[str, Any]:
    """A good object with several fields changed."""
    manifest: dict[str, Any] = yaml.safe_load((test_verdicts.BASES | BASES)[kind])
    for field, value in changes.items():
        manifest = changed(manifest, field, GONE if value == "<gone>" else value)
    return manifest


@pytest.mark.parametrize(
    ("kind", "changes", "accepted"),
    CASES,
    ids=[
        f"{index:03}-{kind}-{'-'.join(changes)}" for index, (kind, changes, _) in enumerate(CASES)
    ],
)
def test_rule_and_api_server_agree(
    server: Server, project: views.Project, kind: str, changes: dict[str, Any], accepted: bool
) -> None:
    manifest = manifest_of(kind, changes)
    answer = server.create(manifest)
    assert (answer == "") is accepted, answer
    reported = findings(project, manifest, RULES, kind)
    assert (reported == []) is accepted, (answer, [(hit.rule.code, hit.hit) for hit in reported])
