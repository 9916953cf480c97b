"""Where a token may go, and where it may not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hanbae import errors, masking
from hanbae.argocd_api import settings

SECRET = "canary-token-of-the-team"


def login(folder: Path, *servers: str, current: str = "", plain: bool = False) -> dict[str, str]:
    """The environment of somebody for whom ``argocd login`` has written its file."""
    document = {
        "current-context": current or (servers[0] if servers else ""),
        "contexts": [{"name": server, "server": server, "user": server} for server in servers],
        "servers": [{"server": server, "plain-text": plain} for server in servers],
        "users": [{"name": server, "auth-token": f"{SECRET}-{server}"} for server in servers],
    }
    (folder / "config").write_text(json.dumps(document))
    return {"ARGOCD_CONFIG_DIR": str(folder)}


def settle(
    server: str | None, environment: dict[str, str], *, plaintext: bool = False
) -> tuple[str, str]:
    settled = settings.settle(server, {"HOME": "/nowhere", **environment}, plaintext=plaintext)
    return settled.url, settled.token.unmask().decode()


@pytest.mark.parametrize(
    ("server", "url"),
    [
        ("argocd.example.com", "https://argocd.example.com"),
        ("https://argocd.example.com/", "https://argocd.example.com"),
        ("argocd.example.com:8443", "https://argocd.example.com:8443"),
        ("argocd.example.com/tools/cd", "https://argocd.example.com/tools/cd"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://10.89.7.2:8080", "http://10.89.7.2:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_an_address_is_written_as_for_the_argocd_program(server: str, url: str) -> None:
    environment = {"ARGOCD_AUTH_TOKEN": SECRET, "ARGOCD_SERVER": server}
    assert settle(server, environment) == (url, SECRET)
    assert settle(None, environment) == (url, SECRET)


@pytest.mark.parametrize(
    "server",
    [
        "argocd.example.com x",
        "ftp://argocd.example.com",
        "me:secret@argocd.example.com",
        "a?b",
        "/",
    ],
)
def test_what_is_no_address_is_refused(server: str) -> None:
    with pytest.raises(errors.WrongUse) as caught:
        settle(server, {"ARGOCD_AUTH_TOKEN": SECRET})
    assert caught.value.text.id == "argocd-api.bad-server"


@pytest.mark.parametrize(
    ("server", "options"),
    [
        ("http://argocd.example.com", ""),
        ("http://8.8.8.8", ""),
        ("argocd.example.com", "--plaintext"),
    ],
)
def test_no_token_goes_to_a_strangers_network_without_tls(server: str, options: str) -> None:
    environment = {"ARGOCD_AUTH_TOKEN": SECRET, "ARGOCD_OPTS": options, "ARGOCD_SERVER": server}
    with pytest.raises(errors.WrongUse) as caught:
        settle(server, environment)
    assert caught.value.text.id == "argocd-api.plaintext"
    url, _ = settle(server, environment, plaintext=True)
    assert url.startswith("http://")


def test_plaintext_is_taken_from_the_argocd_programs_options_or_login(tmp_path: Path) -> None:
    environment = {"ARGOCD_AUTH_TOKEN": SECRET, "ARGOCD_SERVER": "10.0.0.2:8080"}
    assert settle(None, environment | {"ARGOCD_OPTS": "--plaintext"})[0] == "http://10.0.0.2:8080"
    assert settle(None, environment)[0] == "https://10.0.0.2:8080"
    assert settle(None, login(tmp_path, "10.0.0.3", plain=True))[0] == "http://10.0.0.3"


def test_plain_http_to_one_server_is_no_word_for_another(tmp_path: Path) -> None:
    environment = login(tmp_path, "10.0.0.5") | {"ARGOCD_SERVER": "http://10.0.0.6:8080"}
    with pytest.raises(errors.WrongUse) as caught:
        settle("http://10.0.0.5", environment, plaintext=True)
    assert caught.value.text.id == "argocd-api.plaintext"
    same = environment | {"ARGOCD_SERVER": "HTTP://10.0.0.5/"}
    assert settle("10.0.0.5", same, plaintext=True)[0] == "http://10.0.0.5"


def test_a_login_is_used_only_for_the_server_that_it_was_made_for(tmp_path: Path) -> None:
    environment = login(tmp_path, "argocd.example.com", "other.example.com")
    assert settle(None, environment)[1] == f"{SECRET}-argocd.example.com"
    assert settle("other.example.com", environment)[1] == f"{SECRET}-other.example.com"
    assert settle("https://other.example.com:443/", environment)[1].endswith("other.example.com")
    with pytest.raises(errors.WrongUse) as caught:
        settle("evil.example.net", environment)
    assert caught.value.text.id == "argocd-api.no-token"


def test_a_token_for_one_server_is_not_sent_to_another_that_the_policy_names() -> None:
    environment = {"ARGOCD_AUTH_TOKEN": SECRET, "ARGOCD_SERVER": "argocd.example.com"}
    with pytest.raises(errors.WrongUse) as caught:
        settle("evil.example.net", environment)
    assert caught.value.text.id == "argocd-api.two-servers"
    assert settle("https://argocd.example.com", environment)[1] == SECRET


def test_without_server_or_token_people_are_told_how_to_give_one() -> None:
    with pytest.raises(errors.WrongUse) as nowhere:
        settle(None, {"ARGOCD_AUTH_TOKEN": SECRET})
    assert nowhere.value.text.id == "argocd-api.no-server"
    with pytest.raises(errors.WrongUse) as nothing:
        settle("argocd.example.com", {})
    assert nothing.value.text.id == "argocd-api.no-token"


def test_a_broken_login_file_is_named_without_its_content(tmp_path: Path) -> None:
    (tmp_path / "config").write_text(f"users: [{{auth-token: {SECRET}\n")
    with pytest.raises(errors.FileFault) as caught:
        settle("argocd.example.com", {"ARGOCD_CONFIG_DIR": str(tmp_path)})
    assert caught.value.place is not None
    assert SECRET not in f"{caught.value}{caught.value.text}{caught.value.__cause__}"


def test_a_login_file_without_an_end_is_a_fault_at_its_line(tmp_path: Path) -> None:
    (tmp_path / "config").write_text("users:\n  " + "[" * 5000)
    with pytest.raises(errors.FileFault) as caught:
        settle("argocd.example.com", {"ARGOCD_CONFIG_DIR": str(tmp_path)})
    assert str(caught.value.place) == f"{tmp_path / 'config'}:2:252"


@pytest.mark.parametrize("token", ["two words", "line\nbreak", "töken"])
def test_what_cannot_be_a_token_is_refused_without_showing_it(token: str) -> None:
    with pytest.raises(errors.WrongUse) as caught:
        settle(
            "argocd.example.com",
            {"ARGOCD_AUTH_TOKEN": token, "ARGOCD_SERVER": "argocd.example.com"},
        )
    assert caught.value.text.id == "argocd-api.bad-token"
    assert token not in str(caught.value)


def test_settings_do_not_show_the_token() -> None:
    environment = {"ARGOCD_AUTH_TOKEN": SECRET, "ARGOCD_SERVER": "argocd.example.com"}
    settled = settings.settle(None, environment, plaintext=False)
    assert SECRET not in repr(settled)
    assert masking.MASK in repr(settled)
