"""``hanbae generate runner``: the sources of hanbae-migrate, of which Dockerfiles build it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.support import layouts

from hanbae.cli import main
from hanbae.sandbox import building, pins

COMPONENT = next(entry for entry in pins.COMPONENTS if entry.name == "hanbae-migrate")
FOLDER = "tools/hanbae-migrate"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository whose policy names the runner."""
    layouts.begin(tmp_path, "one-cluster")
    policy = tmp_path / "hanbae.yaml"
    text = policy.read_text()
    assert "\nmigrations:\n" in text
    policy.write_text(text.replace("\nmigrations:\n", "\nmigrations:\n  runner: hanbae-migrate\n"))
    return tmp_path


def run(root: Path, *arguments: str) -> int:
    return main.run(["--lang", "en", "-C", str(root), *arguments])


def test_the_folder_is_what_the_sandbox_builds_and_the_tests_run(root: Path) -> None:
    assert run(root, "generate", "runner") == 0
    sources = {
        path.name: path.read_bytes()
        for path in building.sources(COMPONENT).iterdir()
        if path.suffix in {".go", ".mod", ".sum"}
    }
    assert "main.go" in sources
    assert {path.name: path.read_bytes() for path in (root / FOLDER).iterdir()} == sources
    assert run(root, "generate", "runner", "--check") == 0


def test_an_edited_and_an_earlier_file_are_found_and_mended(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(root, "new", "service", "auth") == 0
    assert f"COPY {FOLDER} .\n" in (root / "services/auth/Dockerfile").read_text()
    (root / FOLDER / "main.go").write_text("package main\n")
    (root / FOLDER / "earlier.go").write_text("package main\n")
    capsys.readouterr()
    assert run(root, "generate", "runner", "--check") == 1
    assert "2 files are not what this hanbae writes" in capsys.readouterr().err
    assert run(root, "new", "service", "auth") == 0
    assert not (root / FOLDER / "earlier.go").exists()
    assert run(root, "generate", "runner", "--check") == 0


def test_without_the_runner_in_the_policy_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    layouts.begin(tmp_path, "one-cluster")
    assert run(tmp_path, "new", "service", "auth") == 0
    assert run(tmp_path, "generate", "runner") == 2
    assert "migrations.runner: hanbae-migrate" in capsys.readouterr().err
    assert not (tmp_path / FOLDER).exists()
