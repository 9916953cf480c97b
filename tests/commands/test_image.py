"""``hanbae image set``: what the values file says afterwards, and what the registry is asked."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support import layouts

from hanbae.actions import new_service
from hanbae.charts import values
from hanbae.cli import main

DIGEST = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64
AUTH = "registry.example.com/shop/auth"

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str) -> Path:
    layouts.begin(tmp_path, layout)
    new_service.new_service(tmp_path, "auth", image=AUTH)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    return tmp_path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: str) -> tuple[int, str, str]:
        code = main.run(["--lang", "en", "image", "set", *arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def named(shop: Path, environment: str = "dev") -> dict[str, str]:
    document = values.read(shop / f"services/auth/helm/values-{environment}.yaml", "v")
    image: dict[str, str] = document.get("image")
    return image


def test_image_with_a_digest_is_written_without_asking_anybody(shop: Path, run: Run) -> None:
    before = (shop / "services/auth/helm/values-dev.yaml").read_text()
    code, out, _ = run("auth", f"{AUTH}:1.4.2@{DIGEST}", "--env", "dev")
    assert (code, out) == (0, f"{AUTH}:1.4.2@{DIGEST}\n")
    assert named(shop) == {"repository": AUTH, "tag": "1.4.2", "digest": DIGEST}
    assert named(shop, "staging")["digest"] == ""
    after = (shop / "services/auth/helm/values-dev.yaml").read_text()
    changed = [line for line in after.splitlines() if line not in before.splitlines()]
    assert [line.split(":")[0].strip() for line in changed] == ["tag", "digest"]


def test_old_tag_does_not_stay_beside_a_new_digest(shop: Path, run: Run) -> None:
    run("auth", f"{AUTH}:1.4.2@{DIGEST}", "--env", "dev")
    assert run("auth", f"@{OTHER}", "--env", "dev")[0] == 0
    assert named(shop) == {"repository": AUTH, "tag": "", "digest": OTHER}


def test_old_digest_does_not_win_over_a_new_tag(shop: Path, run: Run) -> None:
    run("auth", f"{AUTH}:1.4.2@{DIGEST}", "--env", "dev")
    code, _, err = run("auth", ":1.5", "--env", "dev", "--no-resolve")
    assert code == 0
    assert "!" in err
    assert named(shop) == {"repository": AUTH, "tag": "1.5", "digest": ""}


def test_json_says_what_was_there_and_what_is(shop: Path, run: Run) -> None:
    run("auth", f"{AUTH}:1@{DIGEST}", "--env", "dev")
    code, out, _ = run("auth", f"{AUTH}:1@{DIGEST}", "--env", "dev", "--output", "json")
    document = json.loads(out)
    assert code == 0
    assert document["before"] == document["image"] == f"{AUTH}:1@{DIGEST}"
    assert document["changed"] is False


def test_unreachable_registry_is_told_and_nothing_changes(shop: Path, run: Run) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{closed.getsockname()[1]}"
        code, _, err = run("auth", f"{address}/shop/auth:1", "--env", "dev")
    assert code == 4
    assert address in err
    assert err.index("error:") < err.index("--no-resolve")
    assert named(shop)["tag"] == ""
    assert run("auth", f"{address}/shop/auth:1", "--env", "dev", "--no-resolve")[0] == 0
    assert named(shop)["repository"] == f"{address}/shop/auth"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("auth", AUTH, "--env", "dev"), AUTH),
        (("auth", f"{AUTH}:bad tag", "--env", "dev"), "bad tag"),
        (("auht", f"{AUTH}:1", "--env", "dev"), "auht"),
        (("auth", f"{AUTH}:1", "--env", "prod"), "prod"),
        (("auth", f"{AUTH}:1", "--env", "local"), "compose"),
    ],
)
def test_wrong_use_names_the_thing_and_changes_nothing(
    shop: Path, run: Run, arguments: tuple[str, ...], message: str
) -> None:
    code, _, err = run(*arguments)
    assert code == 2
    assert message in err
    assert named(shop)["tag"] == ""


def of_service(shop: Path, service: str, environment: str) -> dict[str, str]:
    document = values.read(shop / f"services/{service}/helm/values-{environment}.yaml", "v")
    image: dict[str, str] = document.get("image")
    return image


@pytest.fixture
def two(shop: Path) -> Path:
    new_service.new_service(shop, "mail", image="registry.example.com/shop/mail")
    new_service.new_service(shop, "begun-later", image="registry.example.com/shop/later")
    return shop


def test_several_services_keep_their_repositories(two: Path, run: Run) -> None:
    code, out, _ = run("auth", "mail", ":1.4.2", "--env", "dev", "--no-resolve", "-o", "json")
    assert code == 0
    assert [change["service"] for change in json.loads(out)["images"]] == ["auth", "mail"]
    for service in ("auth", "mail"):
        image = of_service(two, service, "dev")
        assert image["repository"] == f"registry.example.com/shop/{service}"
        assert image["tag"] == "1.4.2"


def test_images_of_another_environment_are_taken_with_their_digests(two: Path, run: Run) -> None:
    assert run("auth", f"{AUTH}:1.4.2@{DIGEST}", "--env", "dev")[0] == 0
    assert run("mail", f":2.0@{OTHER}", "--env", "dev")[0] == 0
    code, out, _ = run("--from-env", "dev", "--env", "staging")
    assert code == 0
    assert out.split() == [f"{AUTH}:1.4.2@{DIGEST}", f"registry.example.com/shop/mail:2.0@{OTHER}"]
    assert of_service(two, "auth", "staging")["digest"] == DIGEST
    assert of_service(two, "mail", "staging")["tag"] == "2.0"
    assert of_service(two, "begun-later", "staging")["tag"] == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("auth", "mail", f"{AUTH}:1", "--env", "dev", "--no-resolve"), ":TAG"),
        (("auth", "mial", ":1", "--env", "dev", "--no-resolve"), "Did you mean mail?"),
        (("auth", "--env", "dev"), "--from-env"),
        (("auth", "--from-env", "prodution", "--env", "dev"), "Did you mean production?"),
        (("auth", "--from-env", "dev", "--env", "staging"), "auth names no image"),
    ],
)
def test_nothing_changes_unless_every_image_is_known(
    two: Path, run: Run, arguments: tuple[str, ...], message: str
) -> None:
    code, _, err = run(*arguments)
    assert code == 2
    assert message in " ".join(err.split())
    for environment in ("dev", "staging"):
        assert of_service(two, "auth", environment)["tag"] == ""
