"""``hanbae dependencies``, against a repository over TLS and a registry, beside the Helm that Argo CD has."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support import chart_repositories, peers, registries, scenes

from hanbae import libyaml

VERSIONS = (
    "0.9.0",
    "1.0.0",
    "1.2.0",
    "1.2.3",
    "1.10.0",
    "2.0.0-rc.1",
    "2.0.0",
    "2.1.0+b.5",
    "3.0.0-alpha",
)
RANGES = (
    "1.2.3", "v1.2.3", "=1.2.3", "1.2", "1", "*", "x", "1.x.x", "1.2.x", "~1.2", "~1.2.1", "~1", "^1", "^1.2.0", "^0.9",
    ">=1.0.0", ">1.2.3", "<1.2.3", "<=1.2.3", ">= 1.0, < 1.10", ">=1.0.0 <1.10.0", "1.0 - 1.2", "1.0.0 - 2.0.0",
    "!=2.1.0", "~1.0 || ~1.2", "^2.0.0-0", ">0-0", "~2.0.0-0", "2.0.0-rc.1", "2.1.0", "2.1.0+b.5", "1.2 || >2.0",
)  # fmt: skip
POLICY = """\
version: 1
argocd: {repository: "https://git.example.com/r.git"}
services: {path: "services/*/helm", values: ["values-{environment}.yaml"]}
environments:
  dev: {branch: develop, sync: auto, namespace_suffix: -dev}
