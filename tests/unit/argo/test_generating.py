"""What Argo CD is told follows from the policy; the e2e tests compare it with what a real one makes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from hanbae.actions import generate_argocd
from hanbae.argo import generating
from hanbae.charts import founding
from hanbae.policy import documents, loading, naming

GOLDEN = Path(__file__).parents[2] / "golden" / "argocd"
ONE_CLUSTER = founding.policy_file("https://git.example.com/shop.git", one_cluster=True)
MANY = founding.policy_file("https://git.example.com/shop.git")


def read(text: str) -> documents.Policy:
    return loading.parse(text.encode(), "hanbae.yaml")[0]


POLICY = read(ONE_CLUSTER)


def with_environment(policy: documents.Policy, name: str, **fields: Any) -> documents.Policy:
    environment = msgspec.structs.replace(policy.environments[name], **fields)
    return msgspec.structs.replace(policy, environments={**policy.environments, name: environment})


def with_gateway(policy: documents.Policy) -> documents.Policy:
    space = msgspec.structs.replace(policy.namespaces["gateway"], services=("bff", "ws"))
    return msgspec.structs.replace(policy, namespaces={**policy.namespaces, "gateway": space})


@pytest.mark.parametrize("environment", ["dev", "production"])
@pytest.mark.parametrize("name", ["project", "applicationset", "kustomization"])
def test_files_are_as_reviewed(environment: str, name: str) -> None:
    files = generate_argocd.manifests(POLICY, environment)
    text = files[f"k8s/argocd/{environment}/{name}.yaml"]
    golden = GOLDEN / f"{environment}-{name}.yaml"
    assert text == golden.read_text()


def test_development_is_automated_and_the_others_are_not() -> None:
    automated = {
        name: generating.application(POLICY, "auth", name)["spec"]["syncPolicy"].get("automated")
        for name in ("dev", "staging", "production")
    }
    assert automated == {
        "dev": {"prune": True, "selfHeal": True},
        "staging": None,
        "production": None,
    }


@pytest.mark.parametrize("environment", ["dev", "staging", "production"])
def test_application_is_the_sets_template_filled_in(environment: str) -> None:
    """The pure function and the set are two sayings of one thing."""
    policy = with_gateway(POLICY)
    template = generating.application_set(policy, environment)["spec"]["template"]
    for service in ("auth", "bff"):
        namespace = naming.namespace(policy, service, environment)
        filled = _fill(template, service, namespace)
        filled["spec"]["syncPolicy"]["retry"] = {}  # as Argo CD writes a limit of 0
        application = generating.application(policy, service, environment)
        assert application["spec"] == filled["spec"]
        assert application["metadata"]["name"] == filled["metadata"]["name"]
        assert application["metadata"]["labels"] == filled["metadata"]["labels"]


def _fill(value: Any, service: str, namespace: str) -> Any:
    if isinstance(value, dict):
        return {
            key: namespace if key == "namespace" else _fill(item, service, namespace)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_fill(item, service, namespace) for item in value]
    if isinstance(value, str):
        return value.replace("{{ index .path.segments 1 }}", service)
    return value


def test_application_is_named_and_released_as_the_policy_says() -> None:
    application = generating.application(POLICY, "auth", "staging")
    assert application["metadata"]["name"] == "auth-staging"
    assert application["metadata"]["namespace"] == "argocd"
    spec = application["spec"]
    assert spec["source"]["helm"] == {
        "releaseName": "auth-service",
        "valueFiles": ["values-staging.yaml"],
    }
    assert spec["source"]["path"] == "services/auth/helm"
    assert spec["source"]["targetRevision"] == "refs/heads/release"
    assert spec["destination"]["namespace"] == "services-staging"


@pytest.mark.parametrize("environment", ["dev", "staging", "production"])
def test_failed_syncs_are_never_tried_again_by_argo_cd(environment: str) -> None:
    template = generating.application_set(POLICY, environment)["spec"]["template"]
    assert template["spec"]["syncPolicy"]["retry"] == {"limit": 0}


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_manual_environments_lose_nothing_by_a_mistake(environment: str) -> None:
    policy = generating.application_set(POLICY, environment)["spec"]["syncPolicy"]
    assert policy == {"applicationsSync": "create-update", "preserveResourcesOnDeletion": True}
    assert "finalizers" not in generating.application(POLICY, "auth", environment)["metadata"]


def test_services_come_from_the_environments_branch() -> None:
    spec = generating.application_set(POLICY, "production")["spec"]
    (generator,) = spec["generators"]
    assert generator["git"]["revision"] == "refs/heads/main"
    assert generator["git"]["directories"] == [{"path": "services/*/helm"}]
    assert spec["goTemplate"] is True
    assert spec["goTemplateOptions"] == ["missingkey=error"]


def test_the_services_name_is_the_part_at_the_star() -> None:
    text = ONE_CLUSTER.replace('"services/*/helm"', '"teams/shop/apps/*/deploy/chart"')
    source = generating.application_set(read(text), "dev")["spec"]["template"]["spec"]["source"]
    assert source["path"] == "teams/shop/apps/{{ index .path.segments 3 }}/deploy/chart"
    assert source["helm"]["releaseName"] == "{{ index .path.segments 3 }}-service"


def test_services_with_a_namespace_of_their_own_are_sent_there() -> None:
    template = generating.application_set(with_gateway(POLICY), "dev")["spec"]["template"]
    assert template["spec"]["destination"]["namespace"] == (
        '{{ if eq (index .path.segments 1) "bff" "ws" }}gateway-dev{{ else }}services-dev{{ end }}'
    )


def test_manual_database_changes_take_migrating_services_out_of_automation() -> None:
    policy = with_environment(POLICY, "dev", database_changes="manual")
    migrating = generating.application(policy, "auth", "dev")
    plain = generating.application(policy, "web", "dev", migrates=False)
    assert "automated" not in migrating["spec"]["syncPolicy"]
    assert plain["spec"]["syncPolicy"]["automated"] == {"prune": True, "selfHeal": True}
    spec = generating.application_set(policy, "dev")["spec"]
    assert spec["generators"][0]["git"]["files"] == [{"path": "services/*/helm/values-dev.yaml"}]
    assert "automated" not in spec["template"]["spec"]["syncPolicy"]
    assert "automated" in spec["templatePatch"]


def test_project_allows_this_repository_and_the_services_namespaces_only() -> None:
    spec = generating.project(with_gateway(POLICY), "dev")["spec"]
    assert spec["sourceRepos"] == ["https://git.example.com/shop.git"]
    assert [d["namespace"] for d in spec["destinations"]] == ["services-dev", "gateway-dev"]
    assert spec["clusterResourceWhitelist"] == []
    refused = {entry["kind"] for entry in spec["namespaceResourceBlacklist"]}
    assert {"Secret", "RoleBinding", "ResourceQuota"} <= refused
    allowed = {(entry["group"], entry["kind"]) for entry in spec["namespaceResourceWhitelist"]}
    assert {("", "Service"), ("apps", "Deployment"), ("bitnami.com", "SealedSecret")} <= allowed
    assert not {kind for _, kind in allowed} & (refused | {"Application", "ExternalSecret", "*"})


def test_policy_adds_kinds_that_services_may_bring() -> None:
    monitors = "monitoring.coreos.com/ServiceMonitor"
    argocd = msgspec.structs.replace(POLICY.argocd, kinds=(monitors, "Service"))
    spec = generating.project(msgspec.structs.replace(POLICY, argocd=argocd), "dev")["spec"]
    allowed = spec["namespaceResourceWhitelist"]
    assert {"group": "monitoring.coreos.com", "kind": "ServiceMonitor"} in allowed
    assert allowed.count({"group": "", "kind": "Service"}) == 1


def test_another_workload_cluster_is_named_as_argo_cd_knows_it() -> None:
    policy = with_environment(read(MANY), "production", workload="prod-pods")
    for destination in (
        generating.application(policy, "auth", "production")["spec"]["destination"],
        generating.project(policy, "production")["spec"]["destinations"][0],
    ):
        assert destination == {"name": "prod-pods", "namespace": "services"}
    near = generating.application(policy, "auth", "staging")["spec"]["destination"]
    assert near == {"server": "https://kubernetes.default.svc", "namespace": "services"}


def test_names_of_folders_stand_in_string_fields_only() -> None:
    """Argo CD renders string fields one by one, so a hostile name cannot become YAML; a patch is text."""
    policy = with_environment(with_gateway(POLICY), "dev", database_changes="manual")
    spec = generating.application_set(policy, "dev")["spec"]
    assert "path" not in spec["templatePatch"]
