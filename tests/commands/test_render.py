"""``hanbae render``: manifests on stdout, what does not render on stderr, and a tree on the disk."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from tests.support import scenes

from hanbae.planning import deployments
from hanbae.policy import loading
from hanbae.repository import checkouts

SHOP = Path(__file__).parents[2] / "examples" / "shop"
SERVICES = ("auth", "identity", "personal")
ENVIRONMENTS = ("dev", "staging", "production")

CONFIGMAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: gated}\n"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    shutil.copytree(SHOP, folder, ignore=shutil.ignore_patterns("app"))
    for values in folder.glob("services/*/helm/values-*.yaml"):
        values.write_text(values.read_text().replace('tag: ""', "tag: v1"))
    git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "x")
    return folder


def git(folder: Path, *words: str) -> None:
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com", *words]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def ran(shop: Path, *words: str) -> scenes.Ended:
    return scenes.hanbae(
        "render", *words, directory=shop, XDG_CACHE_HOME=str(shop.parent / "cache")
    )


def test_every_service_in_every_environment_in_order(shop: Path) -> None:
    ended = ran(shop, "--output", "json")
    assert ended.code == 0, ended.err
    releases = json.loads(ended.out)["releases"]
    assert [(release["service"], release["environment"]) for release in releases] == [
        (service, environment) for service in SERVICES for environment in ENVIRONMENTS
    ]
    assert all(release["release"] == f"{release['service']}-service" for release in releases)
    assert ran(shop, "--output", "json").out == ended.out
    assert ran(shop, "--output", "json", "--no-cache").out == ended.out


@pytest.mark.parametrize("output", ["json", "yaml"])
def test_service_whose_folder_is_no_text_is_rendered_beside_the_others(
    shop: Path, output: str
) -> None:
    """So that ``check`` names what is wrong with it: no object may be called like it."""
    shutil.copytree(shop / "services" / "auth", shop / "services" / os.fsdecode(b"\xe9"))
    ended = ran(shop, "--output", output)
    assert ended.code == 0, ended.err
    assert ended.out.count("?-service") >= len(ENVIRONMENTS)


def test_yaml_is_read_back_as_the_same_objects(shop: Path) -> None:
    objects = json.loads(ran(shop, "auth", "--env", "dev", "--output", "json").out)["releases"]
    ended = ran(shop, "auth", "--env", "dev")
    assert ended.out.startswith("---\n# Source: auth/templates/")
    assert list(YAML(typ="safe").load_all(ended.out)) == objects[0]["objects"]


def test_a_local_values_file_is_not_seen_and_a_revision_is_read(shop: Path) -> None:
    before = ran(shop).out
    (shop / "services/auth/helm/values.yaml").write_text("replicas: 7\n")
    assert ran(shop).out == before
    path = shop / "services/auth/helm/values-dev.yaml"
    path.write_text(path.read_text().replace("replicas: 1", "replicas: 5"))
    assert "replicas: 5" in ran(shop).out
    assert ran(shop, "--revision", "HEAD").out == before


def test_what_does_not_render_is_told_with_its_place_and_the_rest_is_rendered(shop: Path) -> None:
    (shop / "services/auth/helm/templates/service.yaml").write_text("a: b\n{{ fail `no` }}\n")
    ended = ran(shop, "--output", "json")
    assert ended.code == 2
    assert "services/auth/helm/templates/service.yaml:2" in ended.err
    assert {release["service"] for release in json.loads(ended.out)["releases"]} == set(
        SERVICES[1:]
    )
    saved = ran(shop, "--save", str(shop.parent / "tree"))
    assert saved.code == 2
    assert not list((shop.parent / "tree").rglob("*.yaml"))


async def test_check_render_and_plan_ask_for_the_same_api_versions(shop: Path) -> None:
    chart = shop / "services/auth/helm"
    for gate, name in (("batch/v1/Job", "jobs"), ("bitnami.com/v1alpha1", "gated")):
        has = f'{{{{- if .Capabilities.APIVersions.Has "{gate}" }}}}'
        text = CONFIGMAP.replace("gated", name)
        (chart / "templates" / f"{name}.yaml").write_text(f"{has}\n{text}\n{{{{- end }}}}\n")
    git(shop, "add", "-A")
    git(shop, "commit", "-qm", "gated")
    rendered = json.loads(ran(shop, "auth", "--env", "dev", "--output", "json").out)["releases"][0]
    names = [(manifest["kind"], manifest["metadata"]["name"]) for manifest in rendered["objects"]]
    assert {("ConfigMap", "jobs"), ("ConfigMap", "gated")} <= set(names)
    policy = loading.load(shop / loading.NAME).policy
    commit = checkouts.Checkout.open(shop).revision("HEAD")
    source = await deployments.read(policy, commit, "auth", "dev")
    assert [manifest.object for manifest in source.rendered.manifests] == rendered["objects"]
    assert deployments.plan(source)
    words = ("check", "auth", "--env", "dev", "--no-cache", "--output", "json")
    checked = json.loads(scenes.hanbae(*words, directory=shop).out)
    assert {finding["code"] for finding in checked["findings"]} == {"SEC001"}, "nothing is sealed"


def test_a_tree_is_saved_and_saved_again_without_a_change(shop: Path) -> None:
    tree = shop.parent / "tree"
    assert ran(shop, "--save", str(tree)).code == 0
    git(shop.parent, "init", "-q", "tree")
    git(tree, "add", "-A")
    assert ran(shop, "--save", str(tree), "--no-cache").code == 0
    shown = subprocess.run(
        ["git", "status", "--porcelain"], cwd=tree, capture_output=True, text=True, check=True
    )
    assert all(line.startswith("A  ") for line in shown.stdout.splitlines())
    assert (tree / "dev" / "auth" / "deployment-auth-service.yaml").is_file()


def test_a_secret_in_clear_is_refused(shop: Path) -> None:
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: correct-horse}\n"
    (shop / "services/auth/helm/templates/s.yaml").write_text(secret)
    ended = ran(shop, "--save", str(shop.parent / "tree"))
    assert ended.code == 5
    assert "correct-horse" not in ended.err + ended.out
    shown = ran(shop)
    assert shown.code == 0, shown.err
    kept = [path.read_bytes() for path in (shop.parent / "cache").rglob("*") if path.is_file()]
    assert kept
    assert not any(b"correct-horse" in content for content in kept)


@pytest.mark.parametrize(
    "words", [["nobody"], ["--env", "moon"], ["--revision", "none"], ["--output", "toml"]]
)
def test_wrong_use_is_told(shop: Path, words: list[str]) -> None:
    assert ran(shop, *words).code == 2


@pytest.mark.parametrize("words", [["nobody"], ["--env", "moon"], ["--revision", "none"]])
def test_error_before_the_first_release_is_the_only_document(shop: Path, words: list[str]) -> None:
    assert json.loads(ran(shop, *words, "--output", "json").out)["error"]


def test_one_condition_on_helms_version_hides_nothing(shop: Path) -> None:
    base = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=shop, capture_output=True, text=True, check=True
    ).stdout.strip()
    condition = 'semverCompare "<4.3.0" .Capabilities.HelmVersion.Version'
    evil = "apiVersion: v1\nkind: Pod\nmetadata: {name: evil}\nspec: {hostNetwork: true}\n"
    (shop / "services/auth/helm/templates/evil.yaml").write_text(
        f"# nothing to see\n{{{{- if {condition} }}}}\n{evil}{{{{- end }}}}\n"
    )
    git(shop, "add", "-A")
    git(shop, "commit", "-qm", "evil")
    checked = scenes.hanbae("check", "auth", "--no-cache", directory=shop)
    assert checked.code == 1
    assert "INP007" in checked.out
    assert "services/auth/helm/templates/evil.yaml" in checked.out
    rendered = ran(shop, "auth", "--env", "dev")
    assert "Pod/evil" in rendered.err
    planned = scenes.hanbae("plan", "--base", base, "--head", "HEAD", directory=shop)
    assert "Pod/evil" in planned.out