"""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[chart_repositories.Repository]:
    with chart_repositories.serving(tmp_path_factory.mktemp("charts"), protected=True) as served:
        served.add("cache", *VERSIONS)
        served.add("other", "1.0.0")
        yield served


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    chart_repositories.write(folder / "services/orders/helm", "orders", "0.1.0", {})
    (folder / "services/orders/helm/values-dev.yaml").write_text("word: dev\ncache: {word: deep}\n")
    (folder / "hanbae.yaml").write_text(POLICY)
    subprocess.run(["git", "init", "-q", "-b", "develop", folder], check=True)
    return folder


Run = Callable[..., scenes.Ended]


@pytest.fixture
def environment(tmp_path: Path, repository: chart_repositories.Repository) -> dict[str, str]:
    """The user's own: a Helm that knows the repository, and caches of nothing yet."""
    config = tmp_path / "config"
    chart_repositories.added(config / "repositories.yaml", ("shop", repository), login=True)
    repository.requests.clear()
    return {
        "HELM_CONFIG_HOME": str(config),
        "HELM_CACHE_HOME": str(tmp_path / "helm-cache"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "DOCKER_CONFIG": str(tmp_path / "docker"),
    }


@pytest.fixture
def run(root: Path, environment: dict[str, str]) -> Run:
    return lambda *words, **more: scenes.hanbae(*words, directory=root, **(environment | more))


@pytest.fixture
def helm(root: Path, environment: dict[str, str]) -> Callable[..., str]:
    """Helm itself, in a copy of the chart."""
    chart = root / "services/orders/helm"

    def run(*words: str, copy: str, fresh: bool = True) -> str:
        folder = root.parent / copy
        if fresh:
            shutil.copytree(chart, folder)
        ended = subprocess.run(
            [str(peers.program(peers.HELM)), "dependency", *words, str(folder)],
            env=os.environ | environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr
        return (folder / "Chart.lock").read_text()

    return run


def depend(root: Path, *entries: dict[str, Any]) -> None:
    chart = root / "services/orders/helm/Chart.yaml"
    content = libyaml.mapping(chart.read_bytes()) or {}
    chart.write_text(json.dumps(content | {"dependencies": list(entries)}))


def lock(root: Path) -> Path:
    return root / "services/orders/helm/Chart.lock"


def versions(text: str) -> list[str]:
    return [entry["version"] for entry in (libyaml.mapping(text) or {})["dependencies"]]


def test_ranges_are_resolved_and_locked_as_helm_does_it_and_each_takes_the_others_lock(
    root: Path, run: Run, helm: Callable[..., str], repository: chart_repositories.Repository
) -> None:
    entries = [
        {
            "name": "cache",
            "version": version_range,
            "repository": repository.address,
            "alias": f"c{index}",
        }
        for index, version_range in enumerate(RANGES)
    ]
    depend(root, *entries)
    theirs = helm("update", copy="theirs")
    ended = run("dependencies", "update")
    assert ended.code == 0, ended.err
    ours = lock(root).read_text()
    assert dict(zip(RANGES, versions(ours), strict=True)) == dict(
        zip(RANGES, versions(theirs), strict=True)
    )
    assert len(set(versions(ours))) >= 6
    without_date = [text.rpartition("generated:")[0] for text in (ours, theirs)]
    assert without_date[0] == without_date[1]
    helm("build", copy="ours")
    lock(root).write_text(theirs)
    assert run("dependencies", "build").code == 0
    assert run("dependencies", "update").code == 0
    assert lock(root).read_text() == theirs  # it has not changed


def test_what_is_fetched_renders_as_helm_does_after_its_own_build(
    root: Path, run: Run, helm: Callable[..., str], repository: chart_repositories.Repository
) -> None:
    entry = {"name": "cache", "version": "~1.2", "repository": repository.address}
    depend(root, entry)
    before = run("render", "orders", "--env", "dev")
    assert before.code == 2
    assert "services/orders/helm/Chart.yaml:1: The dependency “cache” (~1.2)" in before.err
    assert run("dependencies", "update").code == 0
    assert {request.path for request in repository.requests} == {"/index.yaml", "/cache-1.2.3.tgz"}
    request = len(repository.requests)
    rendered = run("render", "orders", "--env", "dev")
    assert rendered.code == 0, rendered.err
    assert len(repository.requests) == request  # rendering opens no connection
    helm("build", copy="built")
    folder = root.parent / "built"
    words = ["template", "orders-service", str(folder), "--namespace", "services-dev"]
    words += ["--values", str(folder / "values-dev.yaml")]
    theirs = subprocess.run(
        [str(peers.program(peers.HELM)), *words], capture_output=True, check=True, text=True
    ).stdout
    ours = [document for document in libyaml.load_all(rendered.out) if document]
    assert ours == [document for document in libyaml.load_all(theirs) if document]
    assert "deep" in rendered.out
    assert not (root / "services/orders/helm/charts").exists()


def test_each_chart_is_fetched_once(
    root: Path, run: Run, repository: chart_repositories.Repository
) -> None:
    entry = {"name": "cache", "version": "1.2.0", "repository": repository.address}
    depend(root, entry)
    assert run("dependencies", "update").code == 0
    archives = [request.path for request in repository.requests if request.path.endswith(".tgz")]
    assert archives == ["/cache-1.2.0.tgz"]
    request = len(repository.requests)
    ended = run("dependencies", "build", "--output", "json")
    assert len(repository.requests) == request
    (chart,) = json.loads(ended.out)["charts"]
    assert (chart["lock"], chart["dependencies"][0]["outcome"]) == ("current", "cached")


def test_a_lock_of_other_dependencies_is_refused_and_found(
    root: Path, run: Run, repository: chart_repositories.Repository
) -> None:
    depend(root, {"name": "cache", "version": "1.2.0", "repository": repository.address})
    assert run("dependencies", "update").code == 0
    depend(root, {"name": "cache", "version": "1.2.3", "repository": repository.address})
    repository.requests.clear()
    ended = run("dependencies", "build")
    assert ended.code == 2
    assert "services/orders/helm/Chart.lock:5: The lock was written for other" in ended.err
    assert repository.requests == []
    findings = json.loads(run("check", "--output", "json").out)["findings"]
    places = {(item["code"], item["place"]["file"]) for item in findings}
    assert ("LAY018", "services/orders/helm/Chart.lock") in places
    assert ("INP001", "services/orders/helm/Chart.yaml") in places
    checked = run("dependencies", "build", "--check", "--output", "json")
    assert checked.code == 1
    assert json.loads(checked.out)["charts"][0]["lock"] == "stale"


def test_check_says_what_is_missing_and_checks_the_rest_and_is_silent_once_it_is_here(
    root: Path, run: Run, repository: chart_repositories.Repository
) -> None:
    depend(root, {"name": "cache", "version": "1.2.0", "repository": repository.address})
    template = root / "services/orders/helm/templates/map.yaml"
    template.write_text(template.read_text().replace("data:", "data_:"))

    def codes() -> set[str]:
        ended = run("check", "--output", "json", CI="")
        return {item["code"] for item in json.loads(ended.out)["findings"]}

    before = codes()
    assert {"INP001", "KUB002"} <= before  # the chart's own objects are checked
    assert run("dependencies", "update").code == 0
    after = codes()
    assert before - after == {"INP001"}


def test_dry_run_and_check_write_and_fetch_nothing(
    root: Path, run: Run, repository: chart_repositories.Repository
) -> None:
    depend(root, {"name": "cache", "version": "1.x.x", "repository": repository.address})
    ended = run("dependencies", "update", "--dry-run", "--output", "json")
    assert ended.code == 0, ended.err
    (chart,) = json.loads(ended.out)["charts"]
    assert chart["lock"] == "stale"
    assert chart["dependencies"][0]["version"] == "1.10.0"
    assert chart["dependencies"][0]["outcome"] == "wanted"
    assert not lock(root).exists()
    assert [request.path for request in repository.requests] == ["/index.yaml"]
    repository.requests.clear()
    assert run("dependencies", "build", "--check").code == 1
    assert repository.requests == []
    refused = run("dependencies", "build")
    assert refused.code == 2
    assert "hanbae dependencies update orders" in refused.err


def test_names_of_repositories_folders_and_charts_of_its_own_are_locked_as_helm_does_it(
    root: Path, run: Run, helm: Callable[..., str]
) -> None:
    near = root / "services/orders/near"
    chart_repositories.write(near, "near", "0.3.0", {})
    chart_repositories.write(root.parent / "near", "near", "0.3.0", {})
    own = root / "services/orders/helm/charts/own"
    chart_repositories.write(own, "own", "0.5.0", {})
    depend(
        root,
        {"name": "cache", "version": "^1", "repository": "@shop", "condition": "cache.on"},
        {"name": "other", "version": ">=1.0.0", "repository": "alias:shop", "tags": ["a", "b"]},
        {"name": "near", "version": "~0.3", "repository": "file://../near"},
        {"name": "own", "version": ">0.1.0 <1", "repository": ""},
    )
    theirs = helm("update", copy="theirs")
    ended = run("dependencies", "update")
    assert ended.code == 0, ended.err
    ours = lock(root).read_text()
    assert ours.rpartition("generated:")[0] == theirs.rpartition("generated:")[0]
    assert run("dependencies", "build", "--check").code == 0


def test_a_registry_is_asked_with_the_login_of_helm_and_of_nobody_else(
    root: Path, run: Run, helm: Callable[..., str], environment: dict[str, str], tmp_path: Path
) -> None:
    with registries.running(_folder(tmp_path / "registry")) as address:
        depend(root, {"name": "cache", "version": "~1.2", "repository": f"oci://{address}/shop"})
        refused = run("dependencies", "update")
        assert refused.code == 4
        assert registries.PASSWORD not in refused.err
        _push(tmp_path, address, environment)
        ended = run("dependencies", "update")
        assert ended.code == 0, ended.err
        ours = lock(root).read_text()
        assert versions(ours) == ["1.2.3"]
        theirs = helm("update", "--plain-http", copy="theirs")
        assert ours.rpartition("generated:")[0] == theirs.rpartition("generated:")[0]
        depend(
            root, {"name": "cache", "version": "2.1.0+b.5", "repository": f"oci://{address}/shop"}
        )
        assert run("dependencies", "update").code == 0
        rendered = run("render", "orders", "--env", "dev")
        assert "2.1.0+b.5" in rendered.out


def _folder(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _push(folder: Path, address: str, environment: dict[str, str]) -> None:
    """Log in and push as a user of Helm does."""
    program = str(peers.program(peers.HELM))

    def helm(*words: str, stdin: str = "") -> None:
        subprocess.run(
            [program, *words], env=os.environ | environment, input=stdin, text=True,
            check=True, capture_output=True,
        )  # fmt: skip

    login = ("registry", "login", address, "--plain-http", "-u", registries.USER)
    helm(*login, "--password-stdin", stdin=registries.PASSWORD)
    for version in ("1.2.0", "1.2.3", "1.3.0", "2.1.0+b.5"):
        source = folder / version / "cache"
        chart_repositories.write(source, "cache", version, {})
        helm("package", str(source), "--destination", str(folder))
        helm("push", str(folder / f"cache-{version}.tgz"), f"oci://{address}/shop", "--plain-http")
