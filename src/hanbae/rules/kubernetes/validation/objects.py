"""Services, routes, scaling, configuration and rights (``pkg/apis/{core,networking,rbac,…}/validation``)."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any, Final

from hanbae import foreign_json
from hanbae.rules.kubernetes import shapes
from hanbae.rules.kubernetes.validation import pods, refusals

_REQUIRED_KEYS: Final = {
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
}
_METRICS: Final = {
    "Resource": "resource",
    "Pods": "pods",
    "Object": "object",
    "External": "external",
    "ContainerResource": "containerResource",
}


def service(spec: Mapping[str, Any], pointer: refusals.Pointer) -> refusals.Refusals:
    """The spec of a Service."""
    kind = spec.get("type") or "ClusterIP"
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
            typed = entry.get("pathType") in {"Exact", "Prefix"}
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
        return ipaddress.ip_network(str(text), strict=False) if "/" in str(text) else None
    except ValueError:
        return None


def _is_inside(inner: Network, outer: Network) -> bool:
    return inner.prefixlen > outer.prefixlen and inner.network_address in outer


def autoscaler(spec: Mapping[str, Any], pointer: refusals.Pointer) -> refusals.Refusals:
    """The spec of a HorizontalPodAutoscaler of ``autoscaling/v2``."""
    for index, metric in shapes.entries(spec.get("metrics")):
        place = (*pointer, "metrics", index)
        kind = str(metric.get("type"))
        own = _METRICS.get(kind)
        if own is None:
            yield refusals.invalid((*place, "type"), kind, ", ".join(_METRICS))
            continue
        if metric.get(own) is None:
            yield refusals.missing(place, own, f"type: {kind}")
        for name in _METRICS.values():
            if name != own and metric.get(name) is not None:
                yield refusals.beside((*place, name), f"type: {kind}")
        target = shapes.mapping(shapes.mapping(metric.get(own)).get("target"))
        if metric.get(own) is not None:
            yield from _target(target, (*place, own, "target"))


def _target(target: Mapping[str, Any], pointer: refusals.Pointer) -> refusals.Refusals:
    kind = target.get("type")
    names = {
        "Utilization": "averageUtilization",
        "AverageValue": "averageValue",
        "Value": "value",
    }
    if kind in names and target.get(names[kind]) is None and kind == "Utilization":
        yield refusals.missing(pointer, names[kind], f"type: {kind}")
    share = target.get("averageUtilization")
    if isinstance(share, int) and share < 1:
        yield refusals.invalid((*pointer, "averageUtilization"), share, "1 or more")
    yield from refusals.exclusive(target, pointer, "averageUtilization", "averageValue")


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
    text = clear.get(".dockerconfigjson")
    if kind == "kubernetes.io/dockerconfigjson" and isinstance(text, str) and not _is_json(text):
        # The value itself is a secret and is not repeated.
        yield refusals.invalid((*pointer, "stringData", ".dockerconfigjson"), "…", "JSON")


def _is_json(text: str) -> bool:
    try:
        foreign_json.decode(text)
    except foreign_json.Fault:
        return False
    return True


def claim(spec: Mapping[str, Any], pointer: refusals.Pointer) -> refusals.Refusals:
    """The spec of a PersistentVolumeClaim."""
    modes = spec.get("accessModes")
    if not modes:
        yield refusals.missing(pointer, "accessModes", "PersistentVolumeClaim")
    elif isinstance(modes, list) and "ReadWriteOncePod" in modes and len(modes) > 1:
        yield refusals.beside((*pointer, "accessModes"), "ReadWriteOncePod")
    requests = shapes.mapping(shapes.mapping(spec.get("resources")).get("requests"))
    if "storage" not in requests:
        place = (*pointer, "resources", "requests")
        yield refusals.missing(place, "storage", "PersistentVolumeClaim")


def binding(data: Mapping[str, Any], pointer: refusals.Pointer) -> refusals.Refusals:
    """A whole ClusterRoleBinding: it has no namespace that a subject could be in by default."""
    for index, subject in shapes.entries(data.get("subjects")):
        if subject.get("kind") == "ServiceAccount" and not subject.get("namespace"):
            place = (*pointer, "subjects", index)
            yield refusals.missing(place, "namespace", "kind: ServiceAccount")


def selector(data: Mapping[str, Any], pointer: refusals.Pointer) -> refusals.Refusals:
    """A label selector with expressions."""
    for index, expression in shapes.entries(data.get("matchExpressions")):
        yield from pods.requirement(expression, (*pointer, "matchExpressions", index))
