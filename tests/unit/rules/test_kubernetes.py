"""Kubernetes rules on objects of any shape, and the cases that their examples do not show."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tests.support import trees

from hanbae.policy import loading
from hanbae.rules import claims, rulebook, running, views
from hanbae.rules.kubernetes.validation import workloads
from hanbae.sandbox import demo_repository

RULES = [
    rule
    for rule in rulebook.rules().values()
    if rule.family == "kubernetes" and rule.scope == "release"
]
KINDS = {
    "Deployment": "apps/v1",
    "StatefulSet": "apps/v1",
    "Job": "batch/v1",
    "CronJob": "batch/v1",
    "Pod": "v1",
    "Service": "v1",
    "Ingress": "networking.k8s.io/v1",
    "HTTPRoute": "gateway.networking.k8s.io/v1",
    "HorizontalPodAutoscaler": "autoscaling/v2",
    "PodDisruptionBudget": "policy/v1",
    "ConfigMap": "v1",
    "ServiceAccount": "v1",
    "CustomResourceDefinition": "apiextensions.k8s.io/v1",
    "Thing": "example.com/v1",
}
WORDS = st.sampled_from(
    (
        "spec",
        "template",
        "metadata",
        "labels",
        "containers",
        "name",
        "ports",
        "selector",
        "a",
        "",
        "100%",
    )
)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=20,
)
_TEXT = (demo_repository.example() / "hanbae.yaml").read_bytes()
POLICY, PLACES = loading.parse(_TEXT, "hanbae.yaml")
PROJECT = views.Project(POLICY, PLACES, trees.MemoryTree({}), ())


def release(*objects: dict[str, Any], namespace: str = "services-dev") -> views.Release:
    service = views.Service(PROJECT, "auth")
    placed = tuple(
        views.Object(
            manifest,
            "t.yaml",
            index,
            str((manifest.get("metadata") or {}).get("namespace") or namespace),
        )
        for index, manifest in enumerate(objects)
    )
    rendered = views.Release(service, "dev", {}, placed)
    service.releases["dev"] = rendered
    return rendered


def variants(code: str, *objects: dict[str, Any], namespace: str = "services-dev") -> list[str]:
    rule = rulebook.rules()[code]
    return [hit.variant or "found" for hit in rule.check(release(*objects, namespace=namespace))]


def loaded(text: str) -> list[dict[str, Any]]:
    return [document for document in yaml.safe_load_all(text) if document]


WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web, tier: front}}
    spec:
      containers:
        - name: app
          image: x
          ports: [{name: http, containerPort: 8080}]
"""


WEB_OBJECTS = tuple(loaded(WEB))


@pytest.mark.parametrize("kind", KINDS)
@given(spec=ANYTHING, metadata=st.dictionaries(WORDS, ANYTHING, max_size=3))
def test_no_rule_stumbles_over_a_shape(kind: str, spec: Any, metadata: dict[str, Any]) -> None:
    plain = {"apiVersion": KINDS[kind], "kind": kind, "metadata": metadata, "spec": spec}
    shaped = {**plain, "data": spec, "metadata": {"name": "a"}}
    nested = {**plain, "spec": {"selector": spec, "template": {"metadata": metadata, "spec": spec}}}
    rendered = release(plain, shaped, nested, *WEB_OBJECTS)
    for rule in RULES:
        for hit in rule.check(rendered):
            assert all(isinstance(fact, str) for fact in hit.facts.values()), rule.code


@pytest.mark.parametrize(
    ("selector", "hits"),
    [
        ("{app: web}", []),
        ("{app: web, tier: front}", []),
        ("{app: web, tier: back}", ["found"]),
        ("{}", []),
        ("null", []),
    ],
)
def test_a_service_without_a_selector_is_somebody_elses(selector: str, hits: list[str]) -> None:
    service = f"""
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec: {{selector: {selector}, ports: [{{port: 80}}]}}
"""
    assert variants("KUB026", *loaded(WEB), *loaded(service)) == hits


