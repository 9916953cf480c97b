"""Every command over each layout of clusters, from ``hanbae init`` on: what hanbae writes itself is never at fault."""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from tests.support import layouts, sealing

from hanbae.cli import main

URL = "https://git.example.com/shop.git"
ENVIRONMENTS = ("dev", "staging", "production")
Run = Callable[..., tuple[int, str, str]]


def git(root: Path, *words: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *words], cwd=root, check=True, capture_output=True)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str, stdin: bytes = b"") -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        capsys.readouterr()
        code = main.run(["--lang", "en", "-C", str(tmp_path / "shop"), *arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return run


@pytest.fixture
def shop(tmp_path: Path, run: Run, layout: str) -> Path:
    """A repository as a newcomer makes it, committed."""
    root = tmp_path / "shop"
    root.mkdir()
    git(root, "init", "--quiet", "--initial-branch", "main")
    assert run("init", "--repository", URL, *layouts.options(layout))[0] == 0
    layouts.arrange(root, layout)
    assert run("new", "service", "auth", "--image", "registry.example.com/shop/auth")[0] == 0
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "one")
    return root


def findings(run: Run, *arguments: str) -> list[dict[str, Any]]:
    code, out, err = run("check", "--output", "json", *arguments)
    assert code in (0, 1), err
    listed: list[dict[str, Any]] = json.loads(out)["findings"]
    return listed


def generated(root: Path, file: str) -> list[dict[str, Any]]:
    return list(YAML(typ="safe").load_all((root / file).read_text()))


def test_what_a_newcomer_has_after_two_commands_is_clean(shop: Path, run: Run, layout: str) -> None:
    assert run("init")[1:] is not None
    assert findings(run) == []
    assert run("generate", "argocd")[0] == 0
    assert run("generate", "rbac")[0] == 0
    assert findings(run) == [], layout
    # It is the check that is quiet, not the files that are absent: a real fault is reported.
    policy = shop / "services/auth/helm/templates/role.yaml"
    policy.write_text(
        "apiVersion: v1\nkind: Service\nmetadata: {name: auth-service}\nspec: {type: Bogus}\n"
    )
    assert findings(run)


def test_one_object_in_one_cluster_is_reported_only_where_environments_share_it(
    shop: Path, run: Run, layout: str
) -> None:
    template = shop / "services/auth/helm/templates/class.yaml"
    template.write_text(
        "apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: auth}\nvalue: 1\n"
    )
    base = shop / "k8s/base"
    kustomization = base / "kustomization.yaml"
    kustomization.write_text(
        kustomization.read_text().replace("resources:", "resources:\n  - class.yaml")
    )
    (base / "class.yaml").write_text(template.read_text().replace("auth", "base"))
    texts = [f["message"] for f in findings(run) if f["code"] == "KUB032"]
    if layout != "one-cluster":
        assert texts == []
        return
    (overlays,) = [text for text in texts if "PriorityClass/base" in text]
    assert overlays == (
        "PriorityClass/base is one object of the cluster that the overlays of these environments share: "
        "dev, production, staging."
    )
    (service,) = [text for text in texts if "PriorityClass/auth" in text]
    assert "PriorityClass/auth of auth is one object" in service


@pytest.mark.parametrize("folder", ["auth", "zeta"])
def test_an_object_of_a_service_and_of_an_overlay_is_named_with_both(
    shop: Path, run: Run, layout: str, folder: str
) -> None:
    (shop / "services/auth").rename(shop / f"services/{folder}")
    manifest = (
        "apiVersion: scheduling.k8s.io/v1\nkind: PriorityClass\nmetadata: {name: x}\nvalue: 1\n"
    )
    (shop / f"services/{folder}/helm/templates/class.yaml").write_text(
        '{{ if eq .Release.Namespace "services-dev" "services" }}\n' + manifest + "{{ end }}\n"
    )
    (shop / "k8s/overlays/dev/class.yaml").write_text(manifest)
    overlay = shop / "k8s/overlays/dev/kustomization.yaml"
    overlay.write_text(overlay.read_text().replace("resources:", "resources:\n  - class.yaml"))
    texts = [f["message"] for f in findings(run) if f["code"] == "KUB032"]
    expected = f"PriorityClass/x is in {folder} and in an overlay of the repository (in dev)."
    assert expected in texts, layout


def test_applications_and_rights_follow_the_clusters(shop: Path, run: Run, layout: str) -> None:
    assert run("generate", "argocd")[0] == 0
    assert run("generate", "rbac")[0] == 0
    for name in ENVIRONMENTS:
        (project,) = generated(shop, f"k8s/argocd/{name}/project.yaml")
        (destination,) = project["spec"]["destinations"]
        cluster = (
            {"name": name} if layout == "hub" else {"server": "https://kubernetes.default.svc"}
        )
        assert destination == {**cluster, "namespace": layouts.namespace(name, layout)}
        for folder in layouts.folders(name, layout):
            assert (shop / "k8s/rbac" / folder / "roles.yaml").is_file()
        folders = {
            path.parent.relative_to(shop / "k8s/rbac").as_posix()
            for path in (shop / "k8s/rbac" / name).rglob("roles.yaml")
        }
        assert folders == set(layouts.folders(name, layout))
    for command in ("argocd", "rbac"):
        assert run("generate", command, "--check")[0] == 0


def test_a_release_is_rendered_into_its_environments_namespace(
    shop: Path, run: Run, layout: str
) -> None:
    assert run("image", "set", "auth", ":1.0.0", "--env", "dev", "--no-resolve")[0] == 0
    code, out, err = run("render", "auth", "--env", "dev")
    assert code == 0, err
    assert "registry.example.com/shop/auth:1.0.0" in out
    objects = [document for document in YAML(typ="safe").load_all(out) if document]
    (deployment,) = [manifest for manifest in objects if manifest["kind"] == "Deployment"]
    names = {deployment["metadata"].get("namespace", layouts.namespace("dev", layout))}
    assert names == {layouts.namespace("dev", layout)}
    git(shop, "commit", "--quiet", "--all", "--message", "two")
    code, out, err = run("plan", "--base", "HEAD~1", "--head", "HEAD", "--output", "json")
    assert code in (0, 3), err
    compared = json.loads(out)["services"]
    assert {comparison["environment"] for comparison in compared} == {"dev"}


def test_values_are_sealed_for_their_environment(
    shop: Path, run: Run, layout: str, tmp_path: Path
) -> None:
    key = sealing.key()
    (tmp_path / "cert.pem").write_bytes(sealing.certificate(key))
    command = ("secrets", "seal", "auth", "DATABASE_URL", "--stdin")
    offline = ("--certificate", str(tmp_path / "cert.pem"))
    assert run(*command, "--env", "dev", *offline, stdin=b"postgres://x")[0] == 0
    label = f"{layouts.namespace('dev', layout)}/auth-secrets"
    values = YAML(typ="safe").load((shop / "services/auth/helm/values-dev.yaml").read_text())
    sealed = values["sealedSecret"]["encryptedData"]["DATABASE_URL"]
    assert sealing.unsealed(sealed, key, label) == b"postgres://x"
    # One certificate for two clusters is a mistake, and for two environments of one cluster it is not.
    code = run(*command, "--env", "staging", *offline, stdin=b"postgres://x")[0]
    assert code == (0 if layout == "one-cluster" else 5)
    code, out, _ = run("secrets", "list", "--output", "json")
    assert code in (0, 1)
    assert {key["environment"] for key in json.loads(out)["keys"]} == set(ENVIRONMENTS)


SERVICE = [
    ("check", "nope"),
    ("render", "nope"),
    ("plan", "--base", "HEAD", "nope"),
    ("secrets", "list", "nope"),
    ("image", "set", "nope", ":1", "--env", "dev", "--no-resolve"),
    ("secrets", "seal", "nope", "KEY", "--env", "dev", "--stdin"),
]
ENVIRONMENT = [
    ("check", "--env"),
    ("render", "--env"),
    ("plan", "--base", "HEAD", "--env"),
    ("plan", "--env"),
    ("deploy", "--env"),
    ("generate", "argocd", "--env"),
    ("generate", "rbac", "--env"),
    ("generate", "admission", "--env"),
    ("history", "list", "--env"),
    ("secrets", "list", "--env"),
    ("image", "set", "auth", ":1", "--no-resolve", "--env"),
    ("secrets", "seal", "auth", "KEY", "--stdin", "--env"),
]


@pytest.mark.parametrize("layout", ["hub"], indirect=True)
@pytest.mark.parametrize("command", SERVICE, ids=" ".join)
def test_a_service_that_is_not_there_is_refused_in_the_same_words(
    shop: Path, run: Run, command: tuple[str, ...]
) -> None:
    code, _, err = run(*command, stdin=b"x")
    assert code == 2
    assert "There is no service nope in " in err
    assert "services/*/helm. There are: auth" in " ".join(err.split())


@pytest.mark.parametrize("layout", ["hub"], indirect=True)
@pytest.mark.parametrize("command", ENVIRONMENT, ids=" ".join)
def test_an_environment_that_is_not_there_is_refused_in_the_same_words(
    shop: Path, run: Run, command: tuple[str, ...]
) -> None:
    code, _, err = run(*command, "nope", stdin=b"x")
    assert code == 2
    sentence = "The policy has no environment nope. It has: dev, staging, production."
    assert sentence in err.replace("\n", " ")
    code, _, err = run(*command, "local", stdin=b"x")
    assert code == 2
    assert "local runs on compose." in err


def test_every_command_has_the_same_services(shop: Path, run: Run, layout: str) -> None:
    (shop / "services/auth_v2").mkdir()
    subprocess.run(
        ["cp", "-r", "services/auth/helm", "services/auth_v2/helm"], cwd=shop, check=True
    )
    (shop / "services/notes").mkdir()
    (shop / "services/notes/README.md").write_text("no chart\n")
    for command in (("render",), ("secrets", "list"), ("check",)):
        code, _, err = run(*command, "auth_v2")
        assert code in (0, 1), (command, err)
        assert run(*command, "notes")[0] == 2
    assert run("image", "set", "auth_v2", ":1", "--env", "dev", "--no-resolve")[0] == 0
    # No object can be named after it, so no rights are generated for it: whatever applies them would fail.
    assert run("generate", "rbac")[0] == 0
    rights = "".join(path.read_text() for path in (shop / "k8s/rbac").rglob("*.yaml"))
    assert "auth_v2" not in rights, layout
