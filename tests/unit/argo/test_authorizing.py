"""What the deployer is granted follows from the policy and the services; the api tests act as it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hanbae.actions import generate_rbac
from hanbae.argo import admitting, authorizing, proof_rules, rulings
from hanbae.charts import founding
from hanbae.clusters import kinds, probes
from hanbae.planning import proofs
from hanbae.policy import documents, loading

GOLDEN = Path(__file__).parents[2] / "golden" / "rbac"
SERVICES = (
    authorizing.Service("auth", "registry.example.com/shop/auth", ("DATABASE_URL",)),
    authorizing.Service("web"),
)


def read(text: str) -> documents.Policy:
    return loading.parse(text.encode(), "hanbae.yaml")[0]


POLICY = read(founding.policy_file("https://git.example.com/shop.git", one_cluster=True))
CHARTS_MAKE = (
    "configmaps",
    "cronjobs",
    "daemonsets",
    "horizontalpodautoscalers",
    "httproutes",
    "ingresses",
    "networkpolicies",
    "persistentvolumeclaims",
    "poddisruptionbudgets",
    "serviceaccounts",
    "services",
)
APART = read(founding.policy_file("https://git.example.com/shop.git"))


def with_environment(policy: documents.Policy, name: str, **fields: Any) -> documents.Policy:
    environment = msgspec.structs.replace(policy.environments[name], **fields)
    return msgspec.structs.replace(policy, environments={**policy.environments, name: environment})


def with_gateway(policy: documents.Policy) -> documents.Policy:
    space = msgspec.structs.replace(policy.namespaces["gateway"], services=("web",))
    return msgspec.structs.replace(policy, namespaces={**policy.namespaces, "gateway": space})


def granted(objects: list[dict[str, Any]]) -> Iterator[tuple[str, str, str, tuple[str, ...]]]:
    """Namespace, verb, resource and names of everything in the Roles."""
    for manifest in objects:
        for rule in manifest.get("rules", []):
            for verb in rule["verbs"]:
                (resource,), names = rule["resources"], tuple(rule.get("resourceNames", ()))
                yield manifest["metadata"]["namespace"], verb, resource, names


@pytest.mark.parametrize("name", ["kustomization", "identity", "roles", "admission"])
def test_files_are_as_reviewed(name: str) -> None:
    files = generate_rbac.manifests(POLICY, "dev", SERVICES, groups=["shop deployers"])
    assert files[f"k8s/rbac/dev/{name}.yaml"] == (GOLDEN / f"dev-{name}.yaml").read_text()


@pytest.mark.parametrize("cluster", ["control", "workload"])
def test_files_of_clusters_apart_are_as_reviewed(cluster: str) -> None:
    policy = with_environment(APART, "production", control="argocd", workload="pods")
    files = generate_rbac.manifests(policy, "production", SERVICES)
    golden = GOLDEN / f"production-{cluster}-roles.yaml"
    assert files[f"k8s/rbac/production/{cluster}/roles.yaml"] == golden.read_text()


def test_nothing_is_granted_for_every_name_that_the_policy_knows_by_name() -> None:
    everywhere = {
        (verb, resource)
        for _, verb, resource, names in granted(authorizing.roles(POLICY, "dev", SERVICES))
        if not names
    }
    # What has no name before it is there, or is named by Kubernetes.
    assert everywhere == {
        *((verb, "pods") for verb in ("get", "list", "watch")),
        *((verb, "jobs") for verb in ("get", "list", "watch", "create", "delete")),
        *((verb, "deployments") for verb in ("get", "list", "watch")),
        *((verb, "statefulsets") for verb in ("get", "list", "watch")),
        *((verb, "replicasets") for verb in ("get", "list", "watch")),
        ("get", "resourcequotas"),
        ("list", "limitranges"),
        *((verb, "events") for verb in ("list", "watch")),
        ("get", "pods/log"),
        # What charts make besides: hanbae plan reads it by names that only the charts know.
        *(("get", plural) for plural in CHARTS_MAKE),
        # RBAC knows no name while a thing is created; a deployment is found in whichever Lease it is.
        ("create", "leases"),
        ("list", "leases"),
    }


BY_HELM = with_environment(POLICY, "dev", engine="helm")
KINDS = (kinds.CONFIGMAP, kinds.SECRET, kinds.of("monitoring.coreos.com/v1", "ServiceMonitor"))


def test_under_helm_the_deployer_writes_what_charts_make_and_tells_argo_cd_nothing() -> None:
    services = (authorizing.Service("auth", kinds=KINDS, secrets=("auth-made",)), SERVICES[1])
    roles = authorizing.roles(BY_HELM, "dev", services)
    written = {(verb, resource) for _, verb, resource, _ in granted(roles)}
    scaffolded = ("deployments", "horizontalpodautoscalers", "ingresses", "sealedsecrets")
    applied = (*scaffolded, "serviceaccounts", "services", "configmaps", "servicemonitors")
    assert {resource for verb, resource in written if verb == "patch"} == {
        *applied,
        "leases",
        "secrets",
    }
    assert {resource for verb, resource in written if verb == "delete"} == {
        *applied,
        "jobs",
        "secrets",
    }
    assert ("update", "deployments") in written, "an undo replaces what it has read"
    assert not {resource for _, resource in written} & {"applications", "applicationsets"}
    assert {space for space, *_ in granted(roles)} == {"services-dev", "kube-system"}
    policy, _ = admitting.policies(BY_HELM, "dev", services)
    (rule,) = policy["spec"]["matchConstraints"]["resourceRules"]
    assert rule["resources"] == ["secrets"]
    expressions = {entry["name"]: entry["expression"] for entry in policy["spec"]["variables"]}
    assert "sh.helm.release.v1.auth-service.v" in expressions["releases"]
    assert "auth-made" in expressions["made"]


def test_under_helm_only_the_cluster_of_the_pods_is_asked() -> None:
    policy = with_environment(APART, "production", engine="helm", control="argocd", workload="pods")
    files = generate_rbac.manifests(policy, "production", SERVICES)
    assert {path.rpartition("/")[0] for path in files} == {"k8s/rbac/production/workload"}
    assert "Helm keeps its records" in files["k8s/rbac/production/workload/roles.yaml"]


def test_without_services_nothing_is_granted_by_an_empty_list_of_names() -> None:
    """RBAC takes no names for all names."""
    grants = set(granted(authorizing.roles(POLICY, "dev", ())))
    resources = {resource for _, _, resource, _ in grants}
    assert not resources & {"applications", "secrets", "sealedsecrets"}
    rules = [rule for t in authorizing.roles(POLICY, "dev", ()) for rule in t.get("rules", [])]
    assert all(rule.get("resourceNames", True) for rule in rules)


def test_each_namespace_shows_the_secrets_of_its_own_services_only() -> None:
    grants = set(granted(authorizing.roles(with_gateway(POLICY), "dev", SERVICES)))
    secrets = {(space, names) for space, _, resource, names in grants if resource == "secrets"}
    assert secrets == {
        ("services-dev", ("auth-secrets",)),
        ("gateway-dev", ("web-secrets",)),
    }


def test_an_environment_reaches_its_own_applications_only() -> None:
    for environment in ("dev", "production"):
        grants = granted(authorizing.roles(POLICY, environment, SERVICES))
        names = {names for _, _, resource, names in grants if resource == "applications"}
        assert names == {(f"auth-{environment}", f"web-{environment}")}


def test_each_cluster_gets_what_is_in_it() -> None:
    control = set(granted(authorizing.roles(POLICY, "dev", SERVICES, clusters=["control"])))
    workload = set(granted(authorizing.roles(POLICY, "dev", SERVICES, clusters=["workload"])))
    assert {space for space, *_ in control} == {"argocd"}
    assert {space for space, *_ in workload} == {"services-dev", "kube-system"}
    assert control | workload == set(granted(authorizing.roles(POLICY, "dev", SERVICES)))


def test_a_controller_in_a_namespace_of_services_makes_no_second_role() -> None:
    secrets = msgspec.structs.replace(POLICY.secrets, controller="services-dev/sealer")
    policy = msgspec.structs.replace(POLICY, secrets=secrets)
    roles = authorizing.roles(policy, "dev", SERVICES)
    names = [
        (manifest["kind"], manifest["metadata"]["namespace"], manifest["metadata"]["name"])
        for manifest in roles
    ]
    assert len(names) == len(set(names))
    proxied = ("http:sealer:http", "http:sealer:8080")
    assert ("services-dev", "get", "services/proxy", proxied) in set(granted(roles))


def test_environments_have_identities_of_their_own() -> None:
    assert authorizing.username(POLICY, "dev") == (
        "system:serviceaccount:hanbae-services-dev:hanbae-deployer"
    )
    argocd = msgspec.structs.replace(POLICY.argocd, project="a" * 53)
    long = msgspec.structs.replace(POLICY, argocd=argocd)
    names = {authorizing.namespace(long, name) for name in ("dev", "staging", "production")}
    assert len(names) == 3
    assert all(re.fullmatch(r"[a-z0-9]([a-z0-9-]{,61}[a-z0-9])?", name) for name in names)


def test_groups_are_bound_and_held_to_the_same() -> None:
    roles = authorizing.roles(POLICY, "dev", SERVICES, groups=["ops"])
    for manifest in roles:
        if manifest["kind"] == "RoleBinding":
            assert [subject["kind"] for subject in manifest["subjects"]] == [
                "ServiceAccount",
                "Group",
            ]
    for manifest in admitting.policies(POLICY, "dev", SERVICES, groups=['o"ps']):
        if manifest["kind"] == "ValidatingAdmissionPolicy":
            (condition,) = manifest["spec"]["matchConditions"]
            assert r'"o\"ps" in request.userInfo.groups' in condition["expression"]


def test_policies_refuse_when_they_cannot_be_worked_out() -> None:
    policies = admitting.policies(POLICY, "dev", SERVICES)
    assert [policy["metadata"]["name"] for policy in policies[::2]] == [
        "hanbae-applications-services-dev",
        "hanbae-applicationsets-services-dev",
        "hanbae-jobs-services-dev",
    ]
    assert {policy["spec"]["failurePolicy"] for policy in policies[::2]} == {"Fail"}
    assert [policy["spec"]["validationActions"] for policy in policies[1::2]] == [["Deny"]] * 3


def test_only_services_with_databases_have_proofs() -> None:
    services = proof_rules.variables(with_gateway(POLICY), "dev", SERVICES)["services"]
    assert msgspec.json.decode(services) == [
        {
            "namespace": "services-dev",
            "prefix": "auth-service-",
            "repository": "registry.example.com/shop/auth",
            "secret": "auth-secrets",
            "keys": ",DATABASE_URL,",
            "name": "auth-migrate",
            "account": "auth-service",
        }
    ]
    assert proof_rules.variables(POLICY, "dev", ())["services"] == "[]"


def test_names_from_a_repository_cannot_become_expressions() -> None:
    hostile = authorizing.Service("auth", '"] + [{"x": "\\\n<<key>>')
    services = proof_rules.variables(POLICY, "dev", [hostile])["services"]
    assert msgspec.json.decode(services)[0]["repository"] == hostile.repository
    assert rulings.expression("a == <<b>>", b='"<<c>>') == r'a == "\"<<c>>"'


def test_rules_and_makers_of_proofs_agree_on_variables_and_limits() -> None:
    assert (proof_rules.DRIVER, proof_rules.URL) == (proofs.DRIVER, proofs.ADDRESS)
    assert proofs.DEADLINE <= proof_rules.LONGEST
    assert probes.TTL <= proof_rules.LONGEST