@pytest.mark.parametrize(
    ("port", "hits"),
    [
        ("{port: 80, targetPort: http}", []),
        ("{port: 8080}", []),
        ("{port: 80}", ["number"]),
        ("{port: 80, targetPort: 8080}", []),
        ("{port: 80, targetPort: 9090}", ["number"]),
        ("{port: 80, targetPort: web}", ["name"]),
    ],
)
def test_a_port_leads_to_a_name_or_a_number(port: str, hits: list[str]) -> None:
    service = f"""
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec: {{selector: {{app: web}}, ports: [{port}]}}
"""
    assert variants("KUB027", *loaded(WEB), *loaded(service)) == hits


ROUTE = """
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web}
spec:
  parentRefs: [{name: gateway}]
  rules: [{backendRefs: [%s]}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{name: http, port: 80}]}
"""


@pytest.mark.parametrize(
    ("spec", "severities"),
    [
        ("ports: [{port: 80, targetPort: tls}]", [None]),
        ("clusterIP: None, ports: [{port: 80, targetPort: tls}]", ["warning"]),
        ("clusterIP: None, ports: [{port: 80, targetPort: http}]", []),
    ],
)
def test_a_port_that_no_pod_has_breaks_no_headless_service(
    spec: str, severities: list[str | None]
) -> None:
    service = loaded(
        f"{{apiVersion: v1, kind: Service, metadata: {{name: web}}, spec: {{selector: {{app: web}}, {spec}}}}}"
    )
    hits = rulebook.rules()["KUB027"].check(release(*WEB_OBJECTS, *service))
    assert [hit.severity for hit in hits] == severities


@pytest.mark.parametrize(
    ("spec", "hits"),
    [
        ("ports: [{port: 80, targetPort: http}]", []),
        ("ports: [{port: 80, targetPort: http}, {port: 443, targetPort: https}]", []),
        ("ports: [{port: 80, targetPort: done}]", ["found"]),
        ("ports: [{port: 80, targetPort: 8080}]", ["found"]),
        ('ports: [{port: 80, targetPort: "8080"}]', ["found"]),
        ("ports: [{port: 80}]", ["found"]),
        ("clusterIP: None, ports: [{port: 80, targetPort: http}]", ["found"]),
        ("clusterIP: None", ["found"]),
    ],
)
def test_pods_of_a_job_without_the_port_that_is_named_get_no_requests(
    spec: str, hits: list[str]
) -> None:
    objects = f"""
apiVersion: batch/v1
kind: Job
metadata: {{name: migrate}}
spec:
  template:
    metadata: {{labels: {{app: web}}}}
    spec: {{containers: [{{name: a, image: x, ports: [{{name: done, containerPort: 1}}]}}]}}
---
{{apiVersion: v1, kind: Service, metadata: {{name: web}}, spec: {{selector: {{app: web}}, {spec}}}}}
"""
    assert variants("KUB028", *loaded(objects)) == hits


@pytest.mark.parametrize(
    ("backend", "hits"),
    [
        ("{name: web, port: 80}", []),
        ("{name: web, port: 81}", ["port"]),
        ("{name: other, port: 80}", ["service"]),
        ("{name: other, port: 80, kind: Bucket, group: example.com}", []),
        ("{name: web, port: 80, namespace: elsewhere}", ["service"]),
    ],
)
def test_a_route_leads_to_a_service_of_the_release(backend: str, hits: list[str]) -> None:
    assert variants("KUB029", *loaded(ROUTE % backend)) == hits
    assert variants("KUB001", *loaded(ROUTE % backend)) == []


@pytest.mark.parametrize(
    ("budget", "hits"),
    [
        ("maxUnavailable: 0", ["none"]),
        ("maxUnavailable: 0%", ["none"]),
        ("maxUnavailable: 1", []),
        ("minAvailable: 2", []),
        ("minAvailable: 3", ["all"]),
        ("minAvailable: 100%", ["none"]),
        ("minAvailable: 67%", ["all"]),
        ("minAvailable: 66%", []),
        ("minAvailable: 1", []),
    ],
)
def test_a_budget_leaves_one_pod_to_go(budget: str, hits: list[str]) -> None:
    text = f"""
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {{name: web}}
spec: {{selector: {{matchLabels: {{app: web}}}}, {budget}}}
"""
    assert variants("KUB024", *loaded(WEB), *loaded(text)) == hits


