"""``hanbae generate compose`` and ``hanbae local check``: a file from charts, and what becomes of files by hand."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from hanbae.actions import generate_compose
from hanbae.cli import main
from hanbae.sandbox import demo_repository


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """The example: three services, none of which names an image yet, all with a Dockerfile."""
    root = tmp_path / "shop"
    shutil.copytree(demo_repository.example(), root)
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    subprocess.run(["git", "-C", str(root), "add", "-A"], check=True)
    return root


@pytest.fixture(autouse=True)
def without_docker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine on which there is no Docker, whatever the one of the test has."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "git").symlink_to(shutil.which("git") or "git")
    monkeypatch.setenv("PATH", str(programs))


def hanbae(root: Path, *words: str, language: str = "en") -> int:
    return main.run(["--lang", language, "-C", str(root), *words])


def test_the_example_becomes_a_compose_file_that_is_as_the_charts_ask_for(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hanbae(shop, "generate", "compose", "--check") == 1
    assert hanbae(shop, "generate", "compose") == 0
    text = (shop / "compose.yaml").read_text()
    assert "identity-service-migrate-legal-db" in text
    assert hanbae(shop, "generate", "compose", "--check") == 0
    assert hanbae(shop, "generate", "compose") == 0
    assert (shop / "compose.yaml").read_text() == text
    capsys.readouterr()
    assert hanbae(shop, "local", "check", "--output", "json") == 0
    parity = json.loads(capsys.readouterr().out)
    assert parity["differences"] == []
    assert len(parity["services"]) == 8


def test_a_chart_that_has_changed_makes_the_file_stale_and_says_in_what(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hanbae(shop, "generate", "compose")
    values = shop / "services/auth/helm/values-dev.yaml"
    values.write_text(values.read_text().replace("memory: 256Mi", "memory: 257M"))
    capsys.readouterr()
    assert hanbae(shop, "generate", "compose", "--check") == 1
    message = capsys.readouterr().err
    assert "auth-service: memory: 257000000b in the chart, 256m in Compose" in message
    assert "run `hanbae generate compose`" in message


def test_of_several_spellings_the_file_counts_that_compose_takes(tmp_path: Path) -> None:
    # As in compose-go's `DefaultFileNames` and `DefaultOverrideFileNames`.
    names = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"]
    overrides = ["compose.override.yml", "compose.override.yaml"]
    overrides += [f"docker-{name}" for name in overrides]
    for name in (*names, *overrides):
        (tmp_path / name).write_text("services: {}\n")
    for name, override in zip(names, overrides, strict=True):
        assert generate_compose.present_files(tmp_path) == (name, override)
        assert generate_compose.foreign_file(tmp_path) == name
        (tmp_path / name).unlink()
        (tmp_path / override).unlink()


def test_a_file_by_hand_and_an_override_are_left_alone(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    by_hand = "services: {auth: {image: 'localhost/shop-auth:local', environment: {JWT: x}}}\n"
    (shop / "docker-compose.yml").write_text(by_hand)
    assert hanbae(shop, "generate", "compose") == 1
    assert (shop / "docker-compose.yml").read_text() == by_hand
    assert not (shop / "compose.yaml").exists()
    capsys.readouterr()
    assert hanbae(shop, "local", "check", "--output", "json") == 1
    aspects = {entry["aspect"] for entry in json.loads(capsys.readouterr().out)["differences"]}
    assert aspects >= {"service", "probe", "limits", "order"}

    (shop / "docker-compose.yml").unlink()
    override = "services: {auth-service: {environment: {LEVEL: debug}}}\n"
    (shop / "compose.override.yaml").write_text(override)
    assert hanbae(shop, "generate", "compose") == 0
    assert (shop / "compose.override.yaml").read_text() == override
    capsys.readouterr()
    assert hanbae(shop, "local", "check") == 0
    assert "compose.override.yaml was not compared" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [("services: [\n", "no Compose file"), ("a: 1\n", "no Compose file"), ("\x00", "Compose")],
)
def test_a_compose_file_that_is_none_is_a_fault_with_its_place(
    shop: Path, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    (shop / "compose.yaml").write_text(text)
    assert hanbae(shop, "local", "check") == 2
    error = capsys.readouterr().err
    assert "compose.yaml" in error
    assert message in error


def test_without_a_file_or_an_environment_it_says_what_to_do(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hanbae(shop, "local", "check") == 2
    assert "`hanbae generate compose` writes it" in capsys.readouterr().err
    policy = shop / "hanbae.yaml"
    policy.write_text(policy.read_text() + "local: {environment: nowhere}\n")
    assert hanbae(shop, "generate", "compose") == 2
    assert "nowhere" in capsys.readouterr().err


def test_a_link_out_of_the_repository_is_not_written_through(shop: Path, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    (shop / "compose.yaml").symlink_to(target)
    assert hanbae(shop, "generate", "compose") == 2
    assert not target.exists()


def test_korean(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    policy = shop / "hanbae.yaml"
    policy.write_text(policy.read_text().replace("language: en", "language: ko"))
    assert hanbae(shop, "generate", "compose", language="ko") == 0
    assert "환경의 차트에서 만든 파일입니다" in (shop / "compose.yaml").read_text()
    assert hanbae(shop, "local", "check", language="ko") == 0
    assert "dev 환경의 차트와 맞습니다" in capsys.readouterr().err


def test_the_dockerfiles_folder_or_the_repository_is_what_it_is_built_from(shop: Path) -> None:
    dockerfile = shop / "services/auth/Dockerfile"
    (shop / "services/auth/main.go").write_text("package main\n")
    dockerfile.write_text("FROM scratch\nCOPY main.go /\n")
    hanbae(shop, "generate", "compose")
    text: Any = (shop / "compose.yaml").read_text()
    assert 'context: "./services/auth"' in text
    assert 'context: "."' in text
