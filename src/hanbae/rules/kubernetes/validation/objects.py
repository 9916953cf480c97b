"""Services, routes, scaling, configuration and rights (``pkg/apis/{core,networking,rbac,…}/validation``)."""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Mapping
from typing import Any, Final

from hanbae import foreign_json
from hanbae.rules.kubernetes import shapes
from hanbae.rules.kubernetes.validation import refusals

_CLASS: Final = "kubernetes.io/ingress.class"
_REQUIRED_KEYS: Final = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}


def service(spec: Mapping[str, Any], pointer: refusals.Pointer) -> refusals.Refusals:
    """The spec of a Service."""
    kind = str(spec.get("type") or "ClusterIP")
    ports = list(shapes.entries(spec.get("ports")))
    for index, port in ports:
        place = (*pointer, "ports", index)
        if len(ports) > 1 and not port.get("name"):
            yield refusals.missing(place, "name", f"ports ({len(ports)})")
        if port.get("nodePort") and kind == "ClusterIP":
            yield refusals.beside((*place, "nodePort"), f"type: {kind}")
    place = (*pointer, "ports")
    yield from refusals.unique(spec.get("ports"), place, "name")
    numbered = [{"protocol": "TCP", **port} for _, port in ports]
    yield from refusals.unique(numbered, place, "port", "protocol")
    yield from _addresses(spec, pointer, kind, has_ports=bool(ports))
    for name in ("externalTrafficPolicy", "loadBalancerClass"):
        allowed = {"LoadBalancer"} | ({"NodePort"} if name == "externalTrafficPolicy" else set())
        if spec.get(name) and kind not in allowed and not spec.get("externalIPs"):
            yield refusals.beside((*pointer, name), f"type: {kind}")
    yield from _balanced(spec, pointer, kind)
    yield from _numbers(spec, pointer, kind)


def _balanced(spec: Mapping[str, Any], pointer: refusals.Pointer, kind: str) -> refusals.Refusals:
    """What only load balancers have."""
    ranges = spec.get("loadBalancerSourceRanges")
    balanced = kind == "LoadBalancer"
    if not balanced:
        for name in ("loadBalancerSourceRanges", "allocateLoadBalancerNodePorts"):
            if spec.get(name) not in (None, []):
                yield refusals.beside((*pointer, name), f"type: {kind}")
    for index, network in enumerate(ranges if balanced and isinstance(ranges, list) else ()):
        # The API server takes these with space around them.
        if _network(str(network).strip()) is None:
            place = (*pointer, "loadBalancerSourceRanges", index)
            yield refusals.invalid(place, network, "10.0.0.0/8")
    if spec.get("healthCheckNodePort") and not (
        balanced and spec.get("externalTrafficPolicy") == "Local"
    ):
        yield refusals.beside((*pointer, "healthCheckNodePort"), "externalTrafficPolicy: Cluster")


def _numbers(spec: Mapping[str, Any], pointer: refusals.Pointer, kind: str) -> refusals.Refusals:
    """Fields that hold IP addresses and nothing else."""
    addresses: list[tuple[refusals.Pointer, Any]] = []
    if kind != "ExternalName":
        addresses.append(((*pointer, "clusterIP"), spec.get("clusterIP")))
    others = spec.get("externalIPs")
    for index, address in enumerate(others if isinstance(others, list) else ()):
        addresses.append(((*pointer, "externalIPs", index), address))
    for place, address in addresses:
        headless = address in ("", "None")
        if isinstance(address, str) and not headless and not _is_address(address):
            yield refusals.invalid(place, address, "10.0.0.1")


def _addresses(
    spec: Mapping[str, Any], pointer: refusals.Pointer, kind: str, *, has_ports: bool
) -> refusals.Refusals:
    headless = spec.get("clusterIP") == "None"
    if kind == "ExternalName":
        if not spec.get("externalName"):
            yield refusals.missing(pointer, "externalName", "type: ExternalName")
        if spec.get("clusterIP"):
            yield refusals.beside((*pointer, "clusterIP"), "type: ExternalName")
        return
    if headless and kind in {"NodePort", "LoadBalancer"}:
        yield refusals.beside((*pointer, "clusterIP"), f"type: {kind}")
    if not has_ports and not headless:
        yield refusals.missing(pointer, "ports", f"type: {kind}")


def ingress_class(data: Mapping[str, Any], pointer: refusals.Pointer) -> refusals.Refusals:
    """A whole Ingress: its class is not told in two ways that differ."""
    name = shapes.mapping(data.get("spec")).get("ingressClassName")
    annotations = shapes.mapping(shapes.mapping(data.get("metadata")).get("annotations"))
    other = annotations.get(_CLASS)
    if name and other and name != other:
        yield refusals.invalid((*pointer, "metadata", "annotations", _CLASS), other, str(name))