@pytest.mark.parametrize(
    ("expression", "hits"),
    [
        ("{key: tier, operator: In, values: [front]}", []),
        ("{key: tier, operator: In, values: [back]}", ["found"]),
        ("{key: tier, operator: NotIn, values: [back]}", []),
        ("{key: other, operator: NotIn, values: [back]}", []),
        ("{key: tier, operator: Exists}", []),
        ("{key: other, operator: Exists}", ["found"]),
        ("{key: tier, operator: DoesNotExist}", ["found"]),
    ],
)
def test_selectors_have_expressions(expression: str, hits: list[str]) -> None:
    (web,) = loaded(WEB)
    web["spec"]["selector"] = yaml.safe_load(f"{{matchExpressions: [{expression}]}}")
    assert variants("KUB019", web) == hits


@pytest.mark.parametrize(
    ("strategy", "hits"),
    [
        ("{type: Recreate}", ["recreate"]),
        ("{rollingUpdate: {maxUnavailable: 100%}}", ["unavailable"]),
        ("{rollingUpdate: {maxUnavailable: 3}}", ["unavailable"]),
        ("{rollingUpdate: {maxUnavailable: 2}}", []),
        ("{rollingUpdate: {maxUnavailable: 25%}}", []),
        ("null", []),
    ],
)
def test_a_rollout_keeps_some_pods(strategy: str, hits: list[str]) -> None:
    (web,) = loaded(WEB)
    web["spec"]["strategy"] = yaml.safe_load(strategy)
    assert variants("KUB018", web) == hits


@pytest.mark.parametrize(
    ("api_version", "kind", "hits"),
    [
        ("apps/v1", "Deployment", []),
        ("apps/v1", "Deploymnet", ["near"]),
        ("apps/v1", "Zzzzzzzz", ["kind"]),
        ("apps/v7", "Deployment", ["version"]),
        ("resource.k8s.io/v1beta2", "ResourceClaim", ["off"]),
        ("extensions/v1beta1", "Ingress", []),  # KUB004's
        ("example.com/v1", "Thing", ["custom"]),
        ("bitnami.com/v1alpha1", "SealedSecret", []),
    ],
)
def test_kinds_are_known_or_not(api_version: str, kind: str, hits: list[str]) -> None:
    manifest = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "a"}}
    assert variants("KUB003", manifest) == hits


DEFINITION = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.com}
spec:
  group: example.com
  scope: Namespaced
  names: {kind: Thing, plural: things}
  versions:
    - name: v1
      served: true
      storage: true
      schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {a: {type: string}}}}}}
