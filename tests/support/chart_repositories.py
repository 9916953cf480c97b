"""A chart repository over TLS: a folder that Helm itself has packed and indexed, served by Python's own server."""

from __future__ import annotations

import base64
import functools
import http.server
import ipaddress
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography import x509
from tests.support import api_servers, peers

USER: Final = "shop"
PASSWORD: Final = "c4n4ry:p@ss"


@dataclass
class Request:
    """A request: its path, and what it said of who asks."""

    path: str
    authorization: str


@dataclass
class Repository:
    """A repository that is served.

    Attributes:
        folder: What is served.
        authority: Whose certificates the server has.
        protected: Whether it wants a password.
        redirects: Path → where it leads.
        requests: The requests, in order.
        address: Its address; set while it is served.
    """

    folder: Path
    authority: Path
    protected: bool = False
    redirects: dict[str, str] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    address: str = ""

    def add(self, name: str, *versions: str, more: Mapping[str, str] | None = None) -> None:
        """Pack versions of a chart, and index the repository anew, with the Helm that Argo CD has."""
        helm = str(peers.program(peers.HELM))
        for version in versions:
            source = self.folder.parent / f"sources-{self.folder.name}" / version / name
            write(source, name, version, more or {})
            words = [helm, "package", str(source), "--destination", str(self.folder)]
            subprocess.run(words, check=True, capture_output=True)
        words = [helm, "repo", "index", str(self.folder)]
        subprocess.run(words, check=True, capture_output=True)


def write(folder: Path, name: str, version: str, more: Mapping[str, str]) -> None:
    """A chart that renders a ConfigMap with its version."""
    content = {
        "Chart.yaml": f"apiVersion: v2\nname: {name}\nversion: {version}\n",
        "values.yaml": "word: default\n",
        "templates/map.yaml": "apiVersion: v1\nkind: ConfigMap\n"
        "metadata: {name: '{{ .Release.Name }}-{{ .Chart.Name }}'}\n"
        "data: {version: '{{ .Chart.Version }}', word: '{{ .Values.word }}'}\n",
        **more,
    }
    for path, text in content.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


@contextmanager
def serving(folder: Path, *, protected: bool = False) -> Iterator[Repository]:
    """A repository, empty at first, for as long as the scope lasts."""
    served = folder / "served"
    served.mkdir(parents=True)
    authority = api_servers.Authority(folder)
    names = x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")
    certificate, key = authority.issue("charts", *names)
    repository = Repository(served, authority.file, protected)
    settings = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    settings.load_cert_chain(certificate, key)
    server = _Server(("127.0.0.1", 0), functools.partial(_Handler, repository))
    server.socket = settings.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    repository.address = f"https://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield repository
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None: ...  # a client that does not trust us


class _Handler(http.server.SimpleHTTPRequestHandler):
    def __init__(self, repository: Repository, *details: object) -> None:
        self._repository = repository
        super().__init__(*details, directory=str(repository.folder))  # type: ignore[arg-type]

    def do_GET(self) -> None:
        authorization = self.headers.get("authorization", "")
        self._repository.requests.append(Request(self.path, authorization))
        pair = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self._repository.protected and authorization != f"Basic {pair}":
            self.send_error(401)
        elif self.path in self._repository.redirects:
            self.send_response(302)
            self.send_header("location", self._repository.redirects[self.path])
            self.send_header("content-length", "0")
            self.end_headers()
        else:
            super().do_GET()

    def log_message(self, *_: object) -> None: ...


def added(config: Path, *entries: tuple[str, Repository], login: bool = False) -> None:
    """What ``helm repo add`` writes, for repositories whose authority this machine does not know."""
    lines = ["apiVersion: ''", "repositories:"]
    for name, repository in entries:
        lines += [f"- name: {name}", f"  url: {repository.address}"]
        lines += [f"  caFile: {repository.authority}"]
        if login:
            lines += [f"  username: {USER}", f"  password: '{PASSWORD}'"]
    config.parent.mkdir(parents=True, exist_ok=True)
    config.write_text("\n".join(lines) + "\n")