def ingress(spec: Mapping[str, Any], pointer: refusals.Pointer) -> refusals.Refusals:
    """The spec of an Ingress."""
    if not spec.get("rules") and not spec.get("defaultBackend"):
        yield refusals.missing(pointer, "defaultBackend", "rules: []")
    for index, rule in shapes.entries(spec.get("rules")):
        place = (*pointer, "rules", index)
        host = rule.get("host")
        if isinstance(host, str) and _is_address(host):
            yield refusals.invalid((*place, "host"), host, "a DNS name")
        paths = shapes.mapping(rule.get("http")).get("paths")
        for number, entry in shapes.entries(paths):
            path = entry.get("path") or ""
            where = (*place, "http", "paths", number, "path")
            typed = entry.get("pathType") in ("Exact", "Prefix")
            if not isinstance(path, str):
                continue
            if (typed or path) and not path.startswith("/"):
                yield refusals.invalid(where, path, "/…")
            elif typed and _is_odd(path):
                yield refusals.invalid(where, path, "no // and no dots as a part")


def _is_odd(path: str) -> bool:
    parts = path.split("/")
    return "//" in path or ".." in parts or "." in parts or "%2f" in path.lower()


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def network_policy(spec: Mapping[str, Any], pointer: refusals.Pointer) -> refusals.Refusals:
    """The spec of a NetworkPolicy."""
    for direction, peers in (("ingress", "from"), ("egress", "to")):
        for index, rule in shapes.entries(spec.get(direction)):
            place = (*pointer, direction, index)
            for number, port in shapes.entries(rule.get("ports")):
                yield from _range_of_ports(port, (*place, "ports", number))
            for number, peer in shapes.entries(rule.get(peers)):
                yield from _peer(peer, (*place, peers, number))


def _range_of_ports(port: Mapping[str, Any], pointer: refusals.Pointer) -> refusals.Refusals:
    first, last = port.get("port"), port.get("endPort")
    if last is None:
        return
    if first is None:
        yield refusals.missing(pointer, "port", "endPort")
    elif isinstance(first, str):
        yield refusals.beside((*pointer, "endPort"), f"port: {first}")
    elif isinstance(first, int) and isinstance(last, int) and last < first:
        yield refusals.invalid((*pointer, "endPort"), last, f"{first} or more")


def _peer(peer: Mapping[str, Any], pointer: refusals.Pointer) -> refusals.Refusals:
    block = peer.get("ipBlock")
    if not isinstance(block, dict):
        return
    for name in ("podSelector", "namespaceSelector"):
        if peer.get(name) is not None:
            yield refusals.beside((*pointer, name), "ipBlock")
    network = _network(block.get("cidr"))
    if network is None:
        yield refusals.invalid((*pointer, "ipBlock", "cidr"), block.get("cidr"), "10.0.0.0/8")
        return
    exceptions = block.get("except")
    for index, exception in enumerate(exceptions if isinstance(exceptions, list) else ()):
        inner = _network(exception)
        if inner is None or inner.version != network.version or not _is_inside(inner, network):
            place = (*pointer, "ipBlock", "except", index)
            yield refusals.invalid(place, exception, f"inside {block.get('cidr')}")


Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _network(text: Any) -> Network | None:
    try:
        # ipaddress would take an address for a network of one.
        return ipaddress.ip_network(str(text), strict=False) if "/" in str(text) else None
    except ValueError:
        return None


def _is_inside(inner: Network, outer: Network) -> bool:
    return inner.prefixlen > outer.prefixlen and inner.network_address in outer


def config_map(data: Mapping[str, Any], pointer: refusals.Pointer) -> refusals.Refusals:
    """A whole ConfigMap: a key is in one of its two maps."""
    for key in shapes.mapping(data.get("binaryData")):
        if key in shapes.mapping(data.get("data")):
            yield refusals.beside((*pointer, "binaryData", key), f"data.{key}")


def secret(data: Mapping[str, Any], pointer: refusals.Pointer) -> refusals.Refusals:
    """A whole Secret: its type asks for keys."""
    kind = str(data.get("type"))
    clear, encoded = shapes.mapping(data.get("stringData")), shapes.mapping(data.get("data"))
    for key in _REQUIRED_KEYS.get(kind, ()):
        if key not in clear and key not in encoded:
            yield refusals.missing((*pointer, "data"), key, f"type: {kind}")
    if kind == "kubernetes.io/basic-auth" and not {"username", "password"} & {*clear, *encoded}:
        yield refusals.missing((*pointer, "data"), "username", f"type: {kind}")
    for key in _REQUIRED_KEYS.get(kind, ()) if kind.startswith("kubernetes.io/docker") else ():
        field, text = ("stringData", clear.get(key)) if key in clear else ("data", None)
        if field == "data":
            text = _decoded(encoded.get(key))
        if isinstance(text, str) and not _is_json(text):
            # The value itself is a secret and is not repeated.
            yield refusals.invalid((*pointer, field, key), "…", "JSON")


def _decoded(value: Any) -> str | None:
    """A value of ``data`` in clear; None where it is no base64, which its schema says."""
    try:
        return base64.b64decode(value, validate=True).decode("utf-8", "replace")
    except (ValueError, TypeError):
        return None


def _is_json(text: str) -> bool:
    try:
        foreign_json.decode(text)
    except foreign_json.Fault:
        return False
    return True
