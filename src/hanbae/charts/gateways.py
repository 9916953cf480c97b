"""The objects by which services are reached from outside: a Gateway with its HTTPRoutes, or Ingresses.

A Gateway takes routes from the namespaces of its own environment alone, which the overlay labels; so nobody who may
write into another namespace of the cluster can take a name of this environment.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from hanbae.policy import documents, labels, naming

Object = dict[str, Any]

_GATEWAY_API: Final = "gateway.networking.k8s.io/v1"
_INGRESS_API: Final = "networking.k8s.io/v1"
_HTTP, _HTTPS = 80, 443


def objects(policy: documents.Policy, environment: str) -> list[Object]:
    """What belongs into the overlay of an environment; nothing where it has no domain."""
    gateways = policy.gateways
    if gateways is None or environment not in gateways.domains:
        return []
    if environment in gateways.ingress:
        return list(_ingresses(policy, gateways, environment))
    return [_gateway(policy, gateways, environment), *_routes(policy, gateways, environment)]


def _gateway(policy: documents.Policy, gateways: documents.Gateways, environment: str) -> Object:
    own = {"matchLabels": {labels.ENVIRONMENT: environment}}
    listener: Object = {
        "name": "http",
        "protocol": "HTTP",
        "port": _HTTP,
        "allowedRoutes": {"namespaces": {"from": "Selector", "selector": own}},
    }
    if gateways.tls is not None:
        certificate = {"kind": "Secret", "name": gateways.tls}
        tls = {"mode": "Terminate", "certificateRefs": [certificate]}
        # The one listener becomes an HTTPS listener; no plain HTTP is left beside it.
        listener |= {"name": "https", "protocol": "HTTPS", "port": _HTTPS, "tls": tls}
    return {
        "apiVersion": _GATEWAY_API,
        "kind": "Gateway",
        "metadata": {
            "name": gateways.name,
            "namespace": naming.suffixed(policy, gateways.namespace, environment),
        },
        "spec": {"gatewayClassName": gateways.gateway_class, "listeners": [listener]},
    }


def _routes(
    policy: documents.Policy, gateways: documents.Gateways, environment: str
) -> Iterator[Object]:
    gateway = {
        "name": gateways.name,
        "namespace": naming.suffixed(policy, gateways.namespace, environment),
    }
    for service, route in gateways.routes.items():
        backend = {"name": _backend(policy, service, environment, route), "port": route.port}
        match = {"path": {"type": "PathPrefix", "value": route.path}}
        yield {
            "apiVersion": _GATEWAY_API,
            "kind": "HTTPRoute",
            "metadata": _metadata(policy, service, environment),
            "spec": {
                "parentRefs": [gateway],
                "hostnames": [host(gateways, service, environment)],
                "rules": [{"matches": [match], "backendRefs": [backend]}],
            },
        }


def _ingresses(
    policy: documents.Policy, gateways: documents.Gateways, environment: str
) -> Iterator[Object]:
    for service, route in gateways.routes.items():
        name = host(gateways, service, environment)
        backend = {
            "service": {
                "name": _backend(policy, service, environment, route),
                "port": {"number": route.port},
            }
        }
        path = {"path": route.path, "pathType": "Prefix", "backend": backend}
        tls = [{"hosts": [name], "secretName": gateways.tls}] if gateways.tls is not None else []
        yield {
            "apiVersion": _INGRESS_API,
            "kind": "Ingress",
            "metadata": _metadata(policy, service, environment),
            "spec": {
                "ingressClassName": gateways.ingress[environment],
                **({"tls": tls} if tls else {}),
                "rules": [{"host": name, "http": {"paths": [path]}}],
            },
        }


def host(gateways: documents.Gateways, service: str, environment: str) -> str:
    """The name by which a service is reached in an environment."""
    domain, route = gateways.domains[environment], gateways.routes[service]
    return domain if route.host == "@" else f"{route.host or service}.{domain}"


def _backend(
    policy: documents.Policy, service: str, environment: str, route: documents.Route
) -> str:
    return route.service or naming.release(policy, service, environment)


def _metadata(policy: documents.Policy, service: str, environment: str) -> Object:
    return {
        "name": naming.release(policy, service, environment),
        "namespace": naming.namespace(policy, service, environment),
    }
