"""Every command over each layout of clusters, from ``hanbae init`` on: what hanbae writes itself is never at fault."""

from __future__ import annotations

import ast
import io
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from tests.support import command_tree, layouts, records, sealing

from hanbae.cli import main
from hanbae.history import stores
from hanbae.results import checklists, events

URL = "https://git.example.com/shop.git"
ENVIRONMENTS = layouts.ENVIRONMENTS
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
def shop(tmp_path: Path, filled: Callable[..., None], layout: str) -> Path:
    """A repository as a newcomer makes it, committed."""
    root = tmp_path / "shop"
    filled(root, newcomers, layout)
    return root


def newcomers(root: Path, layout: str) -> None:
    def run(*arguments: str) -> int:
        return main.run(["--lang", "en", "-C", str(root), *arguments])

    git(root, "init", "--quiet", "--initial-branch", "main")
    assert run("init", "--repository", URL, *layouts.options(layout)) == 0
    layouts.arrange(root, layout)
    assert run("new", "service", "auth", "--image", "registry.example.com/shop/auth") == 0
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "one")


def findings(run: Run, *arguments: str) -> list[dict[str, Any]]:
    code, out, err = run("check", "--output", "json", *arguments)
    assert code in (0, 1), err
    listed: list[dict[str, Any]] = json.loads(out)["findings"]
    return listed


def generated(root: Path, file: str) -> list[dict[str, Any]]:
    return list(YAML(typ="safe").load_all((root / file).read_text()))


