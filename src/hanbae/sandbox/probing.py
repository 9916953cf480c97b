"""Whether a component is ready: asked of the component itself, from inside its network namespace.

Most components listen on the loopback interface inside only, so that nobody else on the machine reaches them; a thread
can enter a network namespace by itself, so asking them costs no process.
"""

from __future__ import annotations

import ctypes
import datetime as dt
import functools
import http.client
import json
import os
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from hanbae.streams import authorities

#: CLONE_NEWNET of <linux/sched.h>.
_NEW_NET: Final = 0x40000000
_DEADLINE_S: Final = 3.0


def enter_network(handle: int) -> None:
    """Move the calling thread into a network namespace; there is no way back.

    Args:
        handle: The namespace, as :meth:`hanbae.sandbox.namespaces.Namespaces.network` gives it.
    """
    library = ctypes.CDLL(None, use_errno=True)
    if library.setns(handle, _NEW_NET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), "setns")


def http_status(port: int, path: str, *, host: str = "127.0.0.1", want: int = 200) -> str:
    """Why a plain HTTP endpoint does not answer as it should; empty if it does."""
    connection = http.client.HTTPConnection(host, port, timeout=_DEADLINE_S)
    return _judge(connection, path, want)


def https_status(port: int, path: str) -> str:
    """The same over TLS; the endpoint's certificate is its own and says nothing to us."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    connection = http.client.HTTPSConnection(
        "127.0.0.1", port, timeout=_DEADLINE_S, context=context
    )
    return _judge(connection, path, 200)


def tcp_accepts(host: str, port: int) -> str:
    """Why nobody accepts connections; empty if somebody does."""
    try:
        socket.create_connection((host, port), timeout=_DEADLINE_S).close()
    except OSError as error:
        return f"{host}:{port}: {error}"
    return ""


def redis_answers(port: int) -> str:
    """Why Redis does not answer a PING; empty if it does."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=_DEADLINE_S) as connection:
            connection.sendall(b"PING\r\n")
            answer = connection.recv(64)
    except OSError as error:
        return str(error)
    return "" if answer.startswith(b"+PONG") else answer.decode(errors="replace").strip()


def _judge(connection: http.client.HTTPConnection, path: str, want: int) -> str:
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        body = response.read(500).decode(errors="replace").strip()
    except (OSError, http.client.HTTPException) as error:
        return f"{connection.host}:{connection.port}: {error}"
    finally:
        connection.close()
    return "" if response.status == want else f"{path}: {response.status} {body}"


def _context(pki: Path) -> ssl.SSLContext:
    # A sandbox that was made anew in the same place has another authority.
    return _loaded(pki, (pki / "ca.crt").stat().st_mtime_ns)


@functools.lru_cache(maxsize=16)
def _loaded(pki: Path, _made_ns: int) -> ssl.SSLContext:
    # The certificates of sandboxes from before theirs named their issuer's key are taken as well.
    context = authorities.unstrict(ssl.create_default_context(cafile=str(pki / "ca.crt")))
    context.load_cert_chain(str(pki / "admin.crt"), str(pki / "admin.key"))
    return context


