"""Argo CD's token goes only to a server that the user has named, never where only the checkout points."""

from __future__ import annotations

import http.server
import json
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from tests.support import layouts, scenes

from hanbae import errors
from hanbae.actions import new_service
from hanbae.argocd_api import settings

ANY = "0.0.0.0"  # noqa: S104  an address that nothing is bound to
CANARY = "ARGO-C4N4RY-TOKEN"


@pytest.fixture
def stranger() -> Iterator[tuple[str, list[str]]]:
    """A server that keeps what it is sent."""
    sent: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version: ClassVar[str] = "HTTP/1.1"

        def do_GET(self) -> None:
            sent.append(str(self.headers.get("authorization")))
            self.send_response(403)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", sent
    server.shutdown()
    server.server_close()


def checkout(tmp_path: Path, server: str) -> Path:
    """A branch whose policy names a server, with a remote of its own so that its branches can be fetched."""
    root, remote = tmp_path / "shop", tmp_path / "remote.git"
    root.mkdir()
    layouts.begin(root, "one-cluster")
    new_service.new_service(root, "auth")
    policy = root / "hanbae.yaml"
    text = policy.read_text()
    text = text.replace("argocd:\n", f"argocd:\n  server: {server}\n  plaintext: true\n", 1)
    policy.write_text(text.replace("    branch:", "    transport: argocd-api\n    branch:"))
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com"]
    for words in (
        ["init", "-q", "-b", "release"], ["add", "-A"], [*identity, "commit", "-qm", "x"],
        ["init", "-q", "--bare", str(remote)], ["remote", "add", "origin", str(remote)],
        ["push", "-q", "origin", "release"],
    ):  # fmt: skip
        subprocess.run(["git", *words], cwd=root, check=True, capture_output=True)
    document = {
        "contexts": [{"name": "c", "context": {"cluster": "c"}}],
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
        "current-context": "c",
    }
    (tmp_path / "kubeconfig").write_text(json.dumps(document))
    return root


@pytest.mark.parametrize("words", [("plan", "auth", "--env", "staging")], ids=" ".join)
def test_a_branch_does_not_get_the_token(
    tmp_path: Path, stranger: tuple[str, list[str]], words: tuple[str, ...]
) -> None:
    url, sent = stranger
    root = checkout(tmp_path, url)
    own = {"KUBECONFIG": str(tmp_path / "kubeconfig"), "HOME": str(tmp_path), "COLUMNS": "400"}
    ended = scenes.hanbae("--lang", "en", *words, directory=root, ARGOCD_AUTH_TOKEN=CANARY, **own)
    assert sent == []
    assert ended.code == 2, ended.err
    assert f"export ARGOCD_SERVER={url}" in ended.err
    assert CANARY not in ended.out + ended.err


@pytest.mark.parametrize(
    "server",
    [
        "https://evil.example.com",
        "http://127.0.0.1:18443",
        "http://10.0.0.1",
        "argocd.example.com.evil.example",
    ],
)
def test_a_token_of_the_environment_needs_a_server_of_the_users(server: str) -> None:
    environment = {"ARGOCD_AUTH_TOKEN": CANARY, "HOME": "/nowhere"}
    with pytest.raises(errors.WrongUse):
        settings.settle(server, environment, plaintext=True)
    other = {**environment, "ARGOCD_SERVER": "argocd.example.com"}
    with pytest.raises(errors.WrongUse):
        settings.settle(server, other, plaintext=True)


@pytest.mark.parametrize(
    "host",
    ["10.1.2.3", "169.254.169.254", "198.18.0.1", "192.0.2.7", ANY, "argocd.example.com"],
)
def test_the_policy_alone_takes_no_token_over_plain_http(host: str) -> None:
    named = {"ARGOCD_AUTH_TOKEN": CANARY, "HOME": "/nowhere", "ARGOCD_SERVER": host}
    for server in (f"http://{host}", host):
        with pytest.raises(errors.WrongUse) as caught:
            settings.settle(server, named, plaintext=True)
        assert caught.value.text.id == "argocd-api.plaintext"


@pytest.mark.parametrize("host", ["169.254.169.254", "198.18.0.1", "192.0.2.7", ANY])
def test_what_is_nobodys_own_network_is_a_strangers(host: str) -> None:
    environment = {
        "ARGOCD_AUTH_TOKEN": CANARY,
        "HOME": "/nowhere",
        "ARGOCD_SERVER": host,
        "ARGOCD_OPTS": "--plaintext",
    }
    with pytest.raises(errors.WrongUse):
        settings.settle(None, environment, plaintext=False)


def test_a_login_to_the_server_names_it_as_well(tmp_path: Path) -> None:
    document = {"contexts": [{"name": "x", "server": "argocd.example.com", "user": "x"}]}
    (tmp_path / "config").write_text(json.dumps(document))
    environment = {"ARGOCD_AUTH_TOKEN": CANARY, "ARGOCD_CONFIG_DIR": str(tmp_path)}
    settled = settings.settle("argocd.example.com", environment, plaintext=False)
    assert settled.url == "https://argocd.example.com"
