"""A real etcd and a real kube-apiserver on loopback, for the tests of ``clusters``.

Nothing else runs: no controller, no kubelet.
They start in about three seconds in a folder of their own with certificates that nobody keeps, and are stopped by pid.
"""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import ipaddress
import json
import os
import signal
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from tests.support import giteas, ports, postgresql, relays

from hanbae import wording
from hanbae.clusters import connections, leases
from hanbae.sandbox import binaries

READY_WITHIN = 60.0
CURVE = ec.SECP256R1()


class Quiet:
    """The builder's progress, of which tests show nothing."""

    def started(self, component: str, estimate_s: float, remaining_s: float) -> None: ...
    def finished(self, component: str, seconds: float, *, cached: bool) -> None: ...
    def note(self, text: wording.Text) -> None: ...


class Authority:
    """A certificate authority for one test run."""

    def __init__(self, folder: Path, name: str = "test") -> None:
        self.folder = folder
        self.key = ec.generate_private_key(CURVE)
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = self._builder(self.name, self.key.public_key())
        certificate = builder.add_extension(x509.BasicConstraints(True, None), critical=True)
        self.path = folder / "ca.crt"
        self.path.write_bytes(_pem(certificate.sign(self.key, hashes.SHA256())))

    def issue(self, name: str, *groups: str, addresses: bool = False) -> tuple[Path, Path]:
        """A certificate and its key, as files."""
        key = ec.generate_private_key(CURVE)
        subject = x509.Name(
            [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
            + [x509.NameAttribute(NameOID.COMMON_NAME, name)]
        )
        builder = self._builder(subject, key.public_key()).add_extension(
            x509.ExtendedKeyUsage(
                [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
            ),
            critical=False,
        )
        if addresses:
            names = [
                x509.DNSName("localhost"),
                x509.DNSName("kubernetes.default.svc"),
                x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
            ]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        certificate, private = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        certificate.write_bytes(_pem(builder.sign(self.key, hashes.SHA256())))
        private.write_bytes(_pem(key))
        return certificate, private

    def _builder(self, subject: x509.Name, public: Any) -> x509.CertificateBuilder:
        now = dt.datetime.now(dt.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(minutes=5))
            .not_valid_after(now + dt.timedelta(days=1))
        )


def _pem(encodable: Any) -> bytes:
    if isinstance(encodable, x509.Certificate):
        return encodable.public_bytes(serialization.Encoding.PEM)
    return bytes(
        encodable.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )


class ControlPlane:
    """etcd and kube-apiserver.

    Attributes:
        server: The API server's address.
        kubeconfig: A file with the contexts ``admin`` (may everything) and ``nobody`` (may nothing).
    """

    def __init__(self, folder: Path, programs: binaries.Binaries) -> None:
        self.folder = folder
        self.programs = programs
        self.authority = Authority(folder)
        self.port, self._etcd_port, self._peer_port = (ports.reserve() for _ in range(3))
        self.server = f"https://127.0.0.1:{self.port}"
        self._certificate = self.authority.issue("apiserver", addresses=True)
        self._admin = self.authority.issue("admin", "system:masters")
        self.kubeconfig = self._write_kubeconfig(self.authority.issue("nobody"))
        accounts = rsa.generate_private_key(65537, 2048)
        (folder / "accounts.key").write_bytes(_pem(accounts))
        self._etcd: subprocess.Popen[bytes] | None = None
        self._apiserver: subprocess.Popen[bytes] | None = None

    @property
    def etcd_url(self) -> str:
        return f"http://127.0.0.1:{self._etcd_port}"

    @property
    def pid(self) -> int:
        """The API server's process."""
        assert self._apiserver is not None
        return self._apiserver.pid

    def start(self) -> None:
        peer = f"http://127.0.0.1:{self._peer_port}"
        self._etcd = self._run(
            "etcd",
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={self.etcd_url}",
            f"--advertise-client-urls={self.etcd_url}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",
        )
        self.start_apiserver()

    def start_apiserver(self) -> None:
        certificate, key = self._certificate
        accounts = self.folder / "accounts.key"
        self._apiserver = self._run(
            "kube-apiserver",
            f"--etcd-servers={self.etcd_url}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self.port}",
            f"--cert-dir={self.folder}",
            f"--tls-cert-file={certificate}",
            f"--tls-private-key-file={key}",
            f"--client-ca-file={self.authority.path}",
            f"--service-account-key-file={accounts}",
            f"--service-account-signing-key-file={accounts}",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--authorization-mode=RBAC",
            "--disable-admission-plugins=ServiceAccount",  # nobody makes the default account here
            "--shutdown-delay-duration=0s",
        )
        self._wait_ready()

    def kill_apiserver(self) -> None:
        """End the API server at once, as a crash does."""
        assert self._apiserver is not None
        self._apiserver.kill()
        self._apiserver.wait()
        self._apiserver = None

    def compact(self) -> None:
        """Make etcd forget every version but the last."""
        status = self._etcd_call("/v3/maintenance/status", {})
        revision = status["header"]["revision"]
        self._etcd_call("/v3/kv/compaction", {"revision": revision, "physical": True})

    def stop(self) -> None:
        for process in (self._apiserver, self._etcd):
            if process is not None:
                process.send_signal(signal.SIGCONT)
                process.kill()
                process.wait()

    def _etcd_call(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(  # noqa: S310 a fixed address
            self.etcd_url + path, json.dumps(body).encode(), {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10) as response:  # noqa: S310
            return dict(json.load(response))

    def _run(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{program}.log").open("ab") as log:
            return subprocess.Popen(
                [str(self.programs.path(program)), *arguments],
                stdout=log,
                stderr=log,
                # As in the sandbox: a third of the API server's work here is looking for garbage.
                env=os.environ | {"GOGC": "400", "GOMEMLIMIT": "768MiB"},
            )

    def _wait_ready(self) -> None:
        context = ssl.create_default_context(cafile=self.authority.path)
        context.load_cert_chain(*self._admin)
        deadline = time.monotonic() + READY_WITHIN
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        while True:
            try:
                with opener.open(f"{self.server}/readyz", timeout=5):
                    return
            except OSError as error:
                assert self._apiserver is not None
                if self._apiserver.poll() is not None or time.monotonic() > deadline:
                    log = (self.folder / "kube-apiserver.log").read_text()[-3000:]
                    pytest.fail(f"the API server is not ready: {error}\n{log}")
                time.sleep(0.05)

    def _write_kubeconfig(self, nobody: tuple[Path, Path]) -> Path:
        def user(pair: tuple[Path, Path]) -> dict[str, str]:
            certificate, key = pair
            return {
                "client-certificate-data": base64.b64encode(certificate.read_bytes()).decode(),
                "client-key-data": base64.b64encode(key.read_bytes()).decode(),
            }

        cluster = {
            "server": self.server,
            "certificate-authority-data": base64.b64encode(
                self.authority.path.read_bytes()
            ).decode(),
        }
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "admin",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [
                {"name": "admin", "user": user(self._admin)},
                {"name": "nobody", "user": user(nobody)},
            ],
            "contexts": [
                {"name": name, "context": {"cluster": "test", "user": name}}
                for name in ("admin", "nobody")
            ],
        }
        path = self.folder / "kubeconfig"
        path.write_text(json.dumps(document))
        return path


@pytest.fixture(scope="session")
def control_plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """One for all tests; a test that stops it starts it again."""
    programs = binaries.obtain(progress=Quiet())
    running = ControlPlane(tmp_path_factory.mktemp("control-plane"), programs)
    try:
        running.start()
        yield running
    finally:
        running.stop()


@pytest.fixture
async def cluster(
    control_plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[connections.Cluster]:
    """A connection as an administrator."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    async with connections.connect(kubeconfig=control_plane.kubeconfig) as connected:
        yield connected


@pytest.fixture
def unique() -> Callable[[str], str]:
    """Names that no other test uses."""
    taken = iter(range(1, 10_000))
    stamp = time.time_ns() % 10**10
    return lambda prefix: f"{prefix}-{stamp}-{next(taken)}"


@pytest.fixture
async def relayed(
    control_plane: ControlPlane, cluster: connections.Cluster, tmp_path: Path
) -> AsyncIterator[tuple[relays.Relay, connections.Cluster]]:
    """A connection whose answers can be lost on the way."""
    relay = relays.Relay(control_plane.port)
    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    text = control_plane.kubeconfig.read_text()
    path = tmp_path / "kubeconfig"
    path.write_text(text.replace(f":{control_plane.port}", f":{port}"))
    async with connections.connect(kubeconfig=path) as connected:
        # The handshake is over before an answer is lost.
        assert await leases.read(connected, "default", "nobodys") is None
        yield relay, connected
    server.close()
    await asyncio.wait_for(relay.idle.wait(), 10)


@pytest.fixture(scope="session")
def gitea(tmp_path_factory: pytest.TempPathFactory) -> Iterator[giteas.Gitea]:
    """A forge with four users, and a database server for it."""
    with (
        postgresql.running(tmp_path_factory.mktemp("postgresql")) as database,
        giteas.running(tmp_path_factory.mktemp("gitea"), database) as server,
    ):
        for name in ("ann", "ben", "cho", "eve"):
            server.user(name)
        yield server
