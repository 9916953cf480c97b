"""What an API server must have of a program on this machine so that it forwards to it as to a Service's pod."""

from __future__ import annotations

import socket
from typing import Any

import pytest


def address() -> str:
    """An address of this machine that is not loopback, which the API server refuses to forward to."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # no packet is sent
        except OSError:
            pytest.skip("this machine has no address but loopback")
        return str(probe.getsockname()[0])


def pod(namespace: str, name: str) -> dict[str, Any]:
    """A pod that stands for the program: the API server forwards only to an address that a pod of the namespace has."""
    container = {"name": "app", "image": "example.com/app"}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"containers": [container]},
    }


def status(host: str) -> dict[str, Any]:
    """What a kubelet would say of the pod."""
    return {"status": {"phase": "Running", "podIP": host, "podIPs": [{"ip": host}]}}


def objects(namespace: str, name: str, host: str, port: int) -> list[dict[str, Any]]:
    """The Service and what leads from it to the pod.

    Args:
        namespace: Their namespace.
        name: Their name, and the pod's.
        host: The pod's address.
        port: The port on which the program answers.
    """
    metadata = {"namespace": namespace, "name": name}
    target = {"kind": "Pod", "namespace": namespace, "name": name}
    ports = [{"name": "http", "port": port}]
    own = {**metadata, "labels": {"kubernetes.io/service-name": name}}
    ready = {"addresses": [host], "conditions": {"ready": True}, "targetRef": target}
    return [
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"ports": [{"name": "http", "port": 80}]},
        },
        {
            "apiVersion": "v1",
            "kind": "Endpoints",
            "metadata": metadata,
            "subsets": [{"addresses": [{"ip": host, "targetRef": target}], "ports": ports}],
        },
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": own,
            "addressType": "IPv4",
            "endpoints": [ready],
            "ports": ports,
        },
    ]
