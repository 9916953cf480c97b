"""``hanbae status`` on a real API server: the table, the few requests that it takes, and what is told of changes."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.support import interrupting, polling, records, standing_shops

from hanbae import workspaces
from hanbae.actions import status
from hanbae.cli import main
from hanbae.clusters import connections
from hanbae.history import stores
from hanbae.results import checklists, events

if TYPE_CHECKING:
    from tests.api.conftest import ControlPlane

SERVICES = ("ledger", "mailer", "orders", "search")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> standing_shops.Shop:
    return standing_shops.Shop(tmp_path_factory.mktemp("standing"), SERVICES)


@pytest.fixture(scope="module")
def kubectl(
    control_plane: ControlPlane, shop: standing_shops.Shop
) -> Iterator[standing_shops.Kubectl]:
    """The services stand in the cluster; what was there is taken away in the end."""
    programs = control_plane.programs
    kubectl = standing_shops.Kubectl(programs.path("kubectl"), control_plane.kubeconfig)
    kubectl.begin(shop, programs.argocd_manifests / "crds")
    places = [(service, name) for service in SERVICES for name in standing_shops.ENVIRONMENTS]
    kubectl.apply([shop.application(*place) for place in places])
    hold = '[{"why":"slow","by":"ann","identity":"cluster","at":"2026-11-24T09:30:00Z"}]'
    kubectl.apply([shop.lease(*place) for place in places if place != ("ledger", "staging")])
    kubectl.apply([shop.lease("ledger", "staging", holds=hold, outcome="failed")])
    yield kubectl
    kubectl.run("delete", "applications", "-n", "argocd", "--all", "--wait=false")
    for environment in standing_shops.ENVIRONMENTS:
        kubectl.run("delete", "leases", "-n", f"services-{environment}", "--all")


@pytest.fixture(autouse=True)
def user(
    control_plane: ControlPlane,
    kubectl: standing_shops.Kubectl,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An administrator with a history of their own."""
    del kubectl
    standing_shops.as_administrator(monkeypatch, control_plane.kubeconfig, tmp_path)


