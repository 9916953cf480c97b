"""What hanbae scaffolds, given to a real API server: its own validation, pod security and the real CRDs decide."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.support import polling, standing_shops

from hanbae.actions import generate_argocd, init, new_service
from hanbae.sandbox import binaries

if TYPE_CHECKING:
    from tests.api.conftest import ControlPlane

ENVIRONMENTS = {"dev": "dev", "staging": "staging", "production": "prod"}
SEALED = "AgB" + "x" * 720


class Shop:
    """A scaffolded repository and a cluster to try it on."""

    def __init__(self, root: Path, plane: ControlPlane) -> None:
        self.root = root
        self.programs: binaries.Binaries = plane.programs
        self.environment = self.programs.environment() | {"KUBECONFIG": str(plane.kubeconfig)}
        for name in list(self.environment):
            if name.lower().endswith("_proxy"):
                del self.environment[name]
        self._applied: set[str] = set()

    def run(self, program: str, *arguments: str, stdin: str | None = None) -> str:
        ended = subprocess.run(
            [str(self.programs.path(program)), *arguments],
            cwd=self.root,
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, f"{program} {' '.join(arguments)}\n{ended.stderr}"
        return ended.stdout

    def apply_overlay(self, environment: str) -> None:
        """Apply an environment's overlay if that has not been done."""
        if environment not in self._applied:
            self.run("kubectl", "apply", "-k", f"k8s/overlays/{environment}")
            self._applied.add(environment)

    def await_kinds(self, *kinds: str) -> None:
        """Wait until the API server serves custom resources; `kubectl wait` trips over a new CRD's status."""

        def served() -> set[str]:
            names = self.run("kubectl", "api-resources", "--no-headers", "-o", "name").split()
            return {name.split(".")[0] for name in names}

        polling.until(lambda: set(kinds) <= served(), within=60, pause=0.2, state=served)

    def dry_run(self, objects: list[dict[str, Any]], namespace: str) -> str:
        """Have the API server check objects, strictly, as if they were created."""
        listed = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        arguments = ("create", "--dry-run=server", "--validate=strict", "-n", namespace)
        return self.run("kubectl", *arguments, "-o", "name", "-f", "-", stdin=listed)

    def template(self, service: str, environment: str) -> list[dict[str, Any]]:
        """The chart's objects as the real Helm renders them."""
        chart = f"services/{service}/helm"
        values = f"{chart}/values-{ENVIRONMENTS[environment]}.yaml"
        sealed = f"sealedSecret.encryptedData.DATABASE_URL={SEALED}"
        everything = "ingress.enabled=true,autoscaling.enabled=true,env.LEVEL=debug,image.tag=v1"
        text = self.run(
            "helm", "template", f"{service}-service", chart, "-f", values,
            "--set-string", sealed, "--set", everything,
        )  # fmt: skip
        from ruamel.yaml import YAML

        return [document for document in YAML(typ="safe").load_all(text) if document]


@pytest.fixture(scope="module")
def shop(control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """Scaffolded by the actions; the CRDs are those of the real components."""
    root = tmp_path_factory.mktemp("shop")
    init.init(root, repository="https://git.example.com/shop.git", language="ko", one_cluster=True)
    new_service.new_service(root, "auth")
    databases = ("identity_db", "auth_db", "legal_db")
    new_service.new_service(root, "identity", databases=databases)
    generate_argocd.generate_argocd(root)
    shop = Shop(root, control_plane)
    kubectl = standing_shops.Kubectl(shop.programs.path("kubectl"), control_plane.kubeconfig)
    for part in (shop.programs.argocd_manifests, shop.programs.sealed_secrets_chart):
        kubectl.define(part / "crds")
    shop.await_kinds("applicationsets", "appprojects", "sealedsecrets")
    return shop


def test_overlays_apply_to_a_plain_cluster_side_by_side(shop: Shop) -> None:
    for environment in ENVIRONMENTS:
        shop.apply_overlay(environment)
        again = shop.run("kubectl", "apply", "-k", f"k8s/overlays/{environment}")
        assert {line.rsplit(" ", 1)[1] for line in again.splitlines()} == {"unchanged"}
    listed = shop.run("kubectl", "get", "namespaces", "-o", "name", "-l", "hanbae.dev/environment")
    # Others of the tests' API server have namespaces of their own.
    parts = ("data", "gateway", "observability", "services")
    names = {f"namespace/{part}-{environment}" for part in parts for environment in ENVIRONMENTS}
    assert names <= set(listed.splitlines())


@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("service", ["auth", "identity"])
def test_chart_is_accepted_by_helm_and_by_the_api_server(
    shop: Shop, service: str, environment: str
) -> None:
    shop.apply_overlay(environment)
    chart = f"services/{service}/helm"
    values = f"{chart}/values-{ENVIRONMENTS[environment]}.yaml"
    shop.run("helm", "lint", "--strict", chart, "-f", values)
    objects = shop.template(service, environment)
    assert len(shop.dry_run(objects, f"services-{environment}").splitlines()) == len(objects)
    kinds = {manifest["kind"] for manifest in objects}
    assert kinds >= {"Deployment", "Job", "SealedSecret", "Ingress", "HorizontalPodAutoscaler"}


@pytest.mark.parametrize("service", ["auth", "identity"])
def test_every_pod_is_admitted_where_restricted_is_enforced(shop: Shop, service: str) -> None:
    shop.apply_overlay("production")
    templates = [
        manifest["spec"]["template"]
        for manifest in shop.template(service, "production")
        if manifest["kind"] in {"Deployment", "Job"}
    ]
    pods = [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": f"try-{index}", "labels": template["metadata"]["labels"]},
            "spec": template["spec"],
        }
        for index, template in enumerate(templates)
    ]
    assert len(shop.dry_run(pods, "services-production").splitlines()) == len(templates)


def test_restricted_really_refuses_there(shop: Shop) -> None:
    """The test above could not fail without this."""
    shop.apply_overlay("production")
    spec = {"containers": [{"name": "a", "image": "x"}]}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "careless"}, "spec": spec}
    with pytest.raises(AssertionError, match="violates PodSecurity"):
        shop.dry_run([pod], "services-production")


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_argo_cds_own_types_accept_what_is_generated(shop: Shop, environment: str) -> None:
    built = shop.run("kubectl", "kustomize", f"k8s/argocd/{environment}")
    ran = ("apply", "--dry-run=server", "--validate=strict", "-o", "name", "-f", "-")
    shop.run("kubectl", "create", "namespace", f"argocd-{environment}")
    namespaced = built.replace("namespace: argocd\n", f"namespace: argocd-{environment}\n")
    accepted = shop.run("kubectl", *ran, stdin=namespaced)
    assert sorted(line.split("/")[0] for line in accepted.splitlines()) == [
        "applicationset.argoproj.io",
        "appproject.argoproj.io",
    ]


def test_policy_documents_own_helm_command_renders(shop: Shop, tmp_path: Path) -> None:
    """``helm install auth-service . -f values.yaml -f values-prod.yaml -n services``, rendered only."""
    chart = shutil.copytree(shop.root / "services/auth/helm", tmp_path / "helm")
    (chart / "values.yaml").write_text((chart / "values.yaml.example").read_text())
    production = chart / "values-prod.yaml"
    production.write_text(production.read_text().replace('tag: ""', "tag: 1.4.2"))
    text = shop.run(
        "helm", "template", "auth-service", str(chart), "-n", "services",
        "-f", str(chart / "values.yaml"), "-f", str(production),
    )  # fmt: skip
    assert "name: auth-service-migrate" in text
    assert os.linesep in text