@dataclass(frozen=True)
class Api:
    """The API server, for reading only: whatever is written goes through kubectl.

    Attributes:
        host: Its address.
        pki: The folder with the administrator's certificate.
        born: Says when the sandbox's process 1 began. What the API server knows of pods and of the node from before is
            about the dead.
    """

    host: str
    pki: Path
    born: Callable[[], float]

    def get(self, path: str) -> tuple[int, Any]:
        """Status and decoded JSON of a GET; the body is text where it is not JSON.

        Raises:
            OSError: It does not answer.
        """
        connection = http.client.HTTPSConnection(
            self.host, 6443, timeout=_DEADLINE_S, context=_context(self.pki)
        )
        try:
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read()
        except http.client.HTTPException as error:
            raise OSError(str(error)) from error
        finally:
            connection.close()
        try:
            return response.status, json.loads(body)
        except ValueError:
            return response.status, body.decode(errors="replace")

    def ready(self) -> str:
        """Why the API server is not ready; empty if it is."""
        try:
            status, body = self.get("/readyz")
        except OSError as error:
            return str(error)
        return "" if status == http.HTTPStatus.OK else f"/readyz: {status} {str(body)[:300]}"

    def node_ready(self, name: str) -> str:
        """Why the node is not Ready; empty if it is."""
        try:
            status, node = self.get(f"/api/v1/nodes/{name}")
        except OSError as error:
            return str(error)
        if status != http.HTTPStatus.OK:
            return f"node {name}: {status}"
        for condition in node["status"].get("conditions", []):
            if condition["type"] == "Ready":
                if self._stale(condition["lastHeartbeatTime"]):
                    return "the kubelet has not reported yet"
                return "" if condition["status"] == "True" else str(condition.get("message"))
        return "the kubelet has not reported yet"

    def discovered(self, group_version: str, resources: frozenset[str]) -> str:
        """Why resources of an API group are not served yet; empty if they are."""
        try:
            status, group = self.get(f"/apis/{group_version}")
            missing = resources
            if status == http.HTTPStatus.OK:
                missing = resources - {resource["name"] for resource in group["resources"]}
            # A resource may be listed before requests for it are served.
            for name in sorted(resources - missing):
                status, _ = self.get(f"/apis/{group_version}/{name}?limit=1")
                if status != http.HTTPStatus.OK:
                    return f"{name}: {status}"
        except OSError as error:
            return str(error)
        return f"not served: {', '.join(sorted(missing))}" if missing else ""

    def rolled_out(self, kind: str, namespace: str, name: str) -> str:
        """Why a Deployment or StatefulSet has not all its pods ready; empty if it has."""
        try:
            status, workload = self.get(f"/apis/apps/v1/namespaces/{namespace}/{kind}/{name}")
        except OSError as error:
            return str(error)
        if status != http.HTTPStatus.OK:
            return f"{kind}/{name}: {status}"
        state = workload.get("status", {})
        if state.get("observedGeneration", 0) < workload["metadata"]["generation"]:
            return f"{kind}/{name}: not observed yet"
        replicas = workload["spec"].get("replicas", 1)
        obstacle = self._obstacle(namespace, workload["spec"]["selector"]["matchLabels"], replicas)
        updated = state.get("updatedReplicas", 0)
        if not obstacle and updated < replicas:
            obstacle = f"{updated} of {replicas} are of the last version"
        return f"{kind}/{name}: {obstacle}" if obstacle else ""

    def _obstacle(self, namespace: str, labels: dict[str, str], replicas: int) -> str:
        """Why there are not so many pods with these labels that are ready, and no others; empty if there are.

        The pods themselves say it: the workload's own count lags behind them, and after a restart of the sandbox it is
        still about the dead.
        """
        selector = quote(",".join(f"{key}={value}" for key, value in labels.items()))
        try:
            path = f"/api/v1/namespaces/{namespace}/pods?labelSelector={selector}"
            status, listed = self.get(path)
        except OSError as error:
            return str(error)
        if status != http.HTTPStatus.OK:
            return f"pods: {status}"
        # A pod that has failed, such as an evicted one, stays in the list until somebody deletes it.
        pods = [
            pod
            for pod in listed.get("items", [])
            if "deletionTimestamp" not in pod["metadata"]
            and pod["status"].get("phase") not in {"Failed", "Succeeded"}
        ]
        obstacles = [obstacle for pod in pods if (obstacle := self._of_pod(pod))]
        if obstacles:
            return obstacles[0]
        return "" if len(pods) >= replicas else f"{len(pods)} of {replicas} pods are ready"

    def _of_pod(self, pod: dict[str, Any]) -> str:
        name = pod["metadata"]["name"]
        containers = pod["status"].get("containerStatuses", [])
        if not containers:
            return f"{name}: has not been started yet"
        for container in containers:
            state = container["state"]
            if "waiting" in state:
                ended = container.get("lastState", {}).get("terminated", {})
                message = state["waiting"].get("message") or ended.get("message") or ""
                return f"{name}: {state['waiting']['reason']}: {message}"[:500]
            if "running" not in state or self._stale(state["running"]["startedAt"]):
                return f"{name}: has not been started again yet"
            if not container["ready"]:
                return f"{name}: not ready yet"
        return ""

    def _stale(self, stamp: str) -> bool:
        # Kubernetes tells whole seconds only, so ours are cut off as well.
        return dt.datetime.fromisoformat(stamp).timestamp() < int(self.born())
