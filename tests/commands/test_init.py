"""``hanbae init``: what it writes, and that it never takes anything away."""

from __future__ import annotations

import io
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from tests.support import chartless

from hanbae.actions import adopt
from hanbae.adopting import surveyed_applications
from hanbae.cli import main
from hanbae.policy import loading

URL = "https://git.example.com/shop.git"
KUBECTL = shutil.which("kubectl") or str(Path(sys.executable).parent / "kubectl")


def run(root: Path, *arguments: str) -> int:
    return main.run(["--lang", "en", "-C", str(root), "init", *arguments])


def outcomes(root: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, str]:
    """Path → outcome, as JSON tells."""
    capsys.readouterr()
    assert run(root, "--output", "json", *arguments) == 0
    return {f["path"]: f["outcome"] for f in json.loads(capsys.readouterr().out)["files"]}


def kustomize(root: Path, overlay: str) -> list[dict[str, Any]]:
    built = subprocess.run(
        [KUBECTL, "kustomize", str(root / overlay)], capture_output=True, text=True, check=True
    )
    return list(YAML(typ="safe").load_all(built.stdout))


def test_fresh_repository_gets_policy_and_overlays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = outcomes(tmp_path, capsys, "--repository", URL)
    assert set(written.values()) == {"created"}
    assert set(written) == {
        "hanbae.yaml",
        ".gitignore",
        "k8s/base/kustomization.yaml",
        "k8s/base/namespaces.yaml",
        "k8s/base/limits.yaml",
        "k8s/overlays/dev/kustomization.yaml",
        "k8s/overlays/staging/kustomization.yaml",
        "k8s/overlays/production/kustomization.yaml",
    }
    assert (tmp_path / ".gitignore").read_text() == "services/*/helm/values.yaml\n"
    assert loading.load(tmp_path / "hanbae.yaml").policy.argocd.repository == URL


def test_running_again_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(tmp_path, "--repository", URL, "--one-cluster", "--language", "ko")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert set(outcomes(tmp_path, capsys).values()) == {"unchanged"}
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_edited_file_that_fits_the_policy_is_kept_and_called_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path, "--repository", URL)
    limits = tmp_path / "k8s/base/limits.yaml"
    edited = limits.read_text().replace('pods: "200"', 'pods: "7"')
    limits.write_text(edited)
    capsys.readouterr()
    assert run(tmp_path) == 0
    out, err = capsys.readouterr()
    assert limits.read_text() == edited
    assert "kept       k8s/base/limits.yaml" in out
    assert "pods" not in out
    assert "1 file was edited and fits hanbae.yaml" in err
    assert run(tmp_path, "--force") == 0
    assert 'pods: "200"' in limits.read_text()


def test_policy_is_never_overwritten_and_the_rest_follows_from_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path, "--repository", URL)
    policy = tmp_path / "hanbae.yaml"
    edited = policy.read_text().replace("  observability:", "  batch: {}\n  observability:")
    policy.write_text(edited)
    written = outcomes(tmp_path, capsys, "--force")
    assert policy.read_text() == edited
    assert written["hanbae.yaml"] == "unchanged"
    assert written["k8s/base/namespaces.yaml"] == "changed"
    assert "name: batch" in (tmp_path / "k8s/base/namespaces.yaml").read_text()


def test_faulty_policy_is_named_with_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "hanbae.yaml").write_text("version: 1\nargcd: {}\n")
    assert run(tmp_path) == 2
    assert "hanbae.yaml:2:1" in capsys.readouterr().err


