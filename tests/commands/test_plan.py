"""``hanbae plan`` between two git revisions: what it shows, in each format, and what it refuses."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support import layouts

from hanbae.actions import new_service
from hanbae.charts import values
from hanbae.cli import main
from hanbae.cli.text import plan_markdown

GOLDEN = Path(__file__).parents[1] / "golden" / "plan"
AUTH = "registry.example.com/shop/auth"
CANARY = "c4n4ry-hunter2"

Run = Callable[..., tuple[int, str, str]]


def git(folder: Path, *words: str) -> None:
    options = ("-c", "user.name=shop", "-c", "user.email=shop@example.com")
    subprocess.run(["git", *options, *words], cwd=folder, check=True, capture_output=True)


def commit(folder: Path, tag: str) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", tag)
    git(folder, "tag", tag)


@pytest.fixture
def shop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, filled: Callable[..., None], layout: str
) -> Path:
    filled(tmp_path, begun, layout)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "110")
    return tmp_path


def begun(root: Path, layout: str) -> None:
    """A repository with two services that have been begun."""
    layouts.begin(root, layout)
    for name in ("auth", "mail"):
        new_service.new_service(root, name, image=f"registry.example.com/shop/{name}")
    for name in ("auth", "mail"):
        edit(root, name, {"image.tag": "1.0.0"})
        migration(root, name, 1, "CREATE TABLE first (id int);")
    git(root, "init", "--quiet")
    commit(root, "one")


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str, lang: str = "en") -> tuple[int, str, str]:
        code = main.run(["--lang", lang, "plan", *arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def edit(shop: Path, service: str, changes: dict[str, Any], environment: str = "dev") -> None:
    path = shop / f"services/{service}/helm/values-{environment}.yaml"
    with values.editing(path, path.name) as document:
        document.update({tuple(key.split(".")): value for key, value in changes.items()})


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def migration(shop: Path, service: str, version: int, statement: str) -> None:
    folder = shop / f"services/{service}/migrations"
    for path in folder.glob(f"{version:05d}_*.sql"):
        path.unlink()
    (folder / f"{version:05d}_step.sql").write_text(f"-- +goose Up\n{statement}\n")


@pytest.fixture
def changed(shop: Path) -> Path:
    """A second commit with a change of each kind."""
    edit(shop, "auth", {"image.tag": "1.1.0", "replicas": 3})
    replace(
        shop / "services/auth/helm/values-dev.yaml",
        "\nenv: {}\n",
        f"\nenv:\n  COLOUR: green\n  DB_PASSWORD: {CANARY}\n"
        f"  PEER: https://shop:{CANARY}@peer.example.com/\n",
    )
    migration(shop, "auth", 2, "CREATE TABLE second (id int);")
    (shop / "services/auth/helm/templates/configmap.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {greeting: '인사 | *hi*'}\n"
    )
    (shop / "services/auth/helm/templates/service.yaml").unlink()
    commit(shop, "two")
    return shop


def document(run: Run, *arguments: str) -> dict[str, Any]:
    code, out, err = run("--base", "one", "--head", "HEAD", "--output", "json", *arguments)
    assert code == 0, err
    parsed: dict[str, Any] = json.loads(out)
    return parsed


@pytest.mark.parametrize("layout", ["one-cluster"], indirect=True)
@pytest.mark.parametrize(("lang", "output"), [("en", "text"), ("ko", "text"), ("en", "markdown")])
def test_output_is_as_reviewed(changed: Path, run: Run, lang: str, output: str) -> None:
    code, out, err = run("auth", "--base", "one", "--env", "dev", "--output", output, lang=lang)
    assert code == 0, err
    assert CANARY not in out + err
    base, head = commits(changed)
    # Which rules find something is no business of this test.
    shown = re.split(r"\n\S*(?:New findings|.*새로 발견)", out)[0] + "\n"
    shown = shown.replace(base[:12], "<base>").replace(head[:12], "<head>")
    assert shown == (GOLDEN / f"{output}.{lang}.txt").read_text()


def commits(shop: Path) -> tuple[str, str]:
    def of(name: str) -> str:
        ended = subprocess.run(
            ["git", "rev-parse", name], cwd=shop, check=True, capture_output=True, text=True
        )
        return ended.stdout.strip()

    return of("one"), of("HEAD")


def test_document_holds_what_a_program_needs(changed: Path, run: Run) -> None:
    comparison = document(run)
    assert (comparison["base"], comparison["head"]) == commits(changed)
    dev = next(service for service in comparison["services"] if service["environment"] == "dev")
    assert {service["service"] for service in comparison["services"]} == {"auth"}
    outcomes = {
        f"{entry['object']['kind']}/{entry['object']['name']}": entry for entry in dev["forecast"]
    }
    assert outcomes["ConfigMap/settings"]["outcome"] == "created"
    assert outcomes["Service/auth-service"]["outcome"] == "deleted"
    (label,) = outcomes["ServiceAccount/auth-service"]["fields"]
    assert (label["old"], label["new"]) == ("1.0.0", "1.1.0")
    deployment = outcomes["Deployment/auth-service"]
    assert (deployment["outcome"], deployment["restarts"]) == ("changed", True)
    fields = {field["path"]: field for field in deployment["fields"]}
    assert fields["spec.replicas"] == {"path": "spec.replicas", "old": "1", "new": "3"}
    assert {image["new"] for image in dev["images"]} == {f"{AUTH}:1.1.0"}
    (migrations,) = dev["migrations"]
    assert (migrations["pending"], migrations["at"], migrations["files"]) == ([2], 1, 2)
    assert [hook["name"] for hook in dev["hooks"]] == ["auth-service-migrate"]
    staging = next(
        service for service in comparison["services"] if service["environment"] == "staging"
    )
    assert staging["images"] == []


def test_exit_code_tells_changes_only_when_asked(changed: Path, run: Run) -> None:
    assert run("--base", "one", "--exit-code")[0] == 3
    assert run("--base", "one")[0] == 0
    code, out, err = run("--base", "two", "--exit-code")
    assert (code, out) == (0, "")
    assert "Nothing differs" in err
    assert run("mail", "--base", "one", "--exit-code")[0] == 0


def test_service_that_comes_and_one_that_goes(shop: Path, run: Run) -> None:
    git(shop, "rm", "-r", "--quiet", "services/mail")
    new_service.new_service(shop, "news", image="registry.example.com/shop/news")
    commit(shop, "two")
    services = document(run, "--env", "dev")["services"]
    outcomes = {
        service["service"]: {change["outcome"] for change in service["forecast"]}
        for service in services
    }
    assert outcomes == {"mail": {"deleted"}, "news": {"created"}}


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_service_without_an_image_is_as_argo_cd_would_render_it(
    shop: Path, run: Run, capsys: pytest.CaptureFixture[str], lang: str
) -> None:
    new_service.new_service(shop, "stock", image="registry.example.com/shop/stock")
    commit(shop, "two")
    assert main.run(["render", "stock", "--env", "dev", "--output", "json"]) == 0
    (release,) = json.loads(capsys.readouterr().out)["releases"]
    code, out, err = run("--base", "one", "stock", "--env", "dev", "--output", "json", lang=lang)
    assert code == 0, err
    (compared,) = json.loads(out)["services"]
    kinds = sorted(item["kind"] for item in release["objects"])
    assert sorted(change["object"]["kind"] for change in compared["forecast"]) == kinds
    assert not compared["images"]
    assert not compared["migrations"]
    # The pods come with the image, and not before.
    edit(shop, "stock", {"image.tag": "1.0.0"})
    commit(shop, "three")
    _, out, _ = run("--base", "two", "stock", "--env", "dev", lang=lang)
    assert "- → registry.example.com/shop/stock:1.0.0" in out
    assert "+ Deployment/" in out


def test_migrations_that_were_edited_or_taken_away_are_named(shop: Path, run: Run) -> None:
    migration(shop, "auth", 2, "CREATE TABLE second (id int);")
    commit(shop, "base")
    migration(shop, "auth", 1, "CREATE TABLE other (id int);")
    (shop / "services/auth/migrations/00002_step.sql").unlink()
    migration(shop, "auth", 3, "CREATE TABLE third (id int);")
    commit(shop, "two")
    _, out, _ = run("--base", "base", "--env", "dev", "--output", "json")
    (service,) = json.loads(out)["services"]
    (migrations,) = service["migrations"]
    assert (migrations["pending"], migrations["missing"], migrations["edited"]) == ([3], [2], [1])


@pytest.mark.parametrize("layout", ["one-cluster"], indirect=True)
def test_policy_that_changes_is_applied_to_each_revision(shop: Path, run: Run) -> None:
    replace(shop / "hanbae.yaml", "namespace_suffix: -dev", "namespace_suffix: -develop")
    commit(shop, "two")
    services = document(run, "--env", "dev")["services"]
    assert [service["service"] for service in services] == ["auth", "mail"]
    spaces = {
        (change["outcome"], change["object"]["namespace"])
        for service in services
        for change in service["forecast"]
    }
    assert spaces == {("created", "services-develop"), ("deleted", "services-dev")}


def test_chart_that_does_not_render_is_one_fault_and_stops_nothing(shop: Path, run: Run) -> None:
    (shop / "services/auth/helm/templates/broken.yaml").write_text("{{ fail `no` }}")
    edit(shop, "mail", {"replicas": 4})
    commit(shop, "two")
    services = {
        service["service"]: service for service in document(run, "--env", "dev")["services"]
    }
    assert services["auth"]["faulty"] == "head"
    assert "auth" in services["auth"]["place"]["file"]
    assert [c for c in services["mail"]["forecast"] if c["outcome"] == "changed"]
    code, out, _ = run("--base", "one", "--env", "dev", "--exit-code")
    assert code == 3
    assert "Cannot be compared: the head has a fault" in out


def test_what_a_check_newly_finds_is_told(shop: Path, run: Run) -> None:
    replace(
        shop / "services/auth/helm/templates/migration-job.yaml",
        "argocd.argoproj.io/hook: Sync",
        "argocd.argoproj.io/hook: Synced",
    )
    commit(shop, "two")
    new = document(run, "--env", "dev")["findings"]
    assert "ARG001" in {finding["code"] for finding in new}
    assert {finding["service"] for finding in new} == {"auth"}
    code, out, _ = run("--base", "two", "--head", "two", "--output", "json")
    assert (code, json.loads(out)["findings"]) == (0, [])


@pytest.mark.parametrize("layout", ["one-cluster"], indirect=True)  # what is written is the same
def test_review_is_escaped_and_bounded(shop: Path, run: Run) -> None:
    hostile = "</code></details><script>x</script> @team | `tick` [a](http://e) \\n ::error::"
    lines = "\n".join(f"  k{n}: {json.dumps(hostile + str(n))}" for n in range(900))
    template = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: big}}\ndata:\n{lines}\n"
    for name in ("auth", "mail"):
        (shop / f"services/{name}/helm/templates/big.yaml").write_text(template)
    commit(shop, "base")
    for name in ("auth", "mail"):
        path = shop / f"services/{name}/helm/templates/big.yaml"
        path.write_text(template.replace("::error::", "::other::"))
    commit(shop, "two")
    _, out, _ = run("--base", "base", "--output", "markdown")
    assert len(out) <= plan_markdown.LARGEST
    assert "<script" not in out
    assert "@team" not in out
    assert "`" not in out
    assert "](http" not in out
    assert "://" not in out
    assert out.count("<details>") == out.count("</details>") > 0
    assert "lines were cut" in out
    assert "did not fit" in out


def test_narrow_terminal_folds_nothing(
    changed: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    _, out, _ = run("auth", "--base", "one", "--env", "dev", lang="ko")
    assert "      - " in out
    assert "\x1b[" not in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Say what to compare with"),
        (("--head", "HEAD"), "--head needs --base"),
        (("--base", "one", "--save", "plan.json"), "--save needs a cluster"),
        (("--base", "nowhere"), "nowhere"),
        (("--base", "one", "other"), "other"),
        (("--base", "one", "--env", "qa"), "qa"),
    ],
)
def test_wrong_use_is_told(shop: Path, run: Run, arguments: tuple[str, ...], message: str) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert message in err


def test_commit_that_brings_the_policy_is_compared_with_the_one_before(
    shop: Path, run: Run
) -> None:
    policy = (shop / "hanbae.yaml").read_bytes()
    git(shop, "rm", "--quiet", "hanbae.yaml")
    commit(shop, "without")
    (shop / "hanbae.yaml").write_bytes(policy)
    edit(shop, "auth", {"image.tag": "2.0.0"})
    commit(shop, "adopted")
    code, out, err = run("--base", "without", "--head", "adopted")
    assert code == 0, err
    assert "2.0.0" in out
