"""Clones whose services stand in three environments of a real API server, as Argo CD and deployers have left them."""

from __future__ import annotations

import base64
import gzip
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.support import layouts, polling

from hanbae.argo import generating
from hanbae.engines import owning_releases
from hanbae.engines.helm import records
from hanbae.policy import documents, loading, naming

ENVIRONMENTS = ("dev", "staging", "production")
BRANCHES = {"dev": "develop", "staging": "release", "production": "main"}
SINCE = "2026-11-23T11:00:00Z"
_DEFINED = re.compile(r"^  name: ([a-z]+\.[a-z.]+)$", re.MULTILINE)
"""The names of definitions of custom resources, in their files."""
_MIGRATION = "-- +goose Up\nSELECT 1;\n-- +goose Down\nSELECT 1;\n"


class Shop:
    """A clone, its remote and its policy.

    Args:
        folder: An empty folder.
        services: The services.
        engine: What deploys them.
        layout: How its environments and clusters belong together.

    Attributes:
        layout: Likewise.
        root: The clone.
        deployed: The commit that runs everywhere.
        head: The head of every branch, in which the first service has one more migration.
    """

    def __init__(
        self,
        folder: Path,
        services: Sequence[str],
        *,
        engine: str = "argocd",
        layout: str = "one-cluster",
    ) -> None:
        self.services = tuple(services)
        self.layout = layout
        self.root = folder / "clone"
        git(folder, "init", "--quiet", "--bare", "origin")
        git(folder, "clone", "--quiet", "origin", "clone")
        layouts.begin(self.root, layout)
        file = self.root / "hanbae.yaml"
        platform = "platform: kubernetes\n"
        file.write_text(file.read_text().replace(platform, f"{platform}    engine: {engine}\n"))
        for service in services:
            self._write(service)
        self.deployed = self.push("Begin")
        self._migration(self.services[0], 2)
        self.head = self.push("One more migration")

    @property
    def policy(self) -> documents.Policy:
        """The policy."""
        return loading.load(self.root / "hanbae.yaml").policy

    def application(
        self, service: str, environment: str, *, resources: int = 2, syncs: int = 1, **status: Any
    ) -> dict[str, Any]:
        """An Application that is healthy and in sync with the head.

        Args:
            service: The service.
            environment: The environment.
            resources: How many objects it has.
            syncs: How many syncs Argo CD remembers; it keeps ten.
            status: Fields of its status.
        """
        manifest = generating.application(self.policy, service, environment)
        manifest["metadata"].pop("finalizers", None)
        source = manifest["spec"].get("source") or manifest["spec"]["sources"][0]
        history = [
            {"id": number, "revision": self.deployed, "deployedAt": SINCE, "source": source}
            for number in range(syncs)
        ]
        objects = [
            {
                "kind": "ConfigMap",
                "name": f"{service}-{number}",
                "version": "v1",
                "status": "Synced",
            }
            for number in range(resources)
        ]
        manifest["status"] = {
            "sync": {"status": "Synced", "revision": self.head},
            "health": {"status": "Healthy"},
            "history": history,
            "resources": objects,
            "summary": {"images": [f"registry.example.com/shop/{service}:1.4.2"]},
            **status,
        }
        return manifest

    def release(
        self, service: str, environment: str
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Helm's record of a service that is installed at the head, and what Helm has applied of it."""
        policy = self.policy
        name = naming.release(policy, service, environment)
        namespace = naming.namespace(policy, service, environment)
        chosen = {"app.kubernetes.io/name": name}
        container = {"name": "app", "image": f"registry.example.com/shop/{service}:1.4.2"}
        pod = {"metadata": {"labels": chosen}, "spec": {"containers": [container]}}
        specs: dict[tuple[str, str], dict[str, Any]] = {
            ("v1", "ServiceAccount"): {"automountServiceAccountToken": False},
            ("v1", "ConfigMap"): {"data": {f"KEY_{number}": "value" for number in range(20)}},
            ("v1", "Service"): {
                "spec": {"selector": chosen, "clusterIP": "None", "ports": [{"port": 8080}]}
            },
            ("apps/v1", "Deployment"): {
                "spec": {"selector": {"matchLabels": chosen}, "template": pod}
            },
        }
        # No `app.kubernetes.io/instance`, which many charts lack: Helm's annotations say whose it is.
        metadata = {"name": name, "labels": chosen}
        applied = [
            {"apiVersion": version, "kind": kind, "metadata": dict(metadata), **spec}
            for (version, kind), spec in specs.items()
        ]
        manifest = "".join(f"---\n{json.dumps(item)}\n" for item in applied)
        packed = gzip.compress(json.dumps({"name": name, "manifest": manifest}).encode())
        marks = {
            "owner": "helm",
            "name": name,
            "status": "deployed",
            "version": "1",
            records.KEY: f"20261123-{service}",
            records.REVISION: self.head,
            records.HELM_REVISION: "1",
        }
        record = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "helm.sh/release.v1",
            "metadata": {
                "name": f"sh.helm.release.v1.{name}.v1",
                "namespace": namespace,
                "labels": marks,
            },
            "data": {"release": base64.b64encode(base64.b64encode(packed)).decode()},
        }
        for item in applied:
            item["metadata"]["namespace"] = namespace
            owning_releases.own(item, release=name, namespace=namespace)
        return record, applied

    def lease(self, service: str, environment: str, **marks: str) -> dict[str, Any]:
        """The Lease of an application whose last deployment has succeeded."""
        deployment = f"20261123-110000-{service}-{environment}"
        noted = {
            "deployment": deployment,
            "service": service,
            "environment": environment,
            "revision": self.deployed,
            "engine": "argocd",
            "outcome": "succeeded",
            "by": "jiwon",
            **marks,
        }
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "name": naming.lease(service, environment),
                "namespace": naming.namespace(self.policy, service, environment),
                "annotations": {f"hanbae.dev/{name}": value for name, value in noted.items()},
            },
            "spec": {"leaseDurationSeconds": 15},
        }

    def namespaces(self) -> Iterator[str]:
        """The namespaces that are needed, Argo CD's own among them."""
        yield self.policy.argocd.namespace
        for environment in ENVIRONMENTS:
            yield naming.namespace(self.policy, self.services[0], environment)

    def _write(self, service: str) -> None:
        chart = self.root / "services" / service / "helm" / "Chart.yaml"
        chart.parent.mkdir(parents=True)
        chart.write_text(f"apiVersion: v2\nname: {service}\nversion: 0.1.0\n")
        self._migration(service, 1)

    def _migration(self, service: str, version: int) -> None:
        folder = self.root / "services" / service / "migrations"
        folder.mkdir(exist_ok=True)
        (folder / f"{version:05}_step.sql").write_text(_MIGRATION)

    def push(self, message: str) -> str:
        """Commit what is there and push it to every branch."""
        git(self.root, "add", "--all")
        git(self.root, "commit", "--quiet", "--message", message)
        git(self.root, "push", "--quiet", "origin", *(f"HEAD:{name}" for name in BRANCHES.values()))
        return git(self.root, "rev-parse", "HEAD").strip()