"""
CUSTOM = {"apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "a"}}


def test_a_charts_own_definition_makes_a_kind_known() -> None:
    manifest = {**CUSTOM, "spec": {"b": 1}}
    assert variants("KUB003", manifest, *loaded(DEFINITION)) == []
    assert variants("KUB002", manifest, *loaded(DEFINITION)) == ["none"]
    assert variants("KUB002", manifest) == []


@pytest.mark.parametrize(
    "path", ["k8s/base/things.yaml", "services/identity/helm/crds/things.yaml", "crds/things.yaml"]
)
def test_a_definition_in_the_repository_makes_a_kind_known(path: str) -> None:
    files = {path: DEFINITION.encode(), "k8s/broken.yaml": b"CustomResourceDefinition: ["}
    project = views.Project(POLICY, PLACES, trees.MemoryTree(files), ())
    service = views.Service(project, "auth")
    placed = views.Object({**CUSTOM, "spec": {"a": 1}}, "t.yaml", 0, "services-dev")
    rendered = views.Release(service, "dev", {}, (placed,))
    rules = rulebook.rules()
    assert list(rules["KUB003"].check(rendered)) == []
    assert [hit.variant for hit in rules["KUB001"].check(rendered)] == ["type"]


def test_pod_security_is_the_namespaces() -> None:
    (web,) = loaded(WEB)
    assert len(variants("KUB017", web)) == 1  # one block, one finding
    assert variants("KUB017", web, namespace="gateway-dev") == []  # baseline
    assert variants("KUB017", web, namespace="kube-system") == []  # not the policy's
    web["spec"]["template"]["spec"]["hostNetwork"] = True
    assert len(variants("KUB017", web)) == 2
    assert len(variants("KUB017", web, namespace="gateway-dev")) == 1
    assert variants("KUB017", web, namespace="observability-dev") == []  # privileged


@pytest.mark.parametrize(
    ("hook", "hits"),
    [
        ({"sleep": {"seconds": 30}}, ["found"]),
        ({"sleep": {"seconds": 29}}, []),
        ({"exec": {"command": ["sleep", "45"]}}, ["found"]),
        ({"exec": {"command": ["sh", "-c", "sleep 45; echo"]}}, ["found"]),
        ({"exec": {"command": ["sh", "-c", "nginx -s quit"]}}, []),
        ({"exec": {"command": ["sleep", "infinity"]}}, []),
        ({"exec": {"command": ["sleep"]}}, []),
    ],
)
def test_pre_stop_ends_within_the_grace_period(hook: dict[str, Any], hits: list[str]) -> None:
    (web,) = loaded(WEB)
    web["spec"]["template"]["spec"]["containers"][0]["lifecycle"] = {"preStop": hook}
    assert variants("KUB016", web) == hits


def test_claims_are_of_cluster_and_namespace() -> None:
    project = views.Project(POLICY, PLACES, trees.MemoryTree({}), ())
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole"}
    manifests = [
        {**role, "metadata": {"name": "reader"}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "texts"}},
        {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"generateName": "once-"}},
    ]
    claimed = []
    for name in ("auth", "identity"):
        for environment in ("dev", "staging"):
            objects = tuple(
                views.Object(manifest, f"{name}.yaml", index, f"services-{environment}")
                for index, manifest in enumerate(manifests)
            )
            scoped = frozenset({"ClusterRole"})
            claimed.append(
                ((name, environment), claims.of(objects, cluster="", cluster_scoped=scoped))
            )
    project = dataclasses.replace(project, clashes=claims.clashes(claimed))
    hits = [
        (hit.variant, hit.facts["object"], hit.facts["environments"])
        for hit in rulebook.rules()["KUB032"].check(project)
    ]
    assert ("environments", "ClusterRole/reader", "dev, staging") in hits
    assert ("services", "ConfigMap/texts", "dev, staging") in hits
    assert not [claim for claim in hits if "Job" in claim[1]]


def test_rules_are_quick() -> None:
    """Not a benchmark: a rule that copies, parses or compiles for each object would take hundreds of times as long."""
    import time

    def service() -> views.Service:
        releases = [release(*loaded(WEB) * 10) for _ in range(20)]
        by_name = {str(index): rendered for index, rendered in enumerate(releases)}
        return views.Service(PROJECT, "auth", by_name)

    running.over_service(service(), RULES)  # compiles
    again = service()
    started = time.process_time()
    running.over_service(again, RULES)
    assert (time.process_time() - started) / 200 / len(RULES) < 0.001


def test_pods_of_helm_tests_are_never_applied_and_not_judged() -> None:
    container = {"name": "wget", "image": "busybox:1.36"}
    about = {"name": "t", "annotations": {"helm.sh/hook": "test"}}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": about,
        "spec": {"containers": [container]},
    }
    for code in ("KUB011", "KUB017"):
        assert variants(code, pod) == []
        assert variants(code, {**pod, "metadata": {"name": "t"}})


def test_time_zones_are_listed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = []

    def zones() -> set[str]:
        listed.append(1)
        return {"Asia/Seoul"}

    workloads._zones.cache_clear()
    monkeypatch.setattr(workloads, "available_timezones", zones)
    unknown = [
        refusal.facts["value"]
        for zone in ("Asia/Seoul", "Asia/Soul", "Mars", "Asia/Seoul")
        for refusal in workloads.cron_job({"schedule": "* * * * *", "timeZone": zone}, ())
    ]
    workloads._zones.cache_clear()
    assert (unknown, len(listed)) == (["Asia/Soul", "Mars"], 1)
