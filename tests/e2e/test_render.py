"""What is rendered here is, object by object and in order, what Argo CD's repo-server renders."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from tests.support import charts, projects

from hanbae.charts import pools, rendering
from hanbae.repository import checkouts
from hanbae.sandbox import running

NAMESPACE = "services-rendered"
TRACKING = "argocd.argoproj.io/tracking-id"


@pytest.fixture(scope="module")
def clone(sandbox: running.Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The charts in a clone, and bare where the sandbox's Argo CD finds them."""
    root = tmp_path_factory.mktemp("charts")
    charts.write(root)
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com"]
    for words in (["init", "-q", "-b", "main"], ["add", "-A", "-f"], ["commit", "-qm", "Charts"]):
        subprocess.run([*git, *words], cwd=root, check=True)
    bare = sandbox.git_folder / "charts.git"
    shutil.rmtree(bare, ignore_errors=True)
    subprocess.run(["git", "clone", "-q", "--bare", str(root), str(bare)], check=True)
    return root


@pytest.fixture(scope="module")
def applications(sandbox: running.Sandbox, clone: Path) -> Iterator[dict[str, str]]:
    """An Application for each chart; nothing is synced."""
    assert clone
    source = {"repoURL": f"file://{sandbox.git_folder}/charts.git", "targetRevision": "main"}
    helm = {"releaseName": "auth-service", "valueFiles": [charts.VALUES]}
    names = {name: f"rendered-{name}" for name in charts.CHARTS}
    items = [
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": names[name], "namespace": "argocd"},
            "spec": {
                "project": "default",
                "source": source | {"path": name, "helm": helm},
                "destination": {"name": "in-cluster", "namespace": NAMESPACE},
            },
        }
        for name in charts.CHARTS
    ]
    manifests = json.dumps({"apiVersion": "v1", "kind": "List", "items": items}).encode()
    sandbox.kubectl(["apply", "-f", "-"], stdin=manifests)
    yield names
    sandbox.kubectl(["delete", "--wait=false", "-f", "-"], stdin=manifests)


@pytest.fixture(scope="module")
def cluster(sandbox: running.Sandbox) -> tuple[str, tuple[str, ...]]:
    """What Argo CD tells Helm of the cluster: its version, and every API that it has."""
    version = json.loads(sandbox.kubectl(["version", "--output=json"]))["serverVersion"]
    groups = sandbox.kubectl(["api-versions"]).decode().split()
    listed = sandbox.kubectl(["api-resources", "--no-headers"]).decode().splitlines()
    kinds = [f"{words[-3]}/{words[-1]}" for line in listed if (words := line.split())]
    return version["gitVersion"], (*groups, *kinds)


@pytest.mark.parametrize("name", [name for name in charts.CHARTS if name not in charts.LOOSE])
async def test_objects_are_those_of_the_repo_server_in_its_order(
    sandbox: running.Sandbox,
    clone: Path,
    applications: dict[str, str],
    cluster: tuple[str, tuple[str, ...]],
    name: str,
) -> None:
    expected = projects.Projects(sandbox).manifests(applications[name])
    tree = checkouts.Checkout.open(clone).revision("HEAD")
    values = (tree.read(f"{name}/{charts.VALUES}") or b"",)
    request = pools.Release("auth-service", NAMESPACE, values, *cluster)
    ours = [manifest.object for manifest in (await rendering.render(tree, name, request)).manifests]
    assert [masked(document) for document in ours] == [
        masked(untracked(document)) for document in expected
    ]


def test_what_argo_cd_does_not_take_is_what_is_said(
    sandbox: running.Sandbox, applications: dict[str, str]
) -> None:
    for name in charts.LOOSE:
        with pytest.raises(httpx2.HTTPStatusError) as caught:
            projects.Projects(sandbox).manifests(applications[name])
        assert "annotations" in caught.value.response.text


def untracked(document: dict[str, Any]) -> dict[str, Any]:
    """An object without Argo CD's own mark."""
    metadata = document["metadata"]
    metadata.get("annotations", {}).pop(TRACKING, None)
    if metadata.get("annotations") == {}:
        del metadata["annotations"]
    return document


def masked(document: dict[str, Any]) -> dict[str, Any]:
    """An object as Argo CD's API shows it: of a Secret, only the names of its values."""
    if document["kind"] != "Secret":
        return document
    keys = {**(document.get("data") or {}), **(document.get("stringData") or {})}
    rest = {key: value for key, value in document.items() if key not in {"data", "stringData"}}
    return rest | {"keys": sorted(keys)}
