"""Objects that are good and bad by one field, given to a real API server and to the rules: both say the same."""

from __future__ import annotations

import copy
import itertools
import json
import ssl
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from tests.support import polling, trees

from hanbae.apis import serving
from hanbae.policy import loading
from hanbae.rules import rulebook, running, views
from hanbae.sandbox import demo_repository

if TYPE_CHECKING:
    from tests.api.conftest import ControlPlane

#: The rules that tell what the API server refuses by itself.
CODES = ("KUB001", "KUB002", "KUB003", "KUB004", "KUB006", "KUB007", "KUB013", "KUB014", "KUB019")
CODES += ("KUB022", "KUB031")
GONE = object()

BASES: dict[str, str] = {
    "Deployment": """
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: web, labels: {app: web}}
        spec:
          selector: {matchLabels: {app: web}}
          template:
            metadata: {labels: {app: web}}
            spec:
              volumes: [{name: tmp, emptyDir: {}}]
              containers:
                - name: app
                  image: registry.example.com/app:1
                  ports: [{name: http, containerPort: 8080}]
                  env: [{name: A, value: b}]
                  volumeMounts: [{name: tmp, mountPath: /scratch}]
                  resources: {requests: {cpu: 10m, memory: 1Mi}}
                  readinessProbe: {httpGet: {port: http}}
        """,
    "Job": """
        apiVersion: batch/v1
        kind: Job
        metadata: {name: once}
        spec:
          template:
            spec:
              restartPolicy: Never
              containers: [{name: a, image: x}]
        """,
    "CronJob": """
        apiVersion: batch/v1
        kind: CronJob
        metadata: {name: often}
        spec:
          schedule: "0 * * * *"
          jobTemplate:
            spec:
              template:
                spec:
                  restartPolicy: Never
                  containers: [{name: a, image: x}]
        """,
    "Service": """
        apiVersion: v1
        kind: Service
        metadata: {name: web}
        spec: {selector: {app: web}, ports: [{name: http, port: 80, targetPort: http}]}
        """,
    "ConfigMap": "{apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {a: b}}",
    "Secret": "{apiVersion: v1, kind: Secret, metadata: {name: s}, data: {a: Yg==}}",
    "Ingress": """
        apiVersion: networking.k8s.io/v1
        kind: Ingress
        metadata: {name: web}
        spec:
          rules:
            - host: a.example.com
              http:
                paths:
                  - {path: /, pathType: Prefix, backend: {service: {name: web, port: {name: http}}}}
        """,
    "HPA": """
        apiVersion: autoscaling/v2
        kind: HorizontalPodAutoscaler
        metadata: {name: web}
        spec:
          scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
          minReplicas: 1
          maxReplicas: 3
        """,
    "PDB": """
        apiVersion: policy/v1
        kind: PodDisruptionBudget
        metadata: {name: web}
        spec: {selector: {matchLabels: {app: web}}, maxUnavailable: 1}
        """,
    "Role": """
        apiVersion: rbac.authorization.k8s.io/v1
        kind: Role
        metadata: {name: "a:b"}
        rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]
        """,
    "RoleBinding": """
        apiVersion: rbac.authorization.k8s.io/v1
        kind: RoleBinding
        metadata: {name: web}
        roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: web}
        subjects: [{kind: ServiceAccount, name: web, namespace: default}]
        """,
    "NetworkPolicy": """
        apiVersion: networking.k8s.io/v1
        kind: NetworkPolicy
        metadata: {name: web}
        spec: {podSelector: {}, policyTypes: [Ingress]}
        """,
    "StatefulSet": """
        apiVersion: apps/v1
        kind: StatefulSet
        metadata: {name: db}
        spec:
          serviceName: db
          selector: {matchLabels: {app: db}}
          template:
            metadata: {labels: {app: db}}
            spec:
              containers:
                - {name: a, image: x, volumeMounts: [{name: data, mountPath: /data}]}
          volumeClaimTemplates:
            - metadata: {name: data}
              spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
        """,
    "Namespace": "{apiVersion: v1, kind: Namespace, metadata: {name: other}}",
    "SealedSecret": """
        apiVersion: bitnami.com/v1alpha1
        kind: SealedSecret
        metadata: {name: s}
        spec: {encryptedData: {A: AgB}, template: {type: Opaque}}
        """,
    "Application": """
        apiVersion: argoproj.io/v1alpha1
        kind: Application
        metadata: {name: web}
        spec:
          project: default
          source: {repoURL: "https://git.example.com/a.git", path: a, targetRevision: main}
          destination: {name: in-cluster, namespace: a}
        """,
    "Widget": """
        apiVersion: test.example.com/v1
        kind: Widget
        metadata: {name: w}
        spec: {size: small, port: 80, free: {a: 1}, list: [{name: a}]}
        """,
    "CustomResourceDefinition": """
        apiVersion: apiextensions.k8s.io/v1
        kind: CustomResourceDefinition
        metadata: {name: widgets.test.example.com}
        spec:
          group: test.example.com
          scope: Namespaced
          names: {kind: Widget, plural: widgets}
          versions:
            - name: v1
              served: true
              storage: true
              schema:
                openAPIV3Schema:
                  type: object
                  required: [spec]
                  properties:
                    spec:
                      type: object
                      required: [size]
                      properties:
                        size: {type: string, enum: [small, large]}
                        port: {x-kubernetes-int-or-string: true}
                        free: {type: object, x-kubernetes-preserve-unknown-fields: true}
                        maybe: {type: string, nullable: true}
                        count: {type: integer, format: int32, minimum: 1, maximum: 10}
                        share: {type: number, minimum: 0, exclusiveMinimum: true}
                        empty: {type: object}
                        labels: {type: object, additionalProperties: {type: string}}
                        list:
                          type: array
                          maxItems: 2
                          items: {type: object, required: [name], properties: {name: {type: string}}}
                        either:
                          type: object
                          properties: {a: {type: string}, b: {type: string}}
                          oneOf: [{required: [a]}, {required: [b]}]
        """,
}
CONTAINER = "spec.template.spec.containers.0"
POD = "spec.template.spec"
#: Kind, field, value, and whether the API server takes it.
CASES: list[tuple[str, str, Any, bool]] = [
    *[(kind, "", None, True) for kind in BASES],
    ("Deployment", "spec.replicas", 2, True),
    ("Deployment", "spec.replicas", "2", False),
    ("Deployment", "spec.replicas", None, True),
    ("Deployment", "spec.replicas", -1, False),
    ("Deployment", "spec.replicas", 3000000000, False),
    ("Deployment", "spec.replica", 2, False),
    ("Deployment", "spec.selector", GONE, False),
    ("Deployment", "spec.selector", None, False),
    ("Deployment", "spec.selector.matchLabels.app", "other", False),
    ("Deployment", "spec.template.metadata.labels", None, False),
    ("Deployment", "spec.strategy", {"type": "Recreate"}, True),
    ("Deployment", "spec.strategy", {"type": "Rolling"}, False),
    ("Deployment", f"{POD}.nodeSelector", None, True),
    ("Deployment", f"{POD}.nodeSelector", {"a": 1}, False),
    ("Deployment", f"{POD}.restartPolicy", "Always", True),
    ("Deployment", f"{POD}.restartPolicy", "Never", False),
    ("Deployment", f"{POD}.dnsPolicy", "Clusterfirst", False),
    ("Deployment", f"{POD}.dnsPolicy", "", True),
    ("Deployment", f"{POD}.serviceAccountName", "x", True),
    ("Deployment", f"{POD}.terminationGracePeriodSeconds", 0, True),
    ("Deployment", f"{POD}.containers", [], False),
    ("Deployment", f"{POD}.volumes", [], False),
    ("Deployment", f"{POD}.volumes.0.name", "Tmp", False),
    ("Deployment", f"{CONTAINER}.name", "App", False),
    ("Deployment", f"{CONTAINER}.name", GONE, False),
    ("Deployment", f"{CONTAINER}.image", 1, False),
    ("Deployment", f"{CONTAINER}.imagePullPolicy", "Sometimes", False),
    ("Deployment", f"{CONTAINER}.imagePullPolicy", "IfNotPresent", True),
    ("Deployment", f"{CONTAINER}.imagePullPolicy", "", True),
    ("Deployment", f"{CONTAINER}.command", "run", False),
    ("Deployment", f"{CONTAINER}.args", ["a", 1], False),
    ("Deployment", f"{CONTAINER}.ports.0.containerPort", 0, False),
    ("Deployment", f"{CONTAINER}.ports.0.containerPort", 70000, False),
    ("Deployment", f"{CONTAINER}.ports.0.containerPort", "8080", False),
    ("Deployment", f"{CONTAINER}.ports.0.protocol", "tcp", False),
    ("Deployment", f"{CONTAINER}.ports.0.name", "a-name-that-is-too-long", False),
    ("Deployment", f"{CONTAINER}.ports.0.name", "UPPER", False),
    ("Deployment", f"{CONTAINER}.ports.0.name", "80", False),
    ("Deployment", f"{CONTAINER}.ports.0.name", "", True),
    ("Deployment", f"{CONTAINER}.volumeMounts.0.mountPropagation", "both", False),
    ("Deployment", f"{CONTAINER}.ports.1", {"name": "http", "containerPort": 9}, False),
    ("Deployment", f"{CONTAINER}.ports.1", {"name": "other", "containerPort": 8080}, True),
    ("Deployment", f"{POD}.containers.1", {"name": "app", "image": "x"}, False),
    ("Deployment", f"{CONTAINER}.env.0.value", True, False),
    ("Deployment", f"{CONTAINER}.env.0.value", None, True),
    ("Deployment", f"{CONTAINER}.env.0.name", "", False),
    ("Deployment", f"{CONTAINER}.env.0.name", "A=B", False),
    ("Deployment", f"{CONTAINER}.env.0.name", "with space", True),
    ("Deployment", f"{CONTAINER}.env.0.valueFrom", {}, False),
    ("Deployment", f"{CONTAINER}.env.1", {"name": "A", "value": "c"}, True),
    ("Deployment", f"{CONTAINER}.env.1", {"name": "B", "valueFrom": {}}, False),
    (
        "Deployment",
        f"{CONTAINER}.env.1",
        {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        True,
    ),
    (
        "Deployment",
        f"{CONTAINER}.env.1",
        {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s"}}},
        False,
    ),
    ("Deployment", f"{CONTAINER}.volumeMounts.0.name", "other", False),
    ("Deployment", f"{CONTAINER}.volumeMounts.0.mountPath", "", False),
    ("Deployment", f"{CONTAINER}.volumeMounts.1", {"name": "tmp", "mountPath": "/scratch"}, False),
    ("Deployment", f"{CONTAINER}.resources.requests.cpu", 1, True),
    ("Deployment", f"{CONTAINER}.resources.requests.cpu", 0.5, True),
    ("Deployment", f"{CONTAINER}.resources.requests.cpu", "1 core", False),
    ("Deployment", f"{CONTAINER}.resources.requests.memory", "1Gib", False),
    ("Deployment", f"{CONTAINER}.resources.requests.memory", "1e3", True),
    ("Deployment", f"{CONTAINER}.resources.requests.memory", ".5Gi", True),
    ("Deployment", f"{CONTAINER}.resources.request", {}, False),
    ("Deployment", f"{CONTAINER}.readinessProbe", {}, False),
    ("Deployment", f"{CONTAINER}.readinessProbe.tcpSocket", {"port": 1}, False),
    ("Deployment", f"{CONTAINER}.readinessProbe.httpGet.port", "8080", False),
    ("Deployment", f"{CONTAINER}.readinessProbe.httpGet.port", 0, False),
    ("Deployment", f"{CONTAINER}.readinessProbe.httpGet.port", GONE, False),
    ("Deployment", f"{CONTAINER}.readinessProbe.httpGet.scheme", "http", False),
    ("Deployment", f"{CONTAINER}.readinessProbe.periodSeconds", 0, True),
    ("Deployment", f"{CONTAINER}.readinessProbe.periodSeconds", -1, False),
    ("Deployment", f"{CONTAINER}.livenessprobe", {}, False),
    ("Deployment", "metadata.name", "Web", False),
    ("Deployment", "metadata.name", "web.v1", True),
    ("Deployment", "metadata.name", "w_b", False),
    ("Deployment", "metadata.name", "a" * 254, False),
    ("Deployment", "metadata.name", GONE, False),
    ("Deployment", "metadata.name", 5, False),
    ("Deployment", "metadata.labels.app", "-x", False),
    ("Deployment", "metadata.labels.app", "a" * 64, False),
    ("Deployment", "metadata.labels.app", "", True),
    ("Deployment", "metadata.labels.app", True, False),
    ("Deployment", "metadata.labels", {"a/b/c": "x"}, False),
    ("Deployment", "metadata.labels", {"Example.com/a": "x"}, False),
    ("Deployment", "metadata.labels", {"example.com/A_b": "x"}, True),
    ("Deployment", "metadata.annotations", {"a b": "x"}, False),
    ("Deployment", "metadata.annotations", {"Example.com/a": "x"}, True),
    ("Deployment", "metadata.annotations", {"a": 1}, False),
    ("Deployment", "metadata.annotations", {"a": "x" * 300_000}, False),
    ("Deployment", "metadata.annotation", {"a": "x"}, False),
    ("Deployment", "metadata.creationTimestamp", None, True),
    ("Deployment", "apiVersion", "apps/v2", False),
    ("Deployment", "apiVersion", "extensions/v1beta1", False),
    ("Deployment", "kind", "Deploymnet", False),
    ("Deployment", "status", {}, True),
    ("Deployment", "extra", 1, False),
    ("Job", f"{POD}.restartPolicy", "Always", False),
    ("Job", f"{POD}.restartPolicy", GONE, False),
    ("Job", "spec.backoffLimit", -1, False),
    ("Job", "spec.activeDeadlineSeconds", 0, True),
    ("Job", "spec.ttlSecondsAfterFinished", 0, True),
    ("Job", "spec.completionMode", "indexed", False),
    ("Job", "metadata.name", "j" * 64, False),
    ("CronJob", "spec.schedule", "", False),
    ("CronJob", "spec.concurrencyPolicy", "Never", False),
    ("CronJob", "metadata.name", "c" * 53, False),
    ("CronJob", "metadata.name", "c" * 52, True),
    ("CronJob", "apiVersion", "batch/v1beta1", False),
    ("Service", "metadata.name", "1web", False),
    ("Service", "metadata.name", "w.b", False),
    ("Service", "spec.type", "Clusterip", False),
    ("Service", "spec.type", "NodePort", True),
    ("Service", "spec.ports.0.port", 0, False),
    ("Service", "spec.ports.0.port", GONE, False),
    ("Service", "spec.ports.0.targetPort", 0, True),
    ("Service", "spec.ports.0.targetPort", 70000, False),
    ("Service", "spec.ports.0.targetPort", "a_b", False),
    ("Service", "spec.ports.0.name", "Http", False),
    ("Service", "spec.ports.0.appProtocol", "http", True),
    ("Service", "spec.selector.app", 1, False),
    ("Service", "spec.selector", {"a b": "x"}, False),
    ("Service", "spec.sessionAffinity", "client", False),
    ("ConfigMap", "data.a", 1, False),
    ("ConfigMap", "data", None, True),
    ("ConfigMap", "data", {"a b": "x"}, False),
    ("ConfigMap", "data.a", "x" * (1024 * 1024 + 1), False),
    ("ConfigMap", "binaryData", {"b": "not base64!"}, False),
    ("Secret", "data.a", "nope", True),
    ("Secret", "data.a", "no pe", False),
    ("Secret", "data.a", "a", False),
    ("Secret", "data.a", "Yg=\n=", True),
    ("Secret", "stringData", {"x": "y"}, True),
    ("Secret", "stringData", {"x": 1}, False),
    ("Secret", "type", 1, False),
    ("Ingress", "spec.rules.0.http.paths.0.pathType", GONE, False),
    ("Ingress", "spec.rules.0.http.paths.0.pathType", "prefix", False),
    ("Ingress", "spec.rules.0.http.paths", [], False),
    ("Ingress", "spec.rules.0.http.paths.0.backend", {}, False),
    (
        "Ingress",
        "spec.rules.0.http.paths.0.backend.service.port",
        {"name": "a", "number": 1},
        False,
    ),
    ("Ingress", "spec.rules.0.http.paths.0.backend.serviceName", "web", False),
    ("Ingress", "apiVersion", "networking.k8s.io/v1beta1", False),
    ("Ingress", "apiVersion", "extensions/v1beta1", False),
    ("HPA", "spec.maxReplicas", 0, False),
    ("HPA", "spec.maxReplicas", GONE, False),
    ("HPA", "spec.minReplicas", 0, False),
    ("HPA", "spec.minReplicas", 4, False),
    ("HPA", "spec.scaleTargetRef.name", "", False),
    ("HPA", "apiVersion", "autoscaling/v2beta2", False),
    ("PDB", "spec.minAvailable", 1, False),
    ("PDB", "spec.maxUnavailable", "10%", True),
    ("PDB", "apiVersion", "policy/v1beta1", False),
    ("Role", "rules.0.verbs", [], False),
    ("Role", "rules.0.verbs", GONE, False),
    ("Role", "metadata.name", "a/b", False),
    ("RoleBinding", "roleRef.apiGroup", GONE, True),
    ("RoleBinding", "roleRef.name", "", False),
    ("RoleBinding", "subjects.0.kind", GONE, False),
    ("NetworkPolicy", "spec.podSelector", GONE, True),
    ("NetworkPolicy", "spec.policyTypes", ["In"], False),
    ("StatefulSet", "spec.serviceName", GONE, True),
    ("StatefulSet", "spec.volumeClaimTemplates.0.metadata.name", "other", False),
    ("StatefulSet", "spec.podManagementPolicy", "parallel", False),
    ("Namespace", "metadata.name", "a.b", False),
    ("Namespace", "metadata.name", "a" * 64, False),
    ("SealedSecret", "spec.encryptedData", GONE, False),
    ("SealedSecret", "spec.encryptedData.A", 1, False),
    ("SealedSecret", "spec.template.typ", "Opaque", False),
    ("SealedSecret", "spec.templates", {}, False),
    ("SealedSecret", "metadata.nam", "x", False),
    ("Application", "spec.project", GONE, False),
    ("Application", "spec.syncPolicy", {"automated": {"prune": "yes"}}, False),
    ("Application", "spec.syncPolicy", {"automated": {"prune": True}}, True),
    ("Application", "spec.source.helm", {"valuesObject": {"any": {"thing": 1}}}, True),
    ("Application", "spec.source.helm", {"valueFile": []}, False),
    ("Application", "spec.syncPolicys", {}, False),
    ("Widget", "spec.size", "medium", False),
    ("Widget", "spec.size", GONE, False),
    ("Widget", "spec.size", None, False),
    ("Widget", "spec.port", "http", True),
    ("Widget", "spec.port", 1.5, False),
    ("Widget", "spec.port", None, True),
    ("Widget", "spec.maybe", None, True),
    ("Widget", "spec.count", 0, False),
    ("Widget", "spec.count", None, True),
    ("Widget", "spec.count", 11, False),
    ("Widget", "spec.share", 0, False),
    ("Widget", "spec.share", 0.1, True),
    ("Widget", "spec.empty", {}, True),
    ("Widget", "spec.empty", {"a": 1}, False),
    ("Widget", "spec.labels", {"a": "b"}, True),
    ("Widget", "spec.labels", {"a": 1}, False),
    ("Widget", "spec.list.0.other", "x", False),
    ("Widget", "spec.list", [{"name": "a"}, {"name": "b"}, {"name": "c"}], False),
    ("Widget", "spec.list", [{}], False),
    ("Widget", "spec.either", {"a": "x"}, True),
    ("Widget", "spec.either", {"a": "x", "b": "y"}, False),
    ("Widget", "spec.either", {}, False),
    ("Widget", "spec.other", 1, False),
    ("Widget", "status", {}, False),
    ("Widget", "apiVersion", "test.example.com/v2", False),
]


def changed(good: dict[str, Any], field: str, value: Any) -> dict[str, Any]:
    """An object with one field set to a value, or gone."""
    changed_object = copy.deepcopy(good)
    if not field:
        return changed_object
    keys = [int(key) if key.isdecimal() else key for key in field.split(".")]
    parent: Any = changed_object
    for key, following in itertools.pairwise(keys):
        if isinstance(parent, list) and key == len(parent):
            parent.append({})
        if isinstance(parent, dict):
            parent.setdefault(key, [] if isinstance(following, int) else {})
        parent = parent[key]
    if value is GONE:
        del parent[keys[-1]]
    elif isinstance(parent, list) and keys[-1] == len(parent):
        parent.append(value)
    else:
        parent[keys[-1]] = value
    return changed_object


_PATCH = "application/merge-patch+json"


class Server:
    """The API server, asked what it would say."""

    def __init__(self, plane: ControlPlane) -> None:
        context = ssl.create_default_context(cafile=plane.authority.path)
        context.load_cert_chain(*plane._admin)
        handlers = (urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
        self._opener = urllib.request.build_opener(*handlers)
        self._url = plane.server
        self._resources: dict[str, dict[str, Any]] = {}

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        request = urllib.request.Request(  # noqa: S310 a fixed address
            self._url + path,
            None if body is None else json.dumps(body).encode(),
            {"content-type": _PATCH if method == "PATCH" else "application/json"},
            method=method,
        )
        try:
            with self._opener.open(request, timeout=20) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            text = error.read()
            return error.code, json.loads(text) if text.startswith(b"{") else {}

    def served(self, api_version: str) -> dict[str, dict[str, Any]]:
        """Kind → resource of an API version, without subresources."""
        if not self._resources.get(api_version):
            root = "/api/v1" if api_version == "v1" else f"/apis/{api_version}"
            _, answer = self.call("GET", root)
            self._resources[api_version] = {
                resource["kind"]: resource
                for resource in answer.get("resources", ())
                if "/" not in resource["name"]
            }
        return self._resources[api_version]

    def create(
        self, manifest: dict[str, Any], *, namespace: str = "default", dry: bool = True
    ) -> str:
        """What the server has against an object; empty for nothing."""
        resource = self.served(str(manifest["apiVersion"])).get(str(manifest["kind"]))
        if resource is None:
            return "no such kind"
        version = manifest["apiVersion"]
        root = "/api/v1" if version == "v1" else f"/apis/{version}"
        space = f"/namespaces/{namespace}" if resource["namespaced"] else ""
        query = "?fieldValidation=Strict" + ("&dryRun=All" if dry else "")
        code, answer = self.call("POST", f"{root}{space}/{resource['name']}{query}", manifest)
        assert code != 409, answer  # an object that is there would say nothing about this one
        return "" if code < 300 else str(answer.get("message", code))


@pytest.fixture(scope="module")
def server(control_plane: ControlPlane) -> Server:
    server = Server(control_plane)
    programs = control_plane.programs
    folders = (programs.argocd_manifests / "crds", programs.sealed_secrets_chart / "crds")
    definitions = [
        document
        for folder in folders
        for path in sorted(folder.glob("*.yaml"))
        for document in yaml.safe_load_all(path.read_text())
        if document and document["kind"] == "CustomResourceDefinition"
    ]
    for definition in [*definitions, yaml.safe_load(BASES["CustomResourceDefinition"])]:
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        code, answer = server.call("POST", path, definition)
        assert code in {201, 409}, answer
    resource_kinds = {"argoproj.io/v1alpha1": "Application", "bitnami.com/v1alpha1": "SealedSecret"}
    for version, kind in {**resource_kinds, "test.example.com/v1": "Widget"}.items():
        polling.until(
            lambda version=version, kind=kind: kind in server.served(version), within=60, pause=0.1
        )
    return server


@pytest.fixture(scope="module")
def project() -> views.Project:
    text = (demo_repository.example() / "hanbae.yaml").read_bytes()
    policy, places = loading.parse(text, "hanbae.yaml")
    definition = BASES["CustomResourceDefinition"].encode()
    tree = trees.MemoryTree({"k8s/base/widget.yaml": definition})
    return views.Project(policy, places, tree, ())


def findings(
    project: views.Project, manifest: dict[str, Any], codes: tuple[str, ...], kind: str = ""
) -> list[running.RuleHit]:
    """What the rules have against an object, with what it refers to beside it."""
    service = views.Service(project, "auth")
    manifests = [manifest]
    if kind == "HPA":
        manifests.append(yaml.safe_load(BASES["Deployment"]))
    objects = tuple(
        views.Object(document, "t.yaml", index, "services-dev")
        for index, document in enumerate(manifests)
    )
    service.releases["dev"] = views.Release(service, "dev", {}, objects)
    rules = rulebook.rules()
    return [
        finding
        for finding in running.over_service(service, [rules[code] for code in codes])
        if (finding.hit.severity or finding.rule.severity) == "error"
        or (finding.rule.code == "KUB003" and finding.hit.variant == "custom")
    ]


@pytest.mark.parametrize(
    ("kind", "field", "value", "accepted"),
    CASES,
    ids=[f"{kind}-{field or 'whole'}-{str(value)[:20]}" for kind, field, value, _ in CASES],
)
def test_rules_and_api_server_agree(
    server: Server, project: views.Project, kind: str, field: str, value: Any, accepted: bool
) -> None:
    manifest = changed(yaml.safe_load(BASES[kind]), field, value)
    if kind == "CustomResourceDefinition":  # the one that is there already
        manifest["metadata"]["name"] = "gadgets.test.example.com"
        manifest["spec"]["names"] = {"kind": "Gadget", "plural": "gadgets"}
    refusal = server.create(manifest)
    assert (refusal == "") is accepted, refusal
    hits = findings(project, manifest, CODES, kind)
    assert (hits == []) is accepted, (
        refusal,
        [(finding.rule.code, finding.hit) for finding in hits],
    )


def test_served_kinds_are_those_of_the_real_discovery(server: Server) -> None:
    """What Argo CD would list, of this very server."""
    _, groups = server.call("GET", "/apis")
    _, added = server.call("GET", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions")
    # What other tests have added; every cluster of the policy has Sealed Secrets.
    others = {definition["spec"]["group"] for definition in added["items"]} - {"bitnami.com"}
    versions = [
        "v1",
        *[
            version["groupVersion"]
            for group in groups["groups"]
            if group["name"] not in others
            for version in group["versions"]
        ],
    ]
    served = set()
    for version in versions:
        for kind, about in server.served(version).items():
            if {"list", "watch"} <= set(about["verbs"]):
                served |= {version, f"{version}/{kind}"}
    assert set(serving.api_versions("1.35")) == served


def test_scopes_are_those_of_the_real_discovery(server: Server) -> None:
    for full, kind in serving.data().versions["1.35"].kinds.items():
        version, _, name = full.rpartition("/")
        if kind.served:
            assert server.served(version)[name]["namespaced"] is kind.namespaced, full


GOOD: dict[str, Any] = yaml.safe_load("""
    volumes: [{name: tmp, emptyDir: {}}]
    securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
    initContainers:
      - name: first
        image: x
        securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
    containers:
      - name: app
        image: x
        securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
    """)
SECURITY: list[tuple[str, Any]] = [
    ("hostNetwork", False),
    ("hostNetwork", True),
    ("hostPID", True),
    ("hostIPC", True),
    ("volumes.0", {"name": "h", "hostPath": {"path": "/"}}),
    ("volumes.0", {"name": "h", "nfs": {"server": "a", "path": "/"}}),
    ("volumes.0", {"name": "h", "persistentVolumeClaim": {"claimName": "a"}}),
    ("volumes.0", {"name": "h", "projected": {"sources": []}}),
    ("securityContext.runAsNonRoot", GONE),
    ("securityContext.runAsNonRoot", False),
    ("securityContext.runAsUser", 0),
    ("securityContext.runAsUser", 1),
    ("securityContext.seccompProfile", GONE),
    ("securityContext.seccompProfile", {"type": "Unconfined"}),
    ("securityContext.sysctls", [{"name": "kernel.msgmax", "value": "1"}]),
    ("securityContext.sysctls", [{"name": "net.ipv4.tcp_syncookies", "value": "1"}]),
    ("securityContext.seLinuxOptions", {"type": "container_t"}),
    ("securityContext.seLinuxOptions", {"user": "u"}),
    ("containers.0.securityContext", GONE),
    ("containers.0.securityContext.allowPrivilegeEscalation", True),
    ("containers.0.securityContext.allowPrivilegeEscalation", GONE),
    ("containers.0.securityContext.runAsNonRoot", False),
    ("containers.0.securityContext.runAsUser", 0),
    ("containers.0.securityContext.runAsUser", 7),
    ("containers.0.securityContext.capabilities.drop", ["NET_RAW"]),
    ("containers.0.securityContext.capabilities.add", ["NET_BIND_SERVICE"]),
    ("containers.0.securityContext.capabilities.add", ["CHOWN"]),
    ("containers.0.securityContext.capabilities.add", ["SYS_ADMIN"]),
    ("containers.0.securityContext.seccompProfile", {"type": "Localhost", "localhostProfile": "a"}),
    ("containers.0.securityContext.procMount", "Default"),
    ("containers.0.securityContext.appArmorProfile", {"type": "Unconfined"}),
    ("containers.0.securityContext.windowsOptions", {"hostProcess": False}),
    ("containers.0.ports", [{"containerPort": 80, "hostPort": 80}]),
    ("containers.0.ports", [{"containerPort": 80}]),
    ("containers.0.livenessProbe", {"httpGet": {"port": 1, "host": "example.com"}}),
    ("containers.0.lifecycle", {"preStop": {"httpGet": {"port": 1, "host": "example.com"}}}),
    ("initContainers.0.securityContext.capabilities", GONE),
]


@pytest.mark.parametrize("level", ["baseline", "restricted"])
@pytest.mark.parametrize(
    ("field", "value"), SECURITY, ids=[f"{field}-{str(value)[:20]}" for field, value in SECURITY]
)
def test_pod_security_is_what_the_admission_plugin_says(
    server: Server, project: views.Project, field: str, value: Any, level: str
) -> None:
    namespace = {"baseline": "gateway-dev", "restricted": "services-dev"}[level]
    labels = {"pod-security.kubernetes.io/enforce": level}
    about = {"name": namespace, "labels": labels}
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": about}
    server.call("POST", "/api/v1/namespaces", space)
    # Other tests may have made it before, without a level.
    server.call("PATCH", f"/api/v1/namespaces/{namespace}", {"metadata": {"labels": labels}})
    good = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": GOOD}
    manifest = changed(good, f"spec.{field}", value)
    refusal = server.create(manifest, namespace=namespace)
    assert not refusal or "violates PodSecurity" in refusal
    manifest["metadata"]["namespace"] = namespace
    hits = findings(project, manifest, ("KUB017",))
    placed = views.Object(manifest, "t", 0, namespace)
    assert placed.namespace == namespace
    assert bool(_in(project, placed)) is bool(refusal), (refusal, hits)


def _in(project: views.Project, placed: views.Object) -> list[Any]:
    service = views.Service(project, "auth")
    release = views.Release(service, "dev", {}, (placed,))
    return list(rulebook.rules()["KUB017"].check(release))
