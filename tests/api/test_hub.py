"""A hub on two real API servers: Argo CD's objects in the one, services in the other, and in each its own rights."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from tests.support import layouts, standing_shops

from hanbae.argo import authorizing
from hanbae.cli import main

if TYPE_CHECKING:
    from tests.api.conftest import ControlPlane

_SERVICES: Final = ("auth", "menu")
_PLACE: Final = ("auth", "--env", "dev")

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def workload_plane(
    control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ControlPlane]:
    """The cluster of the pods, which knows nothing of Argo CD."""
    plane = type(control_plane)(tmp_path_factory.mktemp("workload"), control_plane.programs)
    try:
        plane.start()
        yield plane
    finally:
        plane.stop()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> standing_shops.Shop:
    return standing_shops.Shop(tmp_path_factory.mktemp("hub"), _SERVICES, layout="hub")


@pytest.fixture(scope="module")
def kubeconfig(
    shop: standing_shops.Shop,
    control_plane: ControlPlane,
    workload_plane: ControlPlane,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Path]:
    """What dev's deployer has: the rights that are generated for each cluster, and no others."""
    programs = control_plane.programs
    hub, dev = (
        standing_shops.Kubectl(programs.path("kubectl"), plane.kubeconfig)
        for plane in (control_plane, workload_plane)
    )
    hub.begin(shop, programs.argocd_manifests / "crds")
    dev.run("create", "namespace", layouts.namespace("dev", "hub"))
    hub.apply([shop.application(service, "dev") for service in _SERVICES])
    dev.apply([shop.lease(service, "dev") for service in _SERVICES])
    assert main.run(["-C", str(shop.root), "generate", "rbac", "--env", "dev"]) == 0
    namespace = authorizing.namespace(shop.policy, "dev")
    tokens = {}
    for name, kubectl in {"control": hub, "workload": dev}.items():
        kubectl.run("apply", "--server-side", "-k", str(shop.root / f"k8s/rbac/dev/{name}"))
        tokens[name] = kubectl.run("create", "token", authorizing.ACCOUNT, "-n", namespace).strip()
    contexts = {
        "hub": (control_plane, tokens["control"]),
        "dev": (workload_plane, tokens["workload"]),
    }
    path = tmp_path_factory.mktemp("deployer") / "kubeconfig"
    path.write_text(json.dumps(_merged(contexts)))
    yield path
    hub.run("delete", "applications", "-n", "argocd", "--all", "--wait=false")


def _merged(contexts: dict[str, tuple[ControlPlane, str]]) -> dict[str, object]:
    """A kubeconfig of contexts, each with its API server and a token."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": name,
                "cluster": json.loads(plane.kubeconfig.read_text())["clusters"][0]["cluster"],
            }
            for name, (plane, _) in contexts.items()
        ],
        "users": [
            {"name": name, "user": {"token": token}} for name, (_, token) in contexts.items()
        ],
        "contexts": [
            {"name": name, "context": {"cluster": name, "user": name}} for name in contexts
        ],
    }


@pytest.fixture
def run(
    shop: standing_shops.Shop,
    kubeconfig: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    standing_shops.as_administrator(monkeypatch, kubeconfig, tmp_path)

    def run(*words: str) -> tuple[int, str, str]:
        code = main.run(["--lang", "en", "-C", str(shop.root), *words])
        captured = capsys.readouterr()
        return code, captured.out, " ".join(captured.err.split())

    return run


def test_services_stand_where_both_clusters_say(run: Run) -> None:
    code, out, err = run("status", "--env", "dev", "--output", "json")
    assert code == 0, err
    listed = json.loads(out)
    assert [entry["state"] for entry in listed["standings"]] == ["current", "current"]
    assert listed["standings"][0]["outcome"] == "succeeded", (
        "the Lease says it, in the pods' cluster"
    )
    code, out, err = run("doctor", *_PLACE, "--output", "json")
    assert code in {0, 1}, err
    assert json.loads(out)["unreached"] == []


def test_hold_is_in_the_cluster_of_the_pods(run: Run) -> None:
    code, _, err = run("hold", "add", *_PLACE, "--why", "The login page is slow")
    assert code == 0, err
    code, out, err = run("hold", "list", "--env", "dev", "--output", "json")
    assert code == 0, err
    (held,) = json.loads(out)["held"]
    assert (held["service"], held["holds"][0]["why"]) == ("auth", "The login page is slow")
    code, _, err = run("hold", "lift", *_PLACE)
    assert code == 0, err


def test_nothing_runs_is_the_answer_of_both_clusters(run: Run) -> None:
    for verb in ("stop", "attach"):
        code, _, err = run(verb, *_PLACE)
        assert code == 5, err
        assert "auth" in err