def test_the_matrix_says_what_runs_and_what_somebody_has_to_know(
    shop: standing_shops.Shop,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decision = checklists.Decision("logs", "Logs are clean", "logs-clean", "failed")
    decided = events.Decided(checklists.Checked("after", (decision,)))
    with stores.open_store() as store:
        facts = [records.opened("ledger", "staging"), decided, records.closed("failed")]
        for event in records.stream(facts, deployment="20261123-110000-ledger-staging"):
            store.append(event.deployment, event.step, event.fact, event.at)
    monkeypatch.setenv("COLUMNS", "80")
    assert main.run(["--lang", "en", "-C", str(shop.root), "status", "--context", "admin"]) == 0
    out = capsys.readouterr().out
    heading, _, *lines = out.splitlines()
    assert heading.split() == ["Service", "dev", "staging", "production"]
    assert max(map(len, out.splitlines())) <= 80
    row = "\n".join(lines[: next(i for i, line in enumerate(lines) if line.startswith("mailer"))])
    assert row.count("1.4.2") == row.count(shop.deployed[:7]) == 3
    assert row.count("1 migration") == 3, "the head has one more than what runs"
    assert row.count("held") == row.count("last: failed") == row.count("✘ logs") == 1


def test_json_has_the_whole_of_it(
    shop: standing_shops.Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["status", "ledger", "--env", "staging", "--context", "admin", "--output", "json"]
    assert main.run(["-C", str(shop.root), *words]) == 0
    document = json.loads(capsys.readouterr().out)
    (standing,) = document["standings"]
    assert {
        "state": "current",
        "deployed": shop.deployed,
        "head": shop.head,
        "since": standing_shops.SINCE,
        "version": "1.4.2",
        "pending": ["00002_step.sql"],
        "deployment": "20261123-110000-ledger-staging",
        "outcome": "failed",
        "by": "jiwon",
    }.items() <= standing.items()
    (held,) = document["held"]
    assert (held["service"], held["environment"]) == ("ledger", "staging")
    assert held["holds"][0]["why"] == "slow"


def test_an_environment_costs_a_handful_of_requests_however_many_services_there_are(
    shop: standing_shops.Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths: list[str] = []
    send = connections.Cluster.send

    async def counted(
        self: connections.Cluster, call: Any, method: str, path: str, **more: Any
    ) -> Any:
        paths.append(path)
        return await send(self, call, method, path, **more)

    monkeypatch.setattr(connections.Cluster, "send", counted)
    with workspaces.opened(shop.root, context="admin") as space:
        listed = asyncio.run(status.status(space))
    assert len(listed.standings) == len(SERVICES) * 3
    assert {entry.state for entry in listed.standings} == {"current"}
    assert sorted(path.rpartition("/")[2] for path in paths) == ["applications", *["leases"] * 3]


def test_what_was_deployed_and_is_gone_was_not_simply_never_deployed(
    shop: standing_shops.Shop,
    kubectl: standing_shops.Kubectl,
    capsys: pytest.CaptureFixture[str],
) -> None:
    gone, failed = shop.application("search", "dev"), shop.application("ledger", "staging")
    for application in (gone, failed):
        kubectl.run("delete", "application", application["metadata"]["name"], "-n", "argocd")
    try:
        words = ["-C", str(shop.root), "status", "--context", "admin"]
        assert main.run(["--lang", "en", *words, "search", "--env", "dev"]) == 0
        shown = " ".join(capsys.readouterr().out.split())
        assert f"differs from {shop.deployed[:12]}, which was deployed" in shown
        assert "Application/argocd/search-dev, by which it was deployed, is gone" in shown
        assert main.run([*words, "search", "--env", "dev", "--output", "json"]) == 0
        (entry,) = json.loads(capsys.readouterr().out)["standings"]
        assert (entry["state"], entry["deployed"]) == ("drifted", shop.deployed)
        assert [drift["is_gone"] for drift in entry["drifts"]] == [True]
        doctor = ["doctor", "search", "--env", "dev", "--context", "admin", "--output", "json"]
        assert main.run(["-C", str(shop.root), *doctor]) == 1
        named = json.loads(capsys.readouterr().out)["diagnoses"]
        assert [entry["subject"]["name"] for entry in named] == ["search-dev"]
        assert named[0]["cause"]["id"] == "diagnosis.gone"
        # What has failed may never have come so far, and what Helm has deployed had none.
        kubectl.apply([shop.lease("search", "dev", engine="helm")])
        for service, environment in (("ledger", "staging"), ("search", "dev")):
            assert main.run([*words, service, "--env", environment, "--output", "json"]) == 0
            (entry,) = json.loads(capsys.readouterr().out)["standings"]
            assert (entry["state"], entry["drifts"]) == ("absent", [])
    finally:
        kubectl.apply([gone, failed, shop.lease("search", "dev")])


def test_who_may_not_read_leases_is_told_so_and_sees_the_rest(
    shop: standing_shops.Shop, kubectl: standing_shops.Kubectl
) -> None:
    reader = {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {"name": "applications-of-status"},
        "rules": [{"apiGroups": ["argoproj.io"], "resources": ["applications"], "verbs": ["get", "list"]}],
    }  # fmt: skip
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
        "metadata": {"name": "applications-of-status"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "applications-of-status"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "nobody"}],
    }  # fmt: skip

    def may_list() -> bool:
        return kubectl.may(
            "list", "applications.argoproj.io", "-n", "argocd", "--context", "nobody"
        )

    kubectl.apply([reader, binding])
    try:
        polling.until(may_list, within=30)
        with workspaces.opened(shop.root, context="nobody") as space:
            listed = asyncio.run(status.status(space))
    finally:
        kubectl.run("delete", "clusterrolebinding,clusterrole", "applications-of-status")
        polling.until(lambda: not may_list(), within=30)
    assert {entry.state for entry in listed.standings} == {"current"}
    assert [entry.environment for entry in listed.unread] == list(standing_shops.ENVIRONMENTS)
    assert {entry.why.id for entry in listed.unread} == {"cluster.forbidden-ungranted"}


def test_a_pipe_gets_a_line_for_each_change_until_ctrl_c(
    shop: standing_shops.Shop, kubectl: standing_shops.Kubectl
) -> None:
    words = ["-C", str(shop.root), "--lang", "en", "status", "--env", "dev", "--watch"]
    with subprocess.Popen(
        [sys.executable, "-c", interrupting.START, *words, "--context", "admin"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout is not None
            first = [process.stdout.readline() for _ in SERVICES]
            assert [line.split()[0] for line in first] == list(SERVICES)
            message = {"health": {"status": "Degraded", "message": "no memory"}}
            kubectl.apply([shop.application("orders", "dev", **message)])
            changed = process.stdout.readline()
            assert changed.startswith("orders dev: 1.4.2 "), changed
            assert "unhealthy" in changed
            process.send_signal(signal.SIGINT)
            rest, err = process.communicate(timeout=60)
            assert (process.returncode, rest, err) == (130, "", "")
        finally:
            process.kill()
            kubectl.apply([shop.application("orders", "dev")])
