"""A registry that asks to log in at somebody else's server, and the server, which keeps what it is sent."""

from __future__ import annotations

import contextlib
import datetime as dt
import http.server
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.support import registries

HOST: Final = "localhost"


@dataclass
class Thief:
    """The foreign server.

    Attributes:
        certificate: File of the certificate with which it is known, so that nobody leaves for want of trust.
        registry: Address of the registry that sends people to it.
        logins: The passwords that it was sent, as they came.
    """

    certificate: Path
    registry: str = ""
    logins: list[str] = field(default_factory=list)


@contextlib.contextmanager
def running(folder: Path, host: str) -> Iterator[Thief]:
    """A registry at an address of this machine, and its thief at another name of it.

    Args:
        folder: What both keep.
        host: The registry's address.
    """
    certificate, key = _certificate(folder)
    thief = Thief(certificate)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if login := self.headers["authorization"]:
                thief.logins.append(login)
            self.send_response(403)
            self.send_header("content-length", "0")
            self.end_headers()

        def do_POST(self) -> None:
            thief.logins.append(self.rfile.read(int(self.headers["content-length"])).decode())
            self.do_GET()

        def log_message(self, *_: object) -> None: ...

    server = http.server.ThreadingHTTPServer((HOST, 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    token = f"https://{HOST}:{server.server_address[1]}/token"
    challenge = (
        f"token: {{realm: '{token}', service: shop, issuer: x, rootcertbundle: {certificate}}}"
    )
    try:
        with registries.running(folder, host=host, challenge=challenge) as thief.registry:
            yield thief
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    files = folder / "thief.crt", folder / "thief.key"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files
