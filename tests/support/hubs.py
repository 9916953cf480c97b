"""Argo CD in one sandbox, pods in another: what makes the first deploy into the second.

Two sandboxes do not reach each other, because the machine forwards no packets; so the first one's Argo CD speaks to
the second one's API server through a relay on the machine's end of its own network.
"""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from hanbae.sandbox import folders, running

_ACCOUNT: Final = "argocd-manager"
_NAMESPACE: Final = "kube-system"
_API: Final = 6443
#: A name in every sandbox's certificate of its API server.
_SERVER_NAME: Final = "kubernetes"


class _Relay(socketserver.ThreadingTCPServer):
    """Passes every connection on to one address."""

    allow_reuse_address = True
    daemon_threads = True
    target: tuple[str, int]


class _Connection(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        if not isinstance(self.server, _Relay):
            raise TypeError(self.server)
        with contextlib.suppress(OSError), socket.create_connection(self.server.target) as onward:
            back = threading.Thread(target=_pump, args=(onward, self.request), daemon=True)
            back.start()
            _pump(self.request, onward)
            back.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(65536):
            sink.sendall(chunk)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def joined(control: running.Sandbox, workload: running.Sandbox) -> Iterator[None]:
    """Let the Argo CD of one sandbox deploy into another, which it knows by its kubeconfig context's name.

    After that it does not know it any more.

    Args:
        control: Where Argo CD is.
        workload: Where the pods are to be.
    """
    relay = _Relay((control.site.identity.outer, 0), _Connection)
    relay.target = (workload.site.identity.inner, _API)
    serving = threading.Thread(target=relay.serve_forever, daemon=True)
    serving.start()
    try:
        port = relay.server_address[1]
        server = f"https://{control.site.identity.outer}:{port}"
        secret = json.dumps(_cluster(workload, server)).encode()
        control.kubectl(["apply", "-n", "argocd", "-f", "-"], stdin=secret)
        yield
    finally:
        relay.shutdown()
        relay.server_close()
        serving.join()
        name = _secret(workload)
        control.kubectl(["delete", "secret", name, "-n", "argocd", "--ignore-not-found"])


def _secret(workload: running.Sandbox) -> str:
    return f"cluster-{workload.name}"


def _cluster(workload: running.Sandbox, server: str) -> dict[str, object]:
    """What ``argocd cluster add`` makes: an administrator's account there, and a Secret with its token here."""
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": _ACCOUNT, "namespace": _NAMESPACE},
    }
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": _ACCOUNT},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "cluster-admin",
        },
        "subjects": [{"kind": "ServiceAccount", "name": _ACCOUNT, "namespace": _NAMESPACE}],
    }
    listed = {"apiVersion": "v1", "kind": "List", "items": [account, binding]}
    workload.kubectl(["apply", "-f", "-"], stdin=json.dumps(listed).encode())
    token = workload.kubectl(["create", "token", _ACCOUNT, "-n", _NAMESPACE, "--duration", "24h"])
    authority = (workload.site.folder.pki / "ca.crt").read_bytes()
    config = {
        "bearerToken": token.decode().strip(),
        "tlsClientConfig": {
            "serverName": _SERVER_NAME,
            "caData": base64.b64encode(authority).decode(),
        },
    }
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": _secret(workload),
            "labels": {"argocd.argoproj.io/secret-type": "cluster"},
        },
        "stringData": {"name": workload.context, "server": server, "config": json.dumps(config)},
    }


def merged(path: Path, *kubeconfigs: Path) -> Path:
    """One kubeconfig with the contexts of several; the first one's is current."""
    documents = [json.loads(kubeconfig.read_text()) for kubeconfig in kubeconfigs]
    whole = documents[0] | {
        part: [entry for document in documents for entry in document[part]]
        for part in ("clusters", "users", "contexts")
    }
    folders.write(path, json.dumps(whole))
    return path
