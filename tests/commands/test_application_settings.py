"""What an Application says to Helm besides its values files, in git and in the cluster alone."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.support import foreign, scenes

from hanbae import libyaml, wording
from hanbae.planning import deployments
from hanbae.policy import loading
from hanbae.repository import checkouts, services
from hanbae.results import guards

APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: auth-dev, namespace: argocd}
spec:
  project: services-dev
  source:
    repoURL: https://git.example.com/r.git
    targetRevision: develop
    path: services/auth/helm
    helm: HELM
  destination: {server: https://kubernetes.default.svc, namespace: services-dev}
"""
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: auth}
spec:
  selector: {matchLabels: {app: auth}}
  template:
    metadata: {labels: {app: auth}}
    spec: {containers: [{name: auth, image: "registry.example.com/auth:{{ .Values.tag | default 1 }}"}]}
"""
CRD = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.com}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "repository"
    foreign.write(folder)
    chart = folder / "services/auth/helm"
    (chart / "crds").mkdir()
    (chart / "crds/things.yaml").write_text(CRD)
    (chart / "templates/deployment.yaml").write_text(DEPLOYMENT)
    (folder / "argocd").mkdir()
    git(folder, "init", "-q", "-b", "develop")
    return folder


def git(folder: Path, *words: str) -> str:
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", *words]
    ended = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return ended.stdout.strip()


def declared(root: Path, helm: str) -> str:
    """The commit in which an Application says something to Helm."""
    (root / "argocd/auth.yaml").write_text(APPLICATION.replace("HELM", helm))
    git(root, "add", "-A")
    git(root, "commit", "-q", "--allow-empty", "-m", "x")
    return git(root, "rev-parse", "HEAD")


def ran(root: Path, *words: str) -> scenes.Ended:
    return scenes.hanbae(*words, directory=root, XDG_CACHE_HOME=str(root.parent / "cache"))


def kinds(root: Path) -> list[str]:
    ended = ran(root, "render", "auth", "--env", "dev")
    assert ended.code == 0, ended.err
    return [document["kind"] for document in libyaml.load_all(ended.out)]


def test_crds_are_left_out_of_renderings_and_plans(root: Path) -> None:
    before = declared(root, "{releaseName: auth}")
    assert kinds(root) == ["CustomResourceDefinition", "ConfigMap", "Deployment"]
    after = declared(root, "{releaseName: auth, skipCrds: true}")
    assert kinds(root) == ["ConfigMap", "Deployment"]
    ended = ran(root, "plan", "auth", "--base", before, "--head", after, "--output", "json")
    (service,) = json.loads(ended.out)["services"]
    outcomes = {change["object"]["kind"]: change["outcome"] for change in service["forecast"]}
    assert outcomes["CustomResourceDefinition"] == "deleted"
    assert outcomes["Deployment"] == "unchanged"


def test_an_application_below_k8s_that_changes_parameters_is_planned(root: Path) -> None:
    (root / "argocd").rmdir()
    (root / "k8s").mkdir()
    (root / "argocd").symlink_to("k8s")
    (root / ".gitignore").write_text("argocd\n")
    before = declared(root, "{releaseName: auth}")
    after = declared(root, "{releaseName: auth, parameters: [{name: tag, value: '2'}]}")
    ended = ran(root, "plan", "--base", before, "--head", after, "--output", "json")
    images = [
        image["new"] for entry in json.loads(ended.out)["services"] for image in entry["images"]
    ]
    assert images == ["registry.example.com/auth:2"], ended.out


def test_the_commit_is_put_into_parameters_where_it_is_known(root: Path) -> None:
    commit = declared(root, "{parameters: [{name: tag, value: 'v$ARGOCD_APP_REVISION_SHORT'}]}")
    ended = ran(root, "render", "auth", "--env", "dev", "--revision", commit)
    assert f"registry.example.com/auth:v{commit[:7]}" in ended.out
    # Of files that are not committed nobody knows which commit they will be.
    assert "auth:v$ARGOCD_APP_REVISION_SHORT" in ran(root, "render", "auth", "--env", "dev").out


def test_a_values_file_that_the_application_does_without_is_not_missed(root: Path) -> None:
    (root / "envs/dev/auth.yaml").unlink()
    declared(root, "{releaseName: auth, valueFiles: [/envs/dev/auth.yaml]}")
    assert ran(root, "render", "auth", "--env", "dev").out == ""
    declared(root, "{valueFiles: [/envs/dev/auth.yaml], ignoreMissingValueFiles: true}")
    assert 'level: "none"' in ran(root, "render", "auth", "--env", "dev").out


def live(helm: dict[str, Any], path: str = "services/auth/helm") -> dict[str, Any]:
    source = {"repoURL": "https://git.example.com/r.git", "path": path, "helm": helm}
    return {"spec": {"project": "services-dev", "source": source}}


def read(root: Path, application: dict[str, Any]) -> deployments.Source:
    revision = checkouts.Checkout.open(root).revision("HEAD")
    policy = services.located(loading.load(root / "hanbae.yaml").policy, revision)
    return asyncio.run(deployments.read(policy, revision, "auth", "dev", live=application))


def test_what_the_cluster_alone_says_to_helm_is_rendered_and_told(root: Path) -> None:
    declared(root, "{releaseName: auth, valueFiles: [/envs/dev/auth.yaml]}")
    own = {"valueFiles": ["/envs/dev/auth.yaml"]}
    for settings, name, text in (
        ({"parameters": [{"name": "level", "value": "hand"}]}, "level", "hand"),
        ({"values": "level: inline"}, "level", "inline"),
        ({"valuesObject": {"deep": {"a": "o"}}}, r"deep\.a", "o-dev"),
        ({"valueFiles": ["/envs/prod/auth.yaml"]}, r"helm\.valueFiles", "prod of auth"),
        ({"skipCrds": True}, r"helm\.skipCrds", "dev of auth"),
    ):
        with pytest.warns(wording.Warned, match=name):
            source = read(root, live(own | settings))
        objects = [manifest.object for manifest in source.rendered.manifests]
        assert text in str(objects)
        skipped = "skipCrds" in settings
        assert ("CustomResourceDefinition" in {item["kind"] for item in objects}) is not skipped


def test_the_image_that_must_run_stays_that_of_git(root: Path) -> None:
    declared(root, "{releaseName: auth, valueFiles: [/envs/dev/auth.yaml]}")
    settings = {"valueFiles": ["/envs/dev/auth.yaml"]}
    with pytest.warns(wording.Warned, match="tag"):
        source = read(root, live(settings | {"parameters": [{"name": "tag", "value": "hand"}]}))
    assert "registry.example.com/auth:hand" in str(source.rendered.manifests)
    plan = deployments.plan(source)
    promised = map(guards.read, plan.guards)
    images = [guard.image for guard in promised if isinstance(guard, guards.RunningImage)]
    assert images == ["registry.example.com/auth:1"]


def test_nothing_is_told_of_an_application_as_git_has_it(root: Path) -> None:
    declared(root, "{valueFiles: [/envs/dev/auth.yaml], parameters: [{name: tag, value: '2'}]}")
    settings = {"parameters": [{"name": "tag", "value": "2"}]}
    source = read(root, live(settings | {"valueFiles": ["/envs/dev/auth.yaml"]}))
    assert source.in_git is None
    assert "registry.example.com/auth:2" in str(source.rendered.manifests)
    other = read(root, live({"parameters": [{"name": "tag", "value": "9"}]}, path="elsewhere"))
    assert "registry.example.com/auth:2" in str(other.rendered.manifests)


def test_an_image_that_the_application_sets_is_refused_where_it_is_set(root: Path) -> None:
    chart = root / "services/auth/helm/values.yaml"
    chart.write_text(chart.read_text() + "tag: 1\n")
    declared(root, "{parameters: [{name: tag, value: v9}]}")
    before = (root / "envs/dev/auth.yaml").read_text()
    words = ("image", "set", "auth", ":4", "--env", "dev", "--no-resolve")
    ended = ran(root, *words)
    assert ended.code == 5, ended.err
    error = " ".join(ended.err.split())
    assert "argocd/auth.yaml:6" in error
    assert "tag is set here, which wins over envs/dev/auth.yaml" in error
    assert (root / "envs/dev/auth.yaml").read_text() == before
