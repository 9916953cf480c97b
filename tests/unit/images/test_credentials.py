"""What ``docker login`` left behind goes to the host it was left for."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from hanbae import errors
from hanbae.images import credentials


def config(folder: Path, document: Any) -> None:
    (folder / "config.json").write_text(json.dumps(document))


def auth(text: str) -> dict[str, str]:
    return {"auth": base64.b64encode(text.encode()).decode()}


def helper(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, script: str) -> None:
    program = folder / f"docker-credential-{name}"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


@pytest.mark.parametrize(
    ("key", "host"),
    [
        ("registry.example.com", "registry.example.com"),
        ("https://registry.example.com", "registry.example.com"),
        ("https://registry.example.com/v1/", "registry.example.com"),
        ("registry.example.com:5000", "registry.example.com:5000"),
        ("https://index.docker.io/v1/", "docker.io"),
    ],
)
def test_login_is_found_under_its_host(tmp_path: Path, key: str, host: str) -> None:
    config(tmp_path, {"auths": {key: auth("shop:p:w")}})
    login = credentials.of_docker(host, folder=tmp_path)
    assert login is not None
    assert (login.host, login.username, login.secret.unmask()) == (host, "shop", b"p:w")


@pytest.mark.parametrize(
    "host",
    ["registry.example.com:5001", "example.com", "evil.registry.example.com", "registry.example.com.evil", "docker.io"],
)  # fmt: skip
def test_login_of_another_host_is_not_used(tmp_path: Path, host: str) -> None:
    config(tmp_path, {"auths": {"registry.example.com": auth("shop:pw")}})
    assert credentials.of_docker(host, folder=tmp_path) is None


def test_identity_token_comes_before_the_password(tmp_path: Path) -> None:
    config(tmp_path, {"auths": {"r.example": auth("<token>:x") | {"identitytoken": "c4n4ry"}}})
    login = credentials.of_docker("r.example", folder=tmp_path)
    assert login is not None
    assert login.is_token
    assert login.secret.unmask() == b"c4n4ry"


def test_no_login_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    assert credentials.of_docker("r.example") is None
    config(tmp_path, {"auths": {"r.example": {}}})
    assert credentials.of_docker("r.example") is None


@pytest.mark.parametrize("store", ["credHelpers", "credsStore"])
def test_helper_is_asked_on_its_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: str
) -> None:
    script = f"""[ "$*" = get ] || exit 9
read -r host
echo "$host" > {tmp_path}/asked
echo '{{"ServerURL":"x","Username":"shop","Secret":"c4n4ry"}}'"""
    helper(tmp_path, monkeypatch, "vault", script)
    config(tmp_path, {store: {"r.example": "vault"} if store == "credHelpers" else "vault"})
    login = credentials.of_docker("r.example", folder=tmp_path)
    assert login is not None
    assert (login.username, login.secret.unmask()) == ("shop", b"c4n4ry")
    assert (tmp_path / "asked").read_text() == "r.example\n"


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("echo c4n4ry >&2; exit 1", errors.Failed),
        ("echo not json c4n4ry", errors.Failed),
        ('echo \'{"Username":"c4n4ry"}\'', errors.Failed),
    ],
)
def test_helper_that_fails_says_nothing_of_what_it_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, error: type[errors.Error]
) -> None:
    helper(tmp_path, monkeypatch, "vault", script)
    config(tmp_path, {"credsStore": "vault"})
    with pytest.raises(error) as caught:
        credentials.of_docker("r.example", folder=tmp_path)
    assert "c4n4ry" not in str(caught.value)


def test_helper_that_knows_nothing_means_no_login(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    helper(tmp_path, monkeypatch, "vault", "echo credentials not found in native keychain; exit 1")
    config(tmp_path, {"credsStore": "vault"})
    assert credentials.of_docker("r.example", folder=tmp_path) is None


def test_helper_that_is_not_installed_is_lacking(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    config(tmp_path, {"credsStore": "vault"})
    with pytest.raises(errors.Lacking):
        credentials.of_docker("r.example", folder=tmp_path)


@pytest.mark.parametrize("name", ["../../bin/sh", "a/b", "-x", "a b", "$(x)"])
def test_helper_is_a_name_and_no_path(tmp_path: Path, name: str) -> None:
    config(tmp_path, {"credsStore": name})
    with pytest.raises(errors.Failed):
        credentials.of_docker("r.example", folder=tmp_path)


@pytest.mark.parametrize("text", ["c4n4ry", '["c4n4ry"]', '{"auths": {"c4n4ry'])
def test_file_that_is_not_dockers_is_a_fault_without_its_content(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(errors.FileFault) as caught:
        credentials.of_docker("r.example", folder=tmp_path)
    assert "c4n4ry" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("name", ["INT", "TERM"])
def test_a_signal_that_ends_a_helper_is_no_failure_of_the_helpers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    config(tmp_path, {"credsStore": "stopped"})
    helper(tmp_path, monkeypatch, "stopped", f"kill -{name} $$")
    with pytest.raises(KeyboardInterrupt):
        credentials.of_docker("r.example", folder=tmp_path)


def test_helper_that_the_system_cannot_start_has_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config(tmp_path, {"credsStore": "odd"})
    helper(tmp_path, monkeypatch, "odd", "")
    (tmp_path / "docker-credential-odd").write_text("no program")
    with pytest.raises(errors.Failed) as failed:
        credentials.of_docker("r.example", folder=tmp_path)
    assert failed.value.text.id == "registry.helper-failed"
