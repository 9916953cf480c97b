"""What becomes of connections when a credential plugin answers with another certificate, against a real socket."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import os
import ssl
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from tests.support import api_servers

from hanbae.clusters import answers, connections, reading

PLUGIN = """\
#!{python}
import json, pathlib
folder = pathlib.Path(__file__).parent
runs = folder / "runs"
name = "second" if runs.exists() else "first"
runs.write_text(name)
data = {{"clientCertificateData": (folder / f"{{name}}.crt").read_text(),
        "clientKeyData": (folder / f"{{name}}.key").read_text()}}
print(json.dumps({{"apiVersion": "client.authentication.k8s.io/v1", "status": data}}))
"""


class Server:
    """Keeps connections alive, and refuses requests on those that show an expired certificate.

    Attributes:
        expired: Names of certificates that are refused.
        shown: The certificate of each request's connection.
        closed: The certificate of each connection that the client has closed.
    """

    def __init__(self, folder: Path) -> None:
        self.authority = api_servers.Authority(folder)
        self.expired: set[str] = set()
        self.shown: list[str] = []
        self.closed: asyncio.Queue[str] = asyncio.Queue()
        self.settings = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        self.settings.load_cert_chain(*self.authority.issue("server", address))
        self.settings.load_verify_locations(self.authority.file)
        self.settings.verify_mode = ssl.CERT_OPTIONAL

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        certificate: Any = writer.get_extra_info("peercert")
        name = certificate["subject"][0][0][1]
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            while True:
                request = await reader.readuntil(b"\r\n\r\n")
                self.shown.append(name)
                status = 401 if name in self.expired else 200
                writer.write(f"HTTP/1.1 {status} X\r\n".encode())
                if b"/follow" in request:
                    writer.write(b"transfer-encoding: chunked\r\n\r\n1\r\na\r\n")
                else:
                    body = json.dumps({"gitVersion": "v1"}).encode()
                    writer.write(f"content-length: {len(body)}\r\n\r\n".encode() + body)
                await writer.drain()
        await self.closed.put(name)
        writer.close()


@pytest.fixture(autouse=True)
def _direct(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


async def test_a_renewed_certificate_is_shown_by_new_connections(tmp_path: Path) -> None:
    """What is under way stays on its own connection, and what is idle does not outlive it."""
    server = Server(tmp_path)
    for name in ("first", "second"):
        server.authority.issue(name)
    script = tmp_path / "plugin"
    script.write_text(PLUGIN.format(python=sys.executable))
    script.chmod(stat.S_IRWXU)
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "interactiveMode": "Never",
        "command": "./plugin",
    }
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0, ssl=server.settings)
    address = f"https://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    cluster = {"server": address, "certificate-authority": str(server.authority.file)}
    document = {
        "current-context": "dev",
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": {"exec": plugin}}],
        "contexts": [{"name": "dev", "context": {"cluster": "c", "user": "u"}}],
    }
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(document))
    async with listening, asyncio.timeout(20), connections.connect(kubeconfig=path) as connected:
        call = answers.Call("get", "/follow", "", "", "dev", address)
        async with connected.stream(call, "/follow", params={}, idle=10) as chunks:
            assert await anext(chunks)
            assert await reading.version(connected) == "v1"
            server.expired.add("first")
            assert await reading.version(connected) == "v1"
            assert server.shown == ["first", "first", "first", "second"]
            assert server.closed.empty()
        assert [await server.closed.get() for _ in range(2)] == ["first", "first"]
        assert await reading.version(connected) == "v1"
    assert server.shown == ["first", "first", "first", "second", "second"]
