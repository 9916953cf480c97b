"""``hanbae plan`` for Helm on a real API server, as users who may read more or less of whose a service is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.support import polling, standing_shops

from hanbae import workspaces
from hanbae.actions import plan_live
from hanbae.results import previews

if TYPE_CHECKING:
    from tests.api.conftest import ControlPlane

SERVICE, SPACE = "gatehouse", "services-dev"
METADATA = "metadata: {name: gatehouse-service}"
TEMPLATES = {
    "service": f"""\
apiVersion: v1
kind: Service
{METADATA}
spec: {{clusterIP: None, selector: {{a: b}}, ports: [{{port: 8080}}]}}
""",
    "set": f"""\
apiVersion: apps/v1
kind: StatefulSet
{METADATA}
spec:
  serviceName: gatehouse-service
  selector: {{matchLabels: {{a: b}}}}
  template:
    metadata: {{labels: {{a: b}}}}
    spec: {{containers: [{{name: app, image: "registry.example.com/shop/gatehouse:1.4.2"}}]}}
""",
}
TRACKED = "argocd.argoproj.io/tracking-id=gatehouse-by-hand:x/y:services-dev/gatehouse-service"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> standing_shops.Shop:
    """A service with two objects and an image."""
    shop = standing_shops.Shop(tmp_path_factory.mktemp("planned"), (SERVICE,), engine="helm")
    chart = shop.root / "services" / SERVICE / "helm"
    (chart / "templates").mkdir()
    for name, text in TEMPLATES.items():
        (chart / f"templates/{name}.yaml").write_text(text)
    (chart / "values-dev.yaml").write_text("image: {tag: 1.4.2}\n")
    shop.push("Name an image")
    return shop


@pytest.fixture(scope="module")
def kubectl(
    control_plane: ControlPlane, shop: standing_shops.Shop
) -> Iterator[standing_shops.Kubectl]:
    """Argo CD has the service: an Application, and its mark on both objects."""
    programs = control_plane.programs
    kubectl = standing_shops.Kubectl(programs.path("kubectl"), control_plane.kubeconfig)
    kubectl.begin(shop, programs.argocd_manifests / "crds")
    kubectl.apply([shop.application(SERVICE, "dev")])
    for name in TEMPLATES:
        template = shop.root / "services" / SERVICE / f"helm/templates/{name}.yaml"
        kubectl.run("apply", "-n", SPACE, "-f", str(template))
    objects = ("services,statefulsets", "gatehouse-service", "-n", SPACE)
    kubectl.run("annotate", *objects, TRACKED)
    yield kubectl
    kubectl.run("delete", *objects, "--wait=false")
    kubectl.run("delete", "applications", "-n", "argocd", "--all", "--wait=false")


@pytest.fixture(autouse=True)
def user(control_plane: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user with a history of their own."""
    standing_shops.as_administrator(monkeypatch, control_plane.kubeconfig, tmp_path)


async def plan(shop: standing_shops.Shop, context: str) -> previews.Preview:
    with workspaces.opened(shop.root, context=context) as space:
        (preview,) = await plan_live.preview(space, (SERVICE,), "dev")
    return preview


@pytest.mark.usefixtures("kubectl")
async def test_who_may_read_whose_the_objects_are_is_told_that_argo_cd_has_them(
    shop: standing_shops.Shop,
) -> None:
    (refusal,) = (await plan(shop, "admin")).refusals
    assert refusal.id == "upgrade.argocd-owns"
    assert refusal.facts["application"] == "gatehouse-by-hand"


@pytest.mark.usefixtures("kubectl")
async def test_who_may_read_nothing_of_the_cluster_is_shown_the_plan_all_the_same(
    shop: standing_shops.Shop,
) -> None:
    preview = await plan(shop, "nobody")
    assert preview.refusals == ()
    assert [step.id for step in preview.plan.steps] == ["sync"]
    assert {change.outcome for change in preview.plan.forecast} == {"unknown"}


@pytest.mark.parametrize(
    ("resource", "namespace", "application"),
    [
        ("statefulsets.apps", SPACE, "gatehouse-by-hand"),
        ("applications.argoproj.io", "argocd", "gatehouse-dev"),
    ],
)
async def test_who_may_read_one_of_the_objects_alone_is_told_by_that_one(
    shop: standing_shops.Shop,
    kubectl: standing_shops.Kubectl,
    resource: str,
    namespace: str,
    application: str,
) -> None:
    place = ("-n", namespace)
    kubectl.run("create", "role", "looks", *place, "--verb=get", f"--resource={resource}")
    kubectl.run("create", "rolebinding", "looks", *place, "--role=looks", "--user=nobody")

    def may_look() -> bool:
        return kubectl.may("get", resource, *place, "--context", "nobody")

    try:
        polling.until(may_look, within=30)
        (refusal,) = (await plan(shop, "nobody")).refusals
    finally:
        kubectl.run("delete", "role,rolebinding", "looks", *place)
        polling.until(lambda: not may_look(), within=30)
    assert refusal.facts["application"] == application
