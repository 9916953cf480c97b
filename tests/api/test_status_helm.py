"""``hanbae status`` of what Helm deploys: each record as it is, in few requests however many releases there are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.support import standing_shops

from hanbae import workspaces
from hanbae.actions import status
from hanbae.clusters import connections
from hanbae.engines.helm import program

if TYPE_CHECKING:
    from tests.api.conftest import ControlPlane

SERVICES = tuple(f"helmed{number:02}" for number in range(13))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> standing_shops.Shop:
    return standing_shops.Shop(tmp_path_factory.mktemp("helmed"), SERVICES, engine="helm")


@pytest.fixture
def kubectl(
    control_plane: ControlPlane,
    shop: standing_shops.Shop,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[standing_shops.Kubectl]:
    """The services are installed in dev; what was there is taken away in the end."""
    programs = control_plane.programs
    kubectl = standing_shops.Kubectl(programs.path("kubectl"), control_plane.kubeconfig)
    kubectl.begin(shop, programs.argocd_manifests / "crds")
    installed = [shop.release(service, "dev") for service in SERVICES]
    kubectl.apply([record for record, _ in installed])
    applied = [item for _, items in installed for item in items]
    kubectl.apply(applied, manager=program.MANAGER)
    standing_shops.as_administrator(monkeypatch, control_plane.kubeconfig, tmp_path)
    yield kubectl
    kinds = "deployments,services,configmaps,serviceaccounts,secrets"
    marked = "app.kubernetes.io/managed-by=Helm"
    kubectl.run("delete", kinds, "-n", "services-dev", "-l", marked, "--wait=false")
    kubectl.run("delete", "secrets", "-n", "services-dev", "-l", "owner=helm", "--wait=false")


async def test_many_releases_are_read_in_lists_and_what_was_changed_by_hand_is_seen(
    kubectl: standing_shops.Kubectl, shop: standing_shops.Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = {"data": {"KEY_3": "by hand"}}
    name = "helmed07-service"
    words = ("--field-manager=somebody", "--type=merge", "-p", json.dumps(change))
    kubectl.run("patch", "configmap", name, "-n", "services-dev", *words)
    requests: list[str] = []
    send = connections.Cluster.ask

    async def counted(
        self: connections.Cluster, call: str, *rest: object, **more: object
    ) -> object:
        requests.append(call)
        return await send(self, call, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(connections.Cluster, "ask", counted)
    with workspaces.opened(shop.root, context="admin") as space:
        listed = await status.status(space, SERVICES, ("dev",))
    assert listed.unreached == ()
    assert [standing.service for standing in listed.standings] == list(SERVICES)
    assert {standing.deployed for standing in listed.standings} == {shop.head}
    assert {standing.version for standing in listed.standings} == {"1.4.2"}
    (drifted,) = (standing for standing in listed.standings if standing.drifts)
    assert [(entry.object.name, entry.fields) for entry in drifted.drifts] == [
        (name, ("data.KEY_3",))
    ]
    assert len(requests) < 2 * len(SERVICES)
