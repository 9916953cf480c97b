"""Where a command has looked at nothing, it says so and why, and not that all is well."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from hanbae.actions import init, new_service, plan_live
from hanbae.cli import main
from hanbae.results import previews

URL = "https://git.example.com/shop.git"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    init.init(tmp_path, repository=URL)
    author = ("-c", "user.name=Tester", "-c", "user.email=tester@example.com")
    for words in (("add", "-A"), (*author, "commit", "-q", "-m", "Begin")):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True)
    return tmp_path


def narrated(shop: Path, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    capsys.readouterr()
    assert main.run(["--lang", "en", "-C", str(shop), *words]) == 0
    shown = capsys.readouterr()
    assert "✔" not in shown.err, "nothing is no success"
    return " ".join(shown.err.split())


@pytest.mark.parametrize("words", [(), ("--env", "dev"), ("--env", "dev", "--check")])
@pytest.mark.parametrize(
    ("kind", "key"), [("gateways", "gateways.domains"), ("admission", "Write one in rules")]
)
def test_what_the_policy_asks_nothing_of_is_not_called_fresh(
    shop: Path, capsys: pytest.CaptureFixture[str], kind: str, key: str, words: tuple[str, ...]
) -> None:
    text = narrated(shop, capsys, "generate", kind, *words)
    assert "There is nothing to generate" in text
    assert key in text
    assert ("for dev" in text) == bool(words)


def test_an_environment_without_a_domain_is_named(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new_service.new_service(shop, "auth")
    with (shop / "hanbae.yaml").open("a") as policy:
        policy.write("\ngateways:\n  domains: {dev: dev.example.com}\n  routes: {auth: {}}\n")
    assert "no domain for staging" in narrated(
        shop, capsys, "generate", "gateways", "--env", "staging"
    )
    assert main.run(["-C", str(shop), "generate", "gateways"]) == 0
    assert "✔" in capsys.readouterr().err


def test_where_argo_cd_deploys_nothing_it_is_said(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = shop / "hanbae.yaml"
    text = policy.read_text()
    policy.write_text(
        text.replace("platform: kubernetes", "platform: kubernetes\n    engine: helm")
    )
    assert "engine: helm" in policy.read_text()
    assert "engine: helm" in narrated(shop, capsys, "generate", "argocd")


@pytest.mark.parametrize(
    "words", [("secrets", "list"), ("secrets", "verify"), ("secrets", "report"), ("render",)]
)
def test_a_repository_without_services_is_called_one(
    shop: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    assert "There are no services at services/*/helm" in narrated(shop, capsys, *words)


def test_services_without_secrets_are_not_called_well_sealed(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chart = shop / "services/plain/helm"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: plain-service\nversion: 0.1.0\n")
    for name in ("dev", "staging", "prod"):
        (chart / f"values-{name}.yaml").write_text("{}\n")
    assert "No service that was asked for has a sealed value" in narrated(
        shop, capsys, "secrets", "verify"
    )
    assert "no sealed values" in narrated(shop, capsys, "secrets", "report")


def test_a_folder_in_which_nothing_was_saved_is_explained(
    shop: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--lang", "en", "-C", str(shop), "render", "--save", str(tmp_path / "tree")]
    assert main.run(words) == 0
    assert "There are no services" in capsys.readouterr().err


@pytest.fixture
def unbegun(shop: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A plan of a branch of which no service has been begun; only a cluster could say so."""

    async def preview(*_: object) -> tuple[previews.Preview, ...]:
        return ()

    monkeypatch.setattr(plan_live, "preview", preview)
    return shop


def test_plan_of_nothing_says_so(unbegun: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "there is nothing to plan" in narrated(unbegun, capsys, "plan", "--env", "staging")


def test_plan_of_nothing_is_not_saved(unbegun: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = unbegun / "plan.json"
    words = ("plan", "--env", "staging", "--save", str(file))
    assert main.run(["--lang", "en", "-C", str(unbegun), *words]) == 5
    assert "there is nothing to plan" in " ".join(capsys.readouterr().err.split())
    assert not file.exists()
