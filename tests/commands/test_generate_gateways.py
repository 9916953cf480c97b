"""``hanbae generate gateways``: how services are reached, in the overlays of environments that have a domain."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from hanbae.actions import init, new_service
from hanbae.cli import main

GATEWAYS = """
gateways:
  tls: wildcard
  domains: {dev: dev.example.com, production: example.com}
  ingress: {dev: nginx}
  routes:
    auth: {}
    web: {host: "@", path: /app, port: 8080}
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / ".git").mkdir()
    init.init(tmp_path, repository="https://git.example.com/shop.git", one_cluster=True)
    for service in ("auth", "web"):
        new_service.new_service(tmp_path, service)
    with (tmp_path / "hanbae.yaml").open("a") as policy:
        policy.write(GATEWAYS)
    return tmp_path


def generate(shop: Path, *words: str) -> int:
    return main.run(["--lang", "en", "-C", str(shop), "generate", "gateways", *words])


def objects(shop: Path, environment: str) -> list[dict[str, Any]]:
    path = shop / f"k8s/overlays/{environment}/gateway.yaml"
    return [dict(item) for item in YAML(typ="safe").load_all(path) if item]


def listed(shop: Path, environment: str) -> list[str]:
    path = shop / f"k8s/overlays/{environment}/kustomization.yaml"
    return list(YAML(typ="safe").load(path)["resources"])


def test_a_gateway_and_a_route_for_each_service_or_ingresses_where_there_is_no_gateway_api(
    shop: Path,
) -> None:
    assert generate(shop) == 0
    gateway, auth, web = objects(shop, "production")
    assert (gateway["kind"], gateway["spec"]["gatewayClassName"]) == ("Gateway", "cilium")
    assert gateway["metadata"] == {"name": "public", "namespace": "gateway-production"}
    (listener,) = gateway["spec"]["listeners"]
    assert listener["tls"]["certificateRefs"] == [{"kind": "Secret", "name": "wildcard"}]
    selector = listener["allowedRoutes"]["namespaces"]["selector"]
    assert selector == {"matchLabels": {"hanbae.dev/environment": "production"}}
    assert auth["metadata"] == {"name": "auth-service", "namespace": "services-production"}
    assert auth["spec"]["hostnames"] == ["auth.example.com"]
    assert web["spec"]["hostnames"] == ["example.com"]
    assert web["spec"]["rules"][0]["backendRefs"] == [{"name": "web-service", "port": 8080}]
    assert [item["kind"] for item in objects(shop, "dev")] == ["Ingress", "Ingress"]
    ingress = objects(shop, "dev")[0]["spec"]
    assert ingress["ingressClassName"] == "nginx"
    assert ingress["tls"] == [{"hosts": ["auth.dev.example.com"], "secretName": "wildcard"}]
    assert "gateway.yaml" in listed(shop, "dev")
    assert not (shop / "k8s/overlays/staging/gateway.yaml").exists()
    assert "gateway.yaml" not in listed(shop, "staging")


def test_what_is_not_asked_for_any_more_is_taken_away(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generate(shop, "--check") == 1
    assert "hanbae generate gateways" in capsys.readouterr().err
    assert not (shop / "k8s/overlays/dev/gateway.yaml").exists(), "a check writes nothing"
    assert generate(shop) == generate(shop, "--check") == 0
    policy = shop / "hanbae.yaml"
    policy.write_text(policy.read_text().replace("dev: dev.example.com, ", ""))
    assert generate(shop) == 0
    assert not (shop / "k8s/overlays/dev/gateway.yaml").exists()
    assert "gateway.yaml" not in listed(shop, "dev")
    assert objects(shop, "production")


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("dev: nginx", "prod: nginx", "prod"),
        ('host: "@"', "host: a.b", "a.b"),
        ('web: {host: "@", path: /app', "web: {host: auth, path: /", "auth"),
        ("tls: wildcard", "tls: Wild_Card", "tls"),
        ("production: example.com", 'production: "*.example.com"', "production"),
    ],
)
def test_gateways_that_cannot_be_are_refused_with_their_line(
    shop: Path, capsys: pytest.CaptureFixture[str], before: str, after: str, expected: str
) -> None:
    policy = shop / "hanbae.yaml"
    assert before in policy.read_text()
    policy.write_text(policy.read_text().replace(before, after))
    assert generate(shop) == 2
    err = capsys.readouterr().err
    assert "hanbae.yaml:" in err
    assert expected in err