def test_what_a_newcomer_has_after_two_commands_is_clean(shop: Path, run: Run, layout: str) -> None:
    policy = (shop / "hanbae.yaml").read_bytes()
    code, out, err = run("init", "--output", "json")
    assert code == 0, err
    assert {file["outcome"] for file in json.loads(out)["files"]} == {"unchanged"}
    assert (shop / "hanbae.yaml").read_bytes() == policy
    assert findings(run) == []
    assert run("generate", "argocd")[0] == 0
    assert run("generate", "rbac")[0] == 0
    assert findings(run) == [], layout
    # It is the check that is quiet, not the files that are absent: a real fault is reported.
    template = shop / "services/auth/helm/templates/role.yaml"
    template.write_text(
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
    value = ("auth", "DATABASE_URL", "--stdin", "--certificate", str(tmp_path / "cert.pem"))
    assert run("secrets", "seal", *value, "--env", "dev", stdin=b"postgres://x")[0] == 0
    label = f"{layouts.namespace('dev', layout)}/auth-secrets"
    values = YAML(typ="safe").load((shop / "services/auth/helm/values-dev.yaml").read_text())
    sealed = values["sealedSecret"]["encryptedData"]["DATABASE_URL"]
    assert sealing.unsealed(sealed, key, label) == b"postgres://x"
    # One certificate for two clusters is a mistake, and for two environments of one cluster it is not.
    code = run("secrets", "seal", *value, "--env", "staging", stdin=b"postgres://x")[0]
    assert code == (0 if layout == "one-cluster" else 5)
    code, out, _ = run("secrets", "list", "--output", "json")
    assert code in (0, 1)
    assert {key["environment"] for key in json.loads(out)["keys"]} == set(ENVIRONMENTS)
    # The backup opens what it is for, by the namespaces that the values are sealed for.
    (tmp_path / "keys.pem").write_bytes(sealing.pem(key))
    code, out, err = run("secrets", "backup", "verify", str(tmp_path / "keys.pem"))
    assert code == 0, err
    git(shop, "commit", "--quiet", "--all", "--message", "two")
    code, out, err = run("secrets", "report", "--output", "json")
    assert code == 0, err
    rows = json.loads(out)["keys"]
    expected = {"dev", "staging"} if layout == "one-cluster" else {"dev"}
    assert {row["environment"] for row in rows if row["days"] is not None} == expected


ASKED_FOR = """
gateways:
  domains: {dev: dev.example.com, staging: staging.example.com, production: example.com}
  routes: {auth: {}}
rules:
  - id: named
    kinds: [v1/Service]
    expression: object.metadata.name != ''
    message: "Services have names."
"""


def test_what_an_administrator_applies_is_in_the_namespaces_of_each_environment(
    shop: Path, run: Run, layout: str
) -> None:
    with (shop / "hanbae.yaml").open("a") as policy:
        policy.write(ASKED_FOR)
    assert run("generate", "namespaces")[0] == 0
    assert run("generate", "gateways")[0] == 0
    assert run("generate", "admission")[0] == 0
    for name in ENVIRONMENTS:
        namespace = layouts.namespace(name, layout)
        _, route = generated(shop, f"k8s/overlays/{name}/gateway.yaml")
        assert (route["kind"], route["metadata"]["namespace"]) == ("HTTPRoute", namespace)
        patches = generated(shop, f"k8s/overlays/{name}/kustomization.yaml")[0].get("patches", ())
        renamed = {patch["target"].get("name") for patch in patches}
        assert ("services" in renamed) == (namespace != "services")
        assert f"- {namespace}\n" in (shop / f"k8s/admission/{name}/rules.yaml").read_text()
    for command in ("namespaces", "gateways", "admission"):
        assert run("generate", command, "--check")[0] == 0
    # Without an image the chart has no Service yet that the routes could lead to.
    assert {finding["code"] for finding in findings(run)} == {"KUB029"}


def test_what_follows_from_the_policy_is_fresh_once_it_is_generated(
    shop: Path, run: Run, layout: str
) -> None:
    policy = shop / "hanbae.yaml"
    runner = "\nmigrations:\n  runner: hanbae-migrate\n"
    policy.write_text(policy.read_text().replace("\nmigrations:\n", runner))
    assert run("generate", "runner")[0] == 0
    assert run("generate", "docs")[0] == 0
    assert run("generate", "compose")[0] == 0
    assert run("generate", "schema", "--write")[0] == 0
    for command in ("runner", "docs", "compose", "schema"):
        assert run("generate", command, "--check")[0] == 0, command
    # The documents name the cluster of each environment's pods.
    documents = "".join(path.read_text() for path in (shop / "docs").rglob("*.md"))
    rows = [line.split(" | ") for line in documents.splitlines() if "| kubernetes |" in line]
    named = {row[0].strip("| `"): row[5].strip("`") for row in rows}
    contexts = {name: layouts.workload(name, layout) for name in ENVIRONMENTS}
    assert named == (contexts if layout != "one-cluster" else dict.fromkeys(ENVIRONMENTS, "-"))
    code, _, err = run("local", "check")
    assert code == 0, err


def test_charts_follow_what_hanbae_scaffolds(shop: Path, run: Run, layout: str) -> None:
    code, out, err = run("upgrade", "--check", "--output", "json")
    assert code == 0, err
    assert json.loads(out)["services"], layout
    assert run("dependencies", "build", "auth")[0] == 0
    assert run("dependencies", "update", "--dry-run")[0] == 0


def test_record_says_which_cluster_was_deployed_to(
    shop: Path, run: Run, layout: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    item = checklists.Decision("logs-clean", "Logs", "logs-clean", "passed")
    checked = events.Decided(checklists.Checked("after", (item,)))
    with stores.open_store() as store:
        for event in records.stream([records.opened("auth"), checked, records.closed()]):
            store.append(event.deployment, event.step, event.fact, event.at)
    code, out, err = run("history", "list", "--env", "dev", "--output", "json")
    assert code == 0, err
    assert [entry["id"] for entry in json.loads(out)["deployments"]] == ["d1"]
    assert run("history", "show", "d1")[0] == 0
    code, out, err = run("checklist", "show", "d1", "--output", "json")
    assert code == 0, err
    assert json.loads(out)["phases"][0]["decisions"][0]["outcome"] == "passed"
    assert run("history", "dora", "--env", "dev")[0] == 0
    code, out, err = run("history", "export", "--controls", "soc2", "--output", "json")
    assert code == 0, err
    assert {
        entry["name"]: (entry["context"], entry["namespaces"])
        for entry in json.loads(out)["environments"]
    } == {
        name: (
            "" if layout == "one-cluster" else layouts.workload(name, layout),
            [layouts.namespace(name, layout)],
        )
        for name in ENVIRONMENTS
    }


SERVICE = [
    ("check", "nope"),
    ("dependencies", "build", "nope"),
    ("dependencies", "update", "nope"),
    ("deploy", "nope", "--env", "dev"),
    ("doctor", "nope", "--env", "dev"),
    ("hold", "add", "nope", "--env", "dev", "--why", "slow"),
    ("hold", "lift", "nope", "--env", "dev"),
    ("hold", "list", "nope"),
    ("local", "up", "nope"),
    ("migrations", "plan", "nope", "--env", "dev", "--head", "HEAD"),
    ("migrations", "rehearse", "nope"),
    ("migrations", "status", "nope", "--env", "dev", "--head", "HEAD"),
    ("promote", "nope", "--from", "dev", "--to", "staging"),
    ("rollback", "nope", "--env", "dev"),
    ("rollback", "nope", "--env", "dev", "--dry-run", "--head", "HEAD", "--base", "HEAD"),
    ("rollout", "restart", "nope", "--env", "dev"),
    ("rollout", "status", "nope", "--env", "dev"),
    ("rollout", "undo", "nope", "--env", "dev"),
    ("checklist", "run", "nope", "--env", "dev"),
    ("status", "nope"),
    ("upgrade", "nope"),
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
    assert "services/*/helm. There are: auth." in " ".join(err.split())
    if "HEAD" in command:
        assert "HEAD:services/*/helm" in err, "what was looked at, not the environment's branch"


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


#: What is run over no layout, and why.
ELSEWHERE = {
    "completion": "it reads no policy",
    "demo": "it has a policy and clusters of its own",
    "history copy": "it reads no policy: its addresses are arguments",
    "local down": "Docker alone is asked",
    "local logs": "Docker alone is asked",
    "local status": "Docker alone is asked; what should run is rendered as for `local check`",
    "local up": "it needs Docker; what it starts is rendered as for `local check`",
    "migrations rehearse": "it needs PostgreSQL, and asks no cluster",
    "sandbox down": "it reads no policy",
    "sandbox env": "it reads no policy",
    "sandbox status": "it reads no policy",
    "sandbox up": "it reads no policy",
}


def test_every_command_is_run_over_the_layouts() -> None:
    commands = {tuple(name.split()) for name in command_tree.leaves()}
    ran = set()
    for path in (Path(__file__), Path(__file__).with_name("test_clusters_asked.py")):
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call) and ast.unparse(call.func).endswith("run"):
                words = [word.value for word in call.args if isinstance(word, ast.Constant)]
                ran |= {command for command in commands if tuple(words[: len(command)]) == command}
    assert {" ".join(command) for command in commands - ran} == ELSEWHERE.keys()
