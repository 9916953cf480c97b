"""``plan --env`` and ``check --live`` render a chart for the API versions that a real API server answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.support import standing_shops

from hanbae import workspaces
from hanbae.actions import plan_live
from hanbae.cli import main

if TYPE_CHECKING:
    from tests.api.conftest import ControlPlane

SERVICE, GROUP = "lighthouse", "lighthouses.example.com"
POD = """\
apiVersion: v1
kind: Pod
metadata: {name: NAME}
spec: {hostNetwork: true, containers: [{name: app, image: "registry.example.com/shop/lighthouse:1.4.2"}]}
"""
GATED = f"""\
{{{{- if .Capabilities.APIVersions.Has "{GROUP}/v1/Lamp" }}}}
{POD.replace("NAME", "lit")}
{{{{- else }}}}
{POD.replace("NAME", "dark")}
{{{{- end }}}}
"""
DEFINITION: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"lamps.{GROUP}"},
    "spec": {
        "group": GROUP,
        "names": {"kind": "Lamp", "plural": "lamps", "singular": "lamp"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object"}},
            }
        ],
    },
}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> standing_shops.Shop:
    """A service that is another one where the cluster has a kind of its own."""
    shop = standing_shops.Shop(tmp_path_factory.mktemp("known"), (SERVICE,), engine="helm")
    chart = shop.root / "services" / SERVICE / "helm"
    (chart / "templates").mkdir()
    (chart / "templates/gated.yaml").write_text(GATED)
    (chart / "values-dev.yaml").write_text("image: {tag: 1.4.2}\n")
    shop.push("Name an image")
    return shop


@pytest.fixture
def kubectl(
    control_plane: ControlPlane,
    shop: standing_shops.Shop,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[standing_shops.Kubectl]:
    """A user with a history of their own, in a cluster without the kind."""
    standing_shops.as_administrator(monkeypatch, control_plane.kubeconfig, tmp_path)
    programs = control_plane.programs
    kubectl = standing_shops.Kubectl(programs.path("kubectl"), control_plane.kubeconfig)
    kubectl.begin(shop, programs.argocd_manifests / "crds")
    yield kubectl
    kubectl.run("delete", "crd", "--ignore-not-found", DEFINITION["metadata"]["name"])


def define(kubectl: standing_shops.Kubectl) -> None:
    kubectl.apply([DEFINITION])
    kubectl.await_kinds(f"lamps.{GROUP}")


async def planned(shop: standing_shops.Shop) -> set[str]:
    """The pods that a deployment would bring."""
    with workspaces.opened(shop.root, context="admin") as space:
        (preview,) = await plan_live.preview(space, (SERVICE,), "dev")
    changes = preview.plan.forecast
    return {change.object.name for change in changes if change.object.kind == "Pod"}


async def test_a_plan_is_rendered_for_what_the_cluster_has(
    shop: standing_shops.Shop, kubectl: standing_shops.Kubectl
) -> None:
    assert await planned(shop) == {"dark"}
    define(kubectl)
    assert await planned(shop) == {"lit"}


async def test_a_check_that_asks_the_cluster_assumes_nothing(
    shop: standing_shops.Shop,
    kubectl: standing_shops.Kubectl,
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def checked(*words: str) -> tuple[set[str], bool]:
        """The pods with findings in dev, and whether anything of the cluster is assumed there."""
        arguments = ["-C", str(shop.root), "check", SERVICE, "--no-cache", "-o", "json", *words]
        await asyncio.to_thread(main.run, arguments)
        findings = json.loads(capsys.readouterr().out)["findings"]
        pods = {
            item["object"]["name"]
            for item in findings
            if item.get("object", {}).get("kind") == "Pod"
        }
        return pods, "INP008" in {item["code"] for item in findings}

    assert await checked() == ({"lit", "dark"}, True)
    assert await checked("--live") == ({"dark"}, False)
    define(kubectl)
    assert await checked("--live") == ({"lit"}, False)
    assert await checked() == ({"lit", "dark"}, True)