def test_lines_of_gitignore_are_kept(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("*.log")
    run(tmp_path, "--repository", URL)
    run(tmp_path)
    assert (tmp_path / ".gitignore").read_text() == "*.log\nservices/*/helm/values.yaml\n"


def test_repository_is_the_remote_origins_without_its_token(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    remote = ["git", "-C", str(tmp_path), "remote", "add", "origin"]
    subprocess.run([*remote, "https://bot:t0ken@git.example.com/shop.git"], check=True)
    assert run(tmp_path) == 0
    text = (tmp_path / "hanbae.yaml").read_text()
    assert "t0ken" not in text
    assert loading.load(tmp_path / "hanbae.yaml").policy.argocd.repository == URL


@pytest.mark.parametrize("url", ["https://u:p@git.example.com/x.git", "", "a b"])
def test_unusable_repository_is_refused_and_nothing_is_written(tmp_path: Path, url: str) -> None:
    assert run(tmp_path, "--repository", url) == 2
    assert list(tmp_path.iterdir()) == []


def test_unknown_repository_is_refused_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path) == 2
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr().out == ""


def test_symlink_out_of_the_repository_is_not_followed(tmp_path: Path) -> None:
    outside, root = tmp_path / "outside", tmp_path / "root"
    outside.mkdir()
    root.mkdir()
    (root / "k8s").symlink_to(outside)
    assert run(root, "--repository", URL) == 2
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize("one_cluster", [False, True])
def test_overlays_build_and_name_every_namespace(tmp_path: Path, one_cluster: bool) -> None:
    run(tmp_path, "--repository", URL, *(["--one-cluster"] if one_cluster else []))
    earlier: set[str] = set()
    for environment in ("dev", "staging", "production"):
        objects = kustomize(tmp_path, f"k8s/overlays/{environment}")
        suffix = f"-{environment}" if one_cluster else ""
        names = {t["metadata"]["name"] for t in objects if t["kind"] == "Namespace"}
        bases = ("gateway", "services", "data", "observability")
        assert names == {f"{base}{suffix}" for base in bases}
        others = {t["metadata"]["namespace"] for t in objects if t["kind"] != "Namespace"}
        assert others == {f"services{suffix}"}
        assert not (names & earlier) or not one_cluster
        assert all(
            t["metadata"]["labels"]["hanbae.dev/environment"] == environment for t in objects
        )
        earlier |= names


def test_namespaces_say_what_they_are_for_and_how_strict_they_are(tmp_path: Path) -> None:
    run(tmp_path, "--repository", URL)
    objects = kustomize(tmp_path, "k8s/overlays/production")
    rows = {
        t["metadata"]["name"]: (
            t["metadata"]["annotations"]["hanbae.dev/purpose"],
            t["metadata"]["labels"]["pod-security.kubernetes.io/enforce"],
        )
        for t in objects
        if t["kind"] == "Namespace"
    }
    assert rows == {
        "gateway": ("Cilium Gateway, GraphQL BFF, WebSocket", "baseline"),
        "services": ("auth, personal, identity", "restricted"),
        "data": ("PostgreSQL, Valkey, ClickHouse", "baseline"),
        "observability": ("Prometheus, Grafana, Jaeger", "privileged"),
    }


def test_language_of_the_file_is_that_of_the_messages_unless_told(tmp_path: Path) -> None:
    korean, english = tmp_path / "ko", tmp_path / "en"
    for root, lang, more in ((korean, "ko", ()), (english, "ko", ("--language", "en"))):
        root.mkdir()
        assert main.run(["--lang", lang, "-C", str(root), "init", "--repository", URL, *more]) == 0
    assert "배포 정책입니다" in (korean / "hanbae.yaml").read_text()
    assert "The deployment policy" in (english / "hanbae.yaml").read_text()
    assert loading.load(korean / "hanbae.yaml").policy.language == "ko"


APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{name: {environment}-{service}, namespace: argo}}
spec:
  project: team
  source:
    repoURL: https://git.example.com/theirs.git
    targetRevision: {branch}
    path: charts/{service}
    helm: {{valueFiles: [values-{environment}.yaml]}}
  destination: {{server: https://kubernetes.default.svc, namespace: {environment}-{service}-ns}}
  syncPolicy: {{automated: {{}}}}
---
"""
SERVICE = """\
apiVersion: v1
kind: Service
metadata: {name: "{{ .Release.Name }}"}
spec: {selector: {app: x}, ports: [{port: {{ .Values.port }}}]}
"""


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A repository of another style: charts of its own, an Application per service and environment."""
    text = ""
    for service in ("cart", "web"):
        chart = tmp_path / "charts" / service
        (chart / "templates").mkdir(parents=True)
        (chart / "Chart.yaml").write_text(f"apiVersion: v2\nname: {service}\nversion: 0.1.0\n")
        (chart / "values.yaml").write_text("port: 80\n")
        (chart / "templates/service.yaml").write_text(SERVICE)
        for environment, branch in (("dev", "develop"), ("prod", "main")):
            (chart / f"values-{environment}.yaml").write_text("port: 81\n")
            text += APPLICATION.format(service=service, environment=environment, branch=branch)
    (tmp_path / "argocd").mkdir()
    (tmp_path / "argocd/applications.yaml").write_text(text)
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.com")
    for arguments in (
        ("-c", "init.defaultBranch=main", "init", "-q"),
        ("add", "-A"),
        (*identity, "commit", "-qm", "first"),
        ("branch", "develop"),
    ):
        subprocess.run(["git", *arguments], cwd=tmp_path, check=True)
    return tmp_path


def test_foreign_repository_is_looked_at_and_gets_a_policy_that_fits(
    foreign: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path: path.read_bytes() for path in foreign.rglob("*") if path.is_file()}
    assert run(foreign, "--yes") == 0
    err = capsys.readouterr().err
    assert "Services: 2 (cart, web)" in err
    assert "Applications of this repository: 4" in err
    assert "hanbae render cart --env dev" in err
    assert {path: path.read_bytes() for path in before} == before
    after = {path for path in foreign.rglob("*") if path.is_file() and ".git/" not in str(path)}
    assert after - before.keys() == {foreign / "hanbae.yaml"}
    policy = loading.load(foreign / "hanbae.yaml").policy
    assert policy.profile == "essential"
    assert policy.argocd.repository == "https://git.example.com/theirs.git"
    assert policy.argocd.namespace == "argo"
    assert policy.services.path == "charts/*"
    assert policy.services.release == "{environment}-{service}"
    assert policy.services.namespace == "{environment}-{service}-ns"
    assert policy.services.values == ("values.yaml", "values-{environment}.yaml")
    branches = {name: item.branch for name, item in policy.environments.items()}
    assert branches == {"dev": "develop", "prod": "main"}
    assert {item.sync for item in policy.environments.values()} == {"auto"}
    assert {item.control for item in policy.environments.values()} == {None}


def test_person_is_asked_what_the_repository_does_not_say(
    foreign: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    declared = foreign / "argocd/applications.yaml"
    text = declared.read_text().replace("-ns}", "}")
    for environment in ("dev", "prod"):
        for service in ("cart", "web"):
            text = text.replace(f"namespace: {environment}-{service}}}", "namespace: shop}")
    declared.write_text(text.replace("targetRevision: develop", "targetRevision: v1.2.3"))
    subprocess.run(["git", "branch", "-D", "develop"], cwd=foreign, check=True, capture_output=True)
    # The cluster is not shared; nothing renders a pod, so the Secret's name is a guess.
    answer(monkeypatch, "n", "work", "minikube", "production-eks", "")
    assert run(foreign) == 0
    policy = loading.load(foreign / "hanbae.yaml").policy
    assert policy.environments["dev"].branch == "work"
    assert policy.environments["dev"].control == "minikube"
    assert policy.environments["prod"].control == "production-eks"
    assert "# Guess: the kubeconfig" not in (foreign / "hanbae.yaml").read_text()


def answer(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    """A person at a terminal who types lines."""
    typed = io.StringIO("".join(f"{line}\n" for line in lines))
    monkeypatch.setattr(typed, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", typed)


@pytest.fixture
def silent(foreign: Path) -> Path:
    """The repository without anything that says how it is deployed, and a chart that looks like the platform's."""
    shutil.rmtree(foreign / "argocd")
    for values in foreign.glob("charts/*/values-*.yaml"):
        values.unlink()
    shutil.copytree(foreign / "charts/web", foreign / "platform/gate")
    (foreign / "platform/gate/Chart.yaml").write_text(
        "apiVersion: v2\nname: gate\nversion: 0.1.0\n"
    )
    return foreign


def test_everything_that_nothing_says_is_asked_and_an_answer_that_cannot_be_is_asked_again(
    silent: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(
        monkeypatch,
        *("dev, Prod", "dev, production"),
        *("platform/door", "platform/gate"),
        "https://git.example.com/theirs.git",
        *("a.b", "shop"),
        "y",
        *("a..b", "trunk"),
        *("{nobody}", "{service}.{environment}"),
        *("{service}", "{environment}.{service}"),
        "{release}-keys",
        *("../../../x.yaml", "values.yaml, envs/{environment}/{service}.yaml"),
    )
    assert run(silent) == 0
    err = capsys.readouterr().err
    assert "no line of it is guessed" in err
    assert "platform/door is none of these folders." in err
    assert "# Guess" not in (silent / "hanbae.yaml").read_text()
    policy = loading.load(silent / "hanbae.yaml").policy
    assert policy.services.path == ("charts/*", "platform/*")
    assert policy.argocd.repository == "https://git.example.com/theirs.git"
    assert policy.services.namespace == "shop"
    assert policy.services.release == "{service}.{environment}"
    assert policy.services.application == "{environment}.{service}"
    assert policy.services.secret == "{release}-keys"
    assert policy.services.values == ("values.yaml", "envs/{environment}/{service}.yaml")
    settings = policy.environments
    assert [(name, item.namespace_suffix) for name, item in settings.items()] == [
        ("dev", "-dev"),
        ("production", "-production"),
    ]
    assert [item.branch for item in settings.values()] == ["develop", "trunk"]


@pytest.mark.parametrize(
    ("folder", "outside", "inside"),
    [
        ("charts/{}/helm", "../../../../x.yaml", "../../../values/{service}.yaml"),
        ("{}", "../../x.yaml", "../values/{service}.yaml"),
    ],
)
def test_values_files_are_asked_for_relative_to_the_folders_that_charts_are_in(
    folder: str, outside: str, inside: str, silent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(silent / "platform")
    for service in ("cart", "web"):
        chart = silent / folder.format(service)
        (silent / "charts" / service).rename(silent / service)
        chart.parent.mkdir(parents=True, exist_ok=True)
        (silent / service).rename(chart)
    names = ("shop", "y", "main", "{service}", "{service}-{environment}", "{release}")
    repository = "https://git.example.com/theirs.git"
    answer(monkeypatch, "dev, production", repository, *names, outside, inside)
    assert run(silent) == 0
    assert loading.load(silent / "hanbae.yaml").policy.services.values == (inside,)


@pytest.mark.parametrize("options", [("--yes",), ()], ids=["told not to", "no terminal"])
def test_nobody_is_asked_who_cannot_or_will_not_answer(
    silent: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    answer(monkeypatch, "never read")
    if not options:
        monkeypatch.setattr(sys.stdin, "isatty", lambda: False)
    assert run(silent, "--repository", URL, *options) == 0
    assert (silent / "hanbae.yaml").read_text().count("# Guess") > 3
    assert sys.stdin.read() == "never read\n"


def test_enter_takes_each_guess_and_leaving_writes_nothing(
    silent: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(monkeypatch, "", "")
    monkeypatch.setenv("LANGUAGE", "ko")
    assert main.run(["--lang", "ko", "-C", str(silent), "init", "--repository", URL]) == 130
    assert not (silent / "hanbae.yaml").exists()
    err = capsys.readouterr().err
    assert "환경 이름을 승격 순서대로" in err
    answer(monkeypatch, *[""] * 12)
    assert run(silent, "--repository", URL) == 0
    policy = loading.load(silent / "hanbae.yaml").policy
    assert list(policy.environments) == ["production"]
    assert policy.services.namespace == "services"


def test_guesses_are_called_so(foreign: Path) -> None:
    shutil.rmtree(foreign / "argocd")
    assert run(foreign, "--yes", "--repository", URL, "--one-cluster") == 0
    text = (foreign / "hanbae.yaml").read_text()
    assert "  # Guess: no Application says to which namespace.\n  namespace:" in text
    policy = loading.load(foreign / "hanbae.yaml").policy
    suffixes = {name: item.namespace_suffix for name, item in policy.environments.items()}
    assert suffixes == {"dev": "-dev", "prod": "-prod"}


def test_live_applications_count_for_more_than_files(foreign: Path) -> None:
    live = surveyed_applications.Application(
        name="dev-cart", path="charts/cart", revision="main", namespace="elsewhere", release="cart"
    )
    looked = adopt.look(foreign, deployed=(live,))
    assert looked is not None
    assert looked.proposal.named["cart"]["namespace"] == "elsewhere"


def test_repository_that_hanbae_laid_is_scaffolded_as_ever(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(tmp_path, "--repository", URL)
    main.run(["--lang", "en", "-C", str(tmp_path), "new", "service", "auth"])
    (tmp_path / "hanbae.yaml").unlink()
    written = outcomes(tmp_path, capsys, "--repository", URL)
    assert written["hanbae.yaml"] == "created"
    assert written["k8s/base/kustomization.yaml"] == "unchanged"


def test_context_needs_from_cluster(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "--repository", URL, "--context", "c") == 2
    assert "--from-cluster" in capsys.readouterr().err


FOREIGN_SHOP = Path(__file__).parents[1] / "data/foreign-shop"
APPLICATIONS = """\
{{- range list "accounts" "ledger" }}
---
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {name: "orders-{{ . }}-dev", namespace: argocd}
spec:
  source:
    repoURL: https://git.example.com/theirs.git
    targetRevision: develop
    path: {{ index $.Values.folders . }}
  destination: {server: https://kubernetes.default.svc, namespace: orders}
{{- end }}
"""


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    """A repository whose Jobs migrate in PreSync, with Secrets and folders of its own names."""
    root = tmp_path / "orders"
    shutil.copytree(FOREIGN_SHOP, root)
    for folder in ("accounts/identity_db", "accounts/auth_db", "accounts/legal_db", "ledger"):
        path = root / "db" / folder / "00001_first.sql"
        path.parent.mkdir(parents=True)
        path.write_text("-- +goose Up\nSELECT 1;\n")
    return root


def test_what_charts_render_is_in_the_policy(orders: Path) -> None:
    for values in orders.rglob("values.yaml"):
        values.write_text(values.read_text().replace("registry.example.com", "localhost:5000"))
    assert run(orders, "--yes", "--one-cluster", "--repository", URL) == 0
    policy = loading.load(orders / "hanbae.yaml").policy
    assert policy.services.path == ("apps/*/helm", "charts/*")
    assert policy.services.secret == "{release}-secret"
    assert policy.services.migrations == "db/{service}"
    assert policy.migrations.phase == "PreSync"
    assert {name: item.plain_http for name, item in policy.registries.items()} == {
        "localhost:5000": True
    }
    text = (orders / "hanbae.yaml").read_text()
    assert "# Guess: registries" in text
    assert "# Guess: the name of a service's Secret." not in text


def test_migrations_are_found_by_what_the_dockerfile_copies(orders: Path) -> None:
    shutil.rmtree(orders / "apps")
    shutil.rmtree(orders / "db/accounts")
    (orders / "db/ledger").rename(orders / "db/sql")
    (orders / "build").mkdir()
    (orders / "build/Dockerfile").write_text("FROM scratch\nCOPY db/sql/ /migrations\n")
    assert run(orders, "--yes", "--repository", URL) == 0
    policy = loading.load(orders / "hanbae.yaml").policy
    assert policy.services.named["ledger"].migrations == "db/sql"


def test_chart_of_applications_is_no_service_and_says_what_is_deployed(orders: Path) -> None:
    chart = orders / "argocd"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: root\nversion: 0.1.0\n")
    folders = "{accounts: apps/accounts/helm, ledger: charts/ledger}"
    (chart / "values.yaml").write_text(f"folders: {folders}\n")
    (chart / "templates/all.yaml").write_text(APPLICATIONS)
    assert run(orders, "--yes", "--one-cluster", "--repository", URL) == 0
    policy = loading.load(orders / "hanbae.yaml").policy
    assert policy.services.application == "orders-{service}-{environment}"
    assert policy.services.namespace == "orders"
    assert policy.environments["dev"].branch == "develop"
    assert "root" not in policy.services.named


OVERLAY = "apps/web/overlays/dev/kustomization.yaml"
DOCS = Path(__file__).parents[2] / "docs"


PAGES = ["existing-repository.md", "existing-repository.ko.md"]


def commands_of(page: str) -> tuple[list[str], list[str]]:
    """What is typed on a page, and in its last section, which is about services without a chart."""
    with_charts, _, without = (DOCS / page).read_text().partition("\n## 6.")
    return (
        [line[2:] for line in with_charts.splitlines() if line.startswith("$ ")],
        [line[2:] for line in without.splitlines() if line.startswith("$ ")],
    )


def type_commands(root: Path, commands: list[str]) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    for command in commands:
        ended = subprocess.run(
            shlex.split(command),
            cwd=root,
            env=os.environ | {"PATH": path},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        allowed = {0, 1} if command == "hanbae check --summary" else {0}
        assert ended.returncode in allowed, f"{command}\n{ended.stdout}{ended.stderr}"


def test_the_page_has_the_same_commands_in_both_languages() -> None:
    english, korean = map(commands_of, PAGES)
    assert english == korean


def test_commands_of_the_page_work_in_a_foreign_repository(foreign: Path) -> None:
    commands, _ = commands_of(PAGES[0])
    assert len(commands) == 9
    type_commands(foreign, commands)


def test_commands_of_the_page_work_without_a_chart(tmp_path: Path) -> None:
    chartless.write(tmp_path)
    _, commands = commands_of(PAGES[0])
    assert len(commands) == 6
    type_commands(tmp_path, commands)
    assert "registry.example.com/web" in (tmp_path / OVERLAY).read_text()
    assert "2.1.0" in (tmp_path / OVERLAY).read_text()
    assert "helm" not in (tmp_path / "k8s/argocd/dev/applicationset.yaml").read_text()


@pytest.mark.parametrize("page", PAGES)
def test_the_policy_of_the_page_without_a_chart_is_the_one_that_is_tested(page: str) -> None:
    section = (DOCS / page).read_text().partition("\n## 6.")[2].partition("```yaml\n")[2]
    for line in section.partition("```")[0].splitlines():
        assert line in chartless.POLICY.splitlines()


def test_what_overlays_build_is_in_the_policy(tmp_path: Path) -> None:
    chartless.write(tmp_path)
    (tmp_path / "hanbae.yaml").unlink()
    assert run(tmp_path, "--yes", "--one-cluster", "--repository", URL) == 0
    policy = loading.load(tmp_path / "hanbae.yaml").policy
    assert policy.services.path == "apps/*/overlays/{environment}"
    assert policy.services.secret == "{release}-secret"
    assert policy.migrations.phase == "PreSync"
    assert "values file" not in (tmp_path / "hanbae.yaml").read_text()


def test_namespaces_that_manifests_name_are_in_the_policy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, namespace in (("api", "backend"), ("web", "backend"), ("jobs", "batch")):
        folder = tmp_path / "apps" / name
        folder.mkdir(parents=True)
        text = chartless.deployment(name, f"registry.example.com/{name}:1")
        name_there = f"metadata: {{name: {name}, namespace: {namespace}}}"
        (folder / "all.yaml").write_text(text.replace(f"metadata: {{name: {name}}}", name_there))
    (tmp_path / "apps/api/application.yaml").write_text(
        "apiVersion: argoproj.io/v1alpha1\nkind: AppProject\n"
        "metadata: {name: backend, namespace: argocd}\nspec: {}\n"
    )
    assert run(tmp_path, "--yes", "--repository", URL) == 0
    policy = loading.load(tmp_path / "hanbae.yaml").policy
    assert policy.services.namespace == "backend"
    assert policy.services.named["jobs"].namespace == "batch"
    assert "to which namespace" not in (tmp_path / "hanbae.yaml").read_text()
    capsys.readouterr()
    main.run(["-C", str(tmp_path), "check", "--output", "json", "--no-cache"])
    assert "KUS003" not in capsys.readouterr().out


@pytest.mark.parametrize("folder", ["My Chart (1)", "charts/auth{x}", "charts/auth*"])
def test_name_that_no_policy_can_hold_is_named_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], folder: str
) -> None:
    chart = tmp_path / folder
    chart.mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: auth\nversion: 0.1.0\n")
    (chart / "values.yaml").write_text("a: 1\n")
    (tmp_path / "application.yaml").write_text(
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: auth-dev, namespace: argocd}\n"
        f"spec:\n  project: default\n  source: {{repoURL: {URL}, path: '{folder}', targetRevision: main}}\n"
        "  destination: {server: https://kubernetes.default.svc, namespace: shop-dev}\n"
    )
    assert run(tmp_path, "--repository", URL) == 2
    err = capsys.readouterr().err
    assert f"error: services.named.auth.path is {folder}" in err
    assert "Nothing was written." in err
    assert not (tmp_path / "hanbae.yaml").exists()


def test_a_folder_whose_name_is_no_utf8_is_named_where_a_chart_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder, kind in (("auth", "application"), (os.fsdecode(b"lib\xe9"), "library")):
        chart = tmp_path / "charts" / folder
        chart.mkdir(parents=True)
        (chart / "Chart.yaml").write_text(
            f"apiVersion: v2\nname: x\nversion: 0.1.0\ntype: {kind}\n"
        )
        (chart / "values-dev.yaml").write_text("a: 1\n")
        (chart / "templates").mkdir()
        (chart / "templates/service.yaml").write_text(SERVICE)
    assert run(tmp_path, "--repository", URL) == 2
    err = capsys.readouterr().err
    assert "error: services.exclude[0] is" in err
    assert "Nothing was written." in err
    assert not (tmp_path / "hanbae.yaml").exists()
