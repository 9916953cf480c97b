"""Token servers that a registry names: they get no credentials that are not theirs, and fill no memory."""

from __future__ import annotations

import contextlib
import http.server
import threading
from collections.abc import Iterator

import httpx2
import pytest

from hanbae import errors, masking
from hanbae.images import authorizing, credentials, references, registry, transporting

ENDLESS = 200 * 1024 * 1024


class Hostile(http.server.BaseHTTPRequestHandler):
    """A registry that is its own token server, whose tokens do not end."""

    sent = 0

    def do_HEAD(self) -> None:
        self.send_response(401)
        host = self.headers["host"]
        self.send_header("www-authenticate", f'Bearer realm="http://{host}/token",service="x"')
        self.end_headers()

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(ENDLESS // 65536):
                self.wfile.write(b" " * 65536)
                Hostile.sent += 65536

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def address() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hostile)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()  # waits for the threads that still send


def credentials_for(host: str) -> credentials.Credentials:
    return credentials.Credentials(host, "shop", masking.Masked(b"c4n4ry"))


async def test_a_token_without_end_is_not_read_to_its_end(address: str) -> None:
    Hostile.sent = 0
    with pytest.raises(errors.Unreachable, match="too-large"):
        await registry.digest(references.parse(f"{address}/shop/auth:1"), credentials_for(address))
    # What was not read still lies in the buffers of the two sockets.
    assert Hostile.sent < ENDLESS / 4


async def asked_of(host: str, realm: str) -> list[httpx2.Request]:
    """The requests that reached the token server with the password in them."""
    requests: list[httpx2.Request] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/token":
            requests.append(request)
            return httpx2.Response(200, json={"token": "t"})
        if request.headers.get("authorization") == "Bearer t":
            digest = f"sha256:{'a' * 64}"
            return httpx2.Response(200, headers={"docker-content-digest": digest})
        header = f'Bearer realm="{realm}",service="x"'
        return httpx2.Response(401, headers={"www-authenticate": header})

    client = httpx2.AsyncClient(transport=httpx2.MockTransport(handler))
    origin = httpx2.URL(f"https://{host}")
    connected = registry.Registry(transporting.Transport(client, origin, credentials_for(host)))
    await connected.digest(references.parse(f"{host}/shop/auth:1"))
    return [request for request in requests if "authorization" in request.headers]


@pytest.mark.parametrize(
    ("host", "realm"),
    [
        ("registry.acme.co.kr", "token.evil.co.kr"),
        ("registry.acme.or.kr", "evil.or.kr"),
        ("acme.azurecr.io", "evil.azurecr.io"),
        ("1.dkr.ecr.ap-northeast-2.amazonaws.com", "2.dkr.ecr.ap-northeast-2.amazonaws.com"),
        ("registry.example.com", "auth.example.com"),
        ("registry.example.com", "evil.registry.example.com"),
        ("registry.example.com", "com"),
        ("registry.example.com", "xample.com"),
        ("registry.example.com", "example.com.evil.org"),
        ("10.0.0.1:5000", "0.0.1"),
        ("auth.docker.io", "registry-1.docker.io"),
    ],
)
async def test_credentials_do_not_go_to_another_companys_token_server(
    host: str, realm: str
) -> None:
    with pytest.raises(errors.Refused) as caught:
        await asked_of(host, f"https://{realm}/token")
    assert caught.value.text.id == "registry.realm-elsewhere"


@pytest.mark.parametrize(
    ("host", "realm"),
    [
        ("registry-1.docker.io", "auth.docker.io"),
        ("registry.gitlab.com", "gitlab.com"),
        ("registry.gitlab.example.co.kr:5050", "gitlab.example.co.kr"),
        ("ghcr.io", "ghcr.io"),
        ("gitlab.example.com:5050", "gitlab.example.com"),
    ],
)
async def test_credentials_go_where_the_registrys_owner_answers(host: str, realm: str) -> None:
    (request,) = await asked_of(host, f"https://{realm}/token")
    assert request.url.host == realm


async def test_a_token_server_that_the_user_names_gets_the_credentials(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pairs = "other.example.com=x.example.com, registry.example.com=login.example.net"
    monkeypatch.setenv(authorizing.VARIABLE, pairs)
    assert len(await asked_of("registry.example.com", "https://login.example.net/token")) == 1
    with pytest.raises(errors.Refused):
        await asked_of("registry.example.com", "http://login.example.net/token")
    with pytest.raises(errors.Refused):
        await asked_of("registry.example.com", "https://x.example.com/token")
