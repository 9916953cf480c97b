"""A server that answers like an API server's ``/version``, over HTTP and TLS, and remembers who asked and how."""

from __future__ import annotations

import datetime as dt
import http.server
import ipaddress
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NAME = "api.example.com"


class Authority:
    """A certificate authority in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.file = folder / "ca.crt"
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
        basic = x509.BasicConstraints(ca=True, path_length=None)
        certificate = self._sign(self._name, self._key.public_key(), basic)
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def _sign(self, name: x509.Name, key: Any, *extensions: x509.ExtensionType) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        builder = x509.CertificateBuilder(
            self._name, name, key, x509.random_serial_number(),
            now - dt.timedelta(days=1), now + dt.timedelta(days=1),
        )  # fmt: skip
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        return builder.sign(self._key, hashes.SHA256())

    def issue(self, name: str, *names: x509.GeneralName) -> tuple[Path, Path]:
        """Certificate and key of somebody, as files."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        extensions = [x509.SubjectAlternativeName(names)] if names else []
        certificate = self._sign(subject, key.public_key(), *extensions)
        files = self._folder / f"{name}.crt", self._folder / f"{name}.key"
        files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        files[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return files


@dataclass(frozen=True)
class Request:
    """What the server has seen of a request."""

    path: str
    authorization: str
    impersonation: tuple[tuple[str, str], ...]
    certificate: str
    server_name: str


@dataclass
class Servers:
    """The running servers.

    Attributes:
        plain: ``127.0.0.1:PORT`` that speaks HTTP.
        tls: The one that speaks TLS.
        proxy: A proxy that connects every name to this machine.
        requests: What has come.
        proxied: The addresses that the proxy was asked for.
    """

    authority: Authority
    plain: str = ""
    tls: str = ""
    proxy: str = ""
    requests: list[Request] = field(default_factory=list)
    proxied: list[str] = field(default_factory=list)

    def take(self) -> tuple[list[Request], bool]:
        """What has come since the last time, and whether through the proxy."""
        requests, proxied = list(self.requests), bool(self.proxied)
        self.requests.clear()
        self.proxied.clear()
        return requests, proxied


def _handler(servers: Servers, names: dict[int, str]) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            subject = ""
            if isinstance(self.connection, ssl.SSLSocket):
                certificate: Any = self.connection.getpeercert() or {}
                for ((_, value),) in certificate.get("subject", ()):
                    subject = value
            servers.requests.append(
                Request(
                    self.path,
                    self.headers.get("authorization", ""),
                    tuple(
                        sorted(
                            (name.lower(), value)
                            for name, value in self.headers.items()
                            if name.lower().startswith("impersonate")
                        )
                    ),
                    subject,
                    names.get(id(self.connection), ""),
                )
            )
            body = json.dumps({"gitVersion": "v1.35.4"}).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    return Handler


class _Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """Clients that hang up during the handshake are part of the tests."""


@contextmanager
def _serving(server: _Server) -> Iterator[str]:
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def serving(folder: Path) -> Iterator[Servers]:
    """The servers, for as long as the scope lasts."""
    servers = Servers(Authority(folder))
    names: dict[int, str] = {}
    certificate, key = servers.authority.issue(
        "server", x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName(NAME)
    )
    settings = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    settings.load_cert_chain(certificate, key)
    settings.load_verify_locations(servers.authority.file)
    settings.verify_mode = ssl.CERT_OPTIONAL
    settings.sni_callback = lambda connection, name, _: names.update({id(connection): name or ""})
    handler = _handler(servers, names)
    tls = _Server(("127.0.0.1", 0), handler)
    tls.socket = settings.wrap_socket(tls.socket, server_side=True, do_handshake_on_connect=False)
    with (
        _serving(_Server(("127.0.0.1", 0), handler)) as servers.plain,
        _serving(tls) as servers.tls,
        _serving(_Server(("127.0.0.1", 0), _proxy(servers))) as servers.proxy,
    ):
        yield servers


def _proxy(servers: Servers) -> type[http.server.BaseHTTPRequestHandler]:
    class Proxy(http.server.BaseHTTPRequestHandler):
        def do_CONNECT(self) -> None:
            servers.proxied.append(self.path)
            port = int(self.path.rpartition(":")[2])
            with socket.create_connection(("127.0.0.1", port)) as onward:
                self.connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                back = threading.Thread(target=_pump, args=(onward, self.connection))
                back.start()
                _pump(self.connection, onward)
                back.join()
            self.close_connection = True

        def log_message(self, *_: object) -> None: ...

    return Proxy


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass
