"""A real Sealed Secrets controller beside a real API server: on this machine, as the pod of a cluster would be."""

from __future__ import annotations

import base64
import json
import re
import signal
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.support import polling, ports, proxied

from hanbae.sealing import certificates

if TYPE_CHECKING:
    from tests.api.conftest import ControlPlane

NAMESPACE: Final = "kube-system"
NAME: Final = "sealed-secrets-controller"
_KEYS: Final = "sealedsecrets.bitnami.com/sealed-secrets-key"
_WITHIN: Final = 60.0
_AS_A_POD: Final = """\
mount -t tmpfs tmpfs /run
mkdir -p /run/secrets/kubernetes.io/serviceaccount
cp "$1"/* /run/secrets/kubernetes.io/serviceaccount
shift
exec "$@"
"""
"""The controller knows its API server only from the files of a pod's account, so it is given a /run of its own."""


class Sealer:
    """The controller that policies name by default.

    Args:
        plane: The API server.
        folder: An empty folder.
    """

    def __init__(self, plane: ControlPlane, folder: Path) -> None:
        self._plane = plane
        self._folder = folder
        self._account = folder / "account"
        self._host = proxied.address()
        self._port, self._metrics = ports.reserve(self._host), ports.reserve(self._host)
        self._process: subprocess.Popen[bytes] | None = None

    def kubectl(self, *words: str, stdin: str = "", check: bool = True) -> str:
        """What kubectl prints."""
        program = [str(self._plane.programs.path("kubectl"))]
        ended = subprocess.run(
            [*program, f"--kubeconfig={self._plane.kubeconfig}", "-n", NAMESPACE, *words],
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0 or not check, ended.stderr
        return ended.stdout

    def start(self) -> None:
        """Give it an account, a Service and a key, and wait until the API server's proxy leads to it."""
        crds = self._plane.programs.sealed_secrets_chart / "crds"
        # Other files' tests may have it already, and keep it.
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(crds))
        self.kubectl("create", "serviceaccount", NAME)
        account = ("--clusterrole=cluster-admin", f"--serviceaccount={NAMESPACE}:{NAME}")
        self.kubectl("create", "clusterrolebinding", NAME, *account)
        self._account.mkdir()
        token = self.kubectl("create", "token", NAME, "--duration=2h")
        (self._account / "token").write_text(token.strip())
        (self._account / "ca.crt").write_bytes(self._plane.authority.path.read_bytes())
        (self._account / "namespace").write_text(NAMESPACE)
        self.kubectl("create", "-f", "-", stdin=json.dumps(proxied.pod(NAMESPACE, NAME)))
        status = json.dumps(proxied.status(self._host))
        self.kubectl("patch", "pod", NAME, "--subresource=status", "--type=merge", "-p", status)
        items = proxied.objects(NAMESPACE, NAME, self._host, self._port)
        listed = {"apiVersion": "v1", "kind": "List", "items": items}
        self.kubectl("create", "-f", "-", stdin=json.dumps(listed))
        self.run()

    def run(self) -> None:
        """Let it run, and wait until it serves a certificate."""
        listening = [
            f"--listen-addr={self._host}:{self._port}",
            f"--listen-metrics-addr={self._host}:{self._metrics}",
        ]
        program = [str(self._plane.programs.path("controller")), *listening, "--key-size=2048"]
        isolated = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-ec", _AS_A_POD, "sh"]
        with (self._folder / "controller.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*isolated, str(self._account), *program],
                stdout=log,
                stderr=log,
                env={
                    "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
                    "KUBERNETES_SERVICE_HOST": "127.0.0.1",
                    "KUBERNETES_SERVICE_PORT": str(self._plane.port),
                    "POD_NAMESPACE": NAMESPACE,
                },
            )

        def log_now() -> str:
            return (self._folder / "controller.log").read_text()[-2000:]

        polling.until(lambda: bool(self.certificate()), within=_WITHIN, pause=0.1, state=log_now)

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def remove(self) -> None:
        """End it, and take away all that it needed."""
        self.stop()
        objects = ("service", "endpoints", "endpointslice", "serviceaccount")
        for kind in objects:
            self.kubectl("delete", kind, NAME, "--ignore-not-found")
        self.kubectl("delete", "pod", NAME, "--grace-period=0", "--force", "--ignore-not-found")
        self.kubectl("delete", "clusterrolebinding", NAME, "--ignore-not-found")
        self.kubectl("delete", "secrets", "-l", _KEYS)

    def certificate(self) -> bytes:
        """What it seals with, PEM, as the API server's proxy brings it; nothing where it does not answer."""
        path = f"/api/v1/namespaces/{NAMESPACE}/services/http:{NAME}:http/proxy/v1/cert.pem"
        return self.kubectl("get", "--raw", path, check=False).encode()

    @property
    def fingerprint(self) -> str:
        """The fingerprint of its certificate."""
        return certificates.parse(self.certificate(), NAME).fingerprint

    def keys(self) -> dict[str, rsa.RSAPrivateKey]:
        """The private keys that it has, by the fingerprints of their certificates."""
        listed = json.loads(self.kubectl("get", "secrets", "-l", _KEYS, "-o", "json"))
        return dict(_key(secret["data"]) for secret in listed["items"])

    def renew(self) -> None:
        """Let it make a new key, and wait until it seals with that."""
        assert self._process is not None
        before = self.certificate()
        self._process.send_signal(signal.SIGUSR1)
        polling.until(lambda: self.certificate() not in (b"", before), within=_WITHIN, pause=0.1)

    def forget(self, fingerprint: str) -> None:
        """Take a key away from it, as after a leak."""
        listed = json.loads(self.kubectl("get", "secrets", "-l", _KEYS, "-o", "json"))
        for secret in listed["items"]:
            if _key(secret["data"])[0] == fingerprint:
                self.kubectl("delete", "secret", secret["metadata"]["name"])
        self.stop()
        self.run()

    def answers(self, path: str, status: int) -> int:
        """How often one of its pages has answered with a status."""
        with _opener().open(f"http://{self._host}:{self._metrics}/metrics", timeout=10) as page:
            text = page.read().decode()
        pattern = rf'^sealed_secrets_controller_http_requests_total\{{code="{status}",.*path="{path}"\}} (\d+)$'
        return sum(int(count) for count in re.findall(pattern, text, re.MULTILINE))

    def ask(self, path: str, body: dict[str, Any]) -> int:
        """The status of a question that somebody else asks through the same proxy."""
        request = urllib.request.Request(
            f"http://{self._host}:{self._port}{path}",
            json.dumps(body).encode(),
            {"X-Forwarded-For": "127.0.0.1"},  # the controller counts each client of the proxy
        )
        try:
            with _opener().open(request, timeout=10) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code


def _opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))


def _key(data: dict[str, str]) -> tuple[str, rsa.RSAPrivateKey]:
    pem, private = (base64.b64decode(data[part]) for part in ("tls.crt", "tls.key"))
    key = serialization.load_pem_private_key(private, None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return certificates.parse(pem, NAME).fingerprint, key