class Kubectl:
    """kubectl of an administrator.

    Args:
        program: kubectl.
        kubeconfig: The kubeconfig.
    """

    def __init__(self, program: Path, kubeconfig: Path) -> None:
        self._words = [str(program), f"--kubeconfig={kubeconfig}"]

    def run(self, *words: str) -> str:
        """Run it, and return what it prints."""
        ended = subprocess.run(
            [*self._words, *words], check=True, capture_output=True, text=True, timeout=300
        )
        return ended.stdout

    def may(self, *words: str) -> bool:
        """Whether ``kubectl auth can-i`` says yes to some words."""
        try:
            return self.run("auth", "can-i", *words).strip() == "yes"
        except subprocess.CalledProcessError:  # its exit code is 1 where the answer is no
            return False

    def await_kinds(self, *names: str) -> None:
        """Wait until custom resources are served; ``kubectl wait`` trips over the status of a new definition.

        Args:
            names: Theirs, with their groups.
        """

        polling.until(
            lambda: set(names) <= self._served(), within=60, pause=0.2, state=self._served
        )

    def _served(self) -> set[str]:
        return set(self.run("api-resources", "--no-headers", "-o", "name").split())

    def define(self, folder: Path) -> None:
        """Have the kinds that the files of a folder define, once: to apply them again takes seconds of a processor.

        Args:
            folder: Definitions of custom resources, perhaps with a kustomization.
        """
        texts = [path.read_text() for path in folder.glob("*.yaml")]
        names = [name for text in texts for name in _DEFINED.findall(text)]
        assert names, f"no definitions in {folder}"
        if not set(names) <= self._served():
            source = "-k" if (folder / "kustomization.yaml").exists() else "-f"
            self.run("apply", "--server-side", "--force-conflicts", source, str(folder))
            self.await_kinds(*names)

    def apply(self, objects: Sequence[dict[str, Any]], *, manager: str = "kubectl") -> None:
        """Apply objects on the server's side."""
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump({"apiVersion": "v1", "kind": "List", "items": list(objects)}, file)
            file.flush()
            words = ("--server-side", "--force-conflicts", f"--field-manager={manager}")
            self.run("apply", *words, "-f", file.name)

    def begin(self, shop: Shop, argocd_definitions: Path) -> None:
        """Have Argo CD's kinds and the namespaces of a shop."""
        self.define(argocd_definitions)
        self.apply(
            [
                {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
                for name in shop.namespaces()
            ]
        )


def git(folder: Path, *words: str) -> str:
    """Run git, and return what it prints."""
    settings = ("-c", "user.name=shop", "-c", "user.email=shop@example.com")
    ended = subprocess.run(
        ["git", "-C", str(folder), *settings, *words], check=True, capture_output=True, text=True
    )
    return ended.stdout


def as_administrator(monkeypatch: pytest.MonkeyPatch, kubeconfig: Path, state: Path) -> None:
    """Have commands of this process run as an administrator of a cluster, with a history of their own.

    Args:
        monkeypatch: Of the test.
        kubeconfig: The administrator's.
        state: The folder of the history.
    """
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    monkeypatch.setenv("XDG_STATE_HOME", str(state))
