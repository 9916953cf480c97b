"""A certificate that a service's own values do not remember is held against those of the repository."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support import sealing

from hanbae.actions import init, new_service
from hanbae.cli import main

Run = Callable[..., tuple[int, str]]
KEYS = {name: sealing.key(name) for name in ("dev", "staging", "other")}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    for name, key in KEYS.items():
        (tmp_path / f"{name}.pem").write_bytes(sealing.certificate(key))
    (tmp_path / "values").write_text("A=c4n4ry\n")
    monkeypatch.chdir(tmp_path)

    def run(service: str, environment: str, certificate: str, *more: str) -> tuple[int, str]:
        words = ("secrets", "seal", service, "--env", environment, "--from-env-file", "values")
        code = main.run(
            ["--lang", "en", "-C", "shop", *words, "--certificate", f"{certificate}.pem", *more]
        )
        captured = capsys.readouterr()
        assert "c4n4ry" not in captured.out + captured.err
        return code, " ".join(captured.err.split())

    return run


def shop(folder: Path, *, one_cluster: bool) -> None:
    root = folder / "shop"
    root.mkdir()
    init.init(root, repository="https://git.example.com/shop.git", one_cluster=one_cluster)
    for service in ("auth", "identity"):
        new_service.new_service(root, service)


@pytest.mark.parametrize("one_cluster", [True, False])
def test_first_value_of_a_service_is_sealed_for_the_certificate_that_its_neighbours_know(
    tmp_path: Path, run: Run, one_cluster: bool
) -> None:
    shop(tmp_path, one_cluster=one_cluster)
    assert run("auth", "dev", "dev")[0] == 0
    code, err = run("identity", "dev", "other")
    assert code == 5, err
    assert run("identity", "dev", "dev")[0] == 0
    assert run("identity", "dev", "other", "--accept-certificate")[0] == 0


def test_certificate_of_another_environment_is_called_that(tmp_path: Path, run: Run) -> None:
    shop(tmp_path, one_cluster=False)
    assert run("auth", "dev", "dev")[0] == 0
    code, err = run("auth", "staging", "dev")
    assert code == 5
    assert "is that of dev. The controller of staging could not open" in err
    assert run("auth", "staging", "staging")[0] == 0
    code, err = run("auth", "staging", "dev")
    assert code == 5
    assert "is that of dev; staging was sealed with" in err


def test_environments_of_one_cluster_share_their_first_certificate(
    tmp_path: Path, run: Run
) -> None:
    shop(tmp_path, one_cluster=True)
    assert run("auth", "dev", "dev")[0] == 0
    assert run("auth", "staging", "dev")[0] == 0
    # A later one is no longer taken for theirs without a word.
    code, err = run("auth", "staging", "other")
    assert code == 5, err
    assert run("auth", "staging", "staging", "--accept-certificate")[0] == 0
    code, err = run("auth", "staging", "dev")
    assert code == 5
    assert "is that of dev; staging was sealed with" in err
