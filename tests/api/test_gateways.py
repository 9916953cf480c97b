"""What ``hanbae generate gateways`` writes, in an API server with and without the Gateway API's own definitions."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.support import gateway_api, standing_shops

from hanbae import workspaces
from hanbae.actions import doctor, generate_gateways, overlay
from hanbae.cli import main
from hanbae.results import diagnoses

if TYPE_CHECKING:
    from tests.api.conftest import ControlPlane

GATEWAYS = """
gateways:
  domains: {staging: staging.example.com, production: example.com}
  ingress: {staging: nginx}
  routes:
    ledger: {}
    mailer: {host: "@", path: /mail, port: 8080}
"""
EXPECTS = "    expects: {PostgreSQL: postgres, Valkey: valkey, ClickHouse: clickhouse}\n"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> standing_shops.Shop:
    """A clone whose overlays have routes, and whose policy expects databases of somebody else."""
    shop = standing_shops.Shop(tmp_path_factory.mktemp("gateways"), ("ledger", "mailer"))
    policy = shop.root / "hanbae.yaml"
    purpose = "    purpose: [PostgreSQL, Valkey, ClickHouse]\n"
    text = policy.read_text()
    assert purpose in text
    policy.write_text(text.replace(purpose, purpose + EXPECTS) + GATEWAYS)
    generate_gateways.generate_gateways(shop.root)
    shop.push("Routes")
    return shop


@pytest.fixture
def kubectl(control_plane: ControlPlane) -> standing_shops.Kubectl:
    return standing_shops.Kubectl(control_plane.programs.path("kubectl"), control_plane.kubeconfig)


@pytest.fixture(autouse=True)
def user(control_plane: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    standing_shops.as_administrator(monkeypatch, control_plane.kubeconfig, tmp_path)


def run(shop: standing_shops.Shop, *words: str) -> int:
    return main.run(["--lang", "en", "-C", str(shop.root), *words, "--context", "admin"])


def test_gateways_are_accepted_where_their_kinds_are_served_and_ingresses_everywhere(
    shop: standing_shops.Shop, kubectl: standing_shops.Kubectl, capsys: pytest.CaptureFixture[str]
) -> None:
    # The other test may have applied the same overlay before.
    everywhere = ("--all", "-n", "services-staging", "--ignore-not-found")
    kubectl.run("delete", "ingress", *everywhere)
    assert run(shop, "overlay", "plan", "staging") == 0
    assert "Ingress/services-staging/ledger-service" in capsys.readouterr().out
    assert run(shop, "overlay", "apply", "staging", "--yes") == 0
    ingress = json.loads(
        kubectl.run("get", "ingress", "mailer-service", "-n", "services-staging", "-o", "json")
    )
    assert ingress["spec"]["rules"][0]["host"] == "staging.example.com"

    refused = run(shop, "overlay", "apply", "production", "--yes")
    narrated = capsys.readouterr().err
    assert refused != 0
    assert "Gateway" in narrated, "no Gateway API is served yet"

    kubectl.run("apply", "--server-side", "-f", str(gateway_api.definitions()))
    kinds = ("gateways", "httproutes")
    kubectl.await_kinds(*(f"{name}.gateway.networking.k8s.io" for name in kinds))
    assert run(shop, "overlay", "plan", "production") == 0
    assert "in this overlay (Gateway/public)" in capsys.readouterr().out
    assert run(shop, "overlay", "apply", "production", "--yes") == 0
    route = json.loads(
        kubectl.run("get", "httproute", "ledger-service", "-n", "services-production", "-o", "json")
    )
    assert route["spec"]["hostnames"] == ["ledger.example.com"]
    assert route["spec"]["parentRefs"][0]["namespace"] == "gateway-production"
    labels = json.loads(kubectl.run("get", "namespace", "services-production", "-o", "json"))[
        "metadata"
    ]["labels"]
    gateway = json.loads(
        kubectl.run("get", "gateway", "public", "-n", "gateway-production", "-o", "json")
    )
    selector = gateway["spec"]["listeners"][0]["allowedRoutes"]["namespaces"]["selector"]
    assert selector["matchLabels"].items() <= labels.items(), "or no route would be taken"
    assert run(shop, "overlay", "plan", "production", "--exit-code") == 0, "nothing changes again"


def causes(shop: standing_shops.Shop) -> dict[str, diagnoses.Diagnosis]:
    with workspaces.opened(shop.root, context="admin") as space:
        snapshots, silent = asyncio.run(doctor.doctor(space, (), ("staging",)))
    assert not silent
    listed = doctor.diagnose(snapshots).diagnoses
    return {entry.cause.facts["part"]: entry for entry in listed if "part" in entry.cause.facts}


def test_doctor_looks_whether_what_is_expected_is_there_and_ready(
    shop: standing_shops.Shop, kubectl: standing_shops.Kubectl, control_plane: ControlPlane
) -> None:
    kubectl.begin(shop, control_plane.programs.argocd_manifests / "crds")
    assert run(shop, "overlay", "apply", "staging", "--yes") == 0
    before = causes(shop)
    assert {entry.cause.id for entry in before.values()} == {"diagnosis.part-absent"}
    assert set(before) == {"PostgreSQL", "Valkey", "ClickHouse"}
    assert before["Valkey"].symptom.id == "doctor.not-reached"
    assert before["Valkey"].command[:3] == ("kubectl", "get", "services")

    def service(name: str, **spec: Any) -> dict[str, Any]:
        metadata = {"name": name, "namespace": "data-staging"}
        ports = {"ports": [{"port": 5432}]} if not spec else {}
        return {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {**ports, **spec},
        }

    slice_ = {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": "postgres-1",
            "namespace": "data-staging",
            "labels": {"kubernetes.io/service-name": "postgres"},
        },
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.0.0.9"], "conditions": {"ready": False}}],
        "ports": [{"port": 5432}],
    }
    external = service("clickhouse", type="ExternalName", externalName="clickhouse.example.com")
    kubectl.apply([service("postgres"), slice_, external])
    after = causes(shop)
    assert {part: entry.cause.id for part, entry in after.items()} == {
        "PostgreSQL": "diagnosis.part-silent",
        "Valkey": "diagnosis.part-absent",
    }
    slice_["endpoints"] = [{"addresses": ["10.0.0.9"], "conditions": {"ready": True}}]
    kubectl.apply([slice_])
    assert set(causes(shop)) == {"Valkey"}


def test_the_part_that_is_a_gateway_is_provided_by_the_overlay(shop: standing_shops.Shop) -> None:
    with workspaces.opened(shop.root) as space:
        objects = [
            {"kind": "Gateway", "metadata": {"name": "public", "namespace": "gateway-production"}}
        ]
        parts = overlay.parts_of(space.policy, "production", (), objects)
        provided = {part.name: (part.provided, part.by) for part in parts}
    assert provided["Cilium Gateway"] == ("overlay", "Gateway/public")
    assert provided["WebSocket"] == ("declared", "")
    assert provided["Valkey"] == ("expected", "valkey")
