"""How services are reached from outside of a cluster: what ``hanbae.yaml`` says of Gateways and their routes."""

from __future__ import annotations

from msgspec import field

from hanbae.policy.bases import Document, Name
from hanbae.policy.forms import Domain, Port, UrlPath


class Route(Document, frozen=True):
    """How one service is reached.

    Attributes:
        host: The name before the environment's domain; default that of the service. ``@`` is the domain itself.
        path: The path below which requests go to the service; default all.
        port: Number of the Service's port; default 80.
        service: The Service; default the one that is called as the release is.
    """

    host: str | None = None
    path: UrlPath = "/"
    port: Port = 80
    service: Name | None = None


class Gateways(Document, frozen=True):
    """One Gateway for each environment that has a domain, and a route for each service that is listed.

    Attributes:
        name: Name of the Gateways; default ``public``.
        namespace: The namespace that they are in, as `namespaces` names it; default ``gateway``.
        gateway_class: Their GatewayClass; default ``cilium``.
        domains: Environment → the domain below which its services are.
        tls: The Secret with the certificate, in the namespace of the Gateways (of an Ingress: of the service); without
            one they speak plain HTTP.
        ingress: Environments whose clusters serve no Gateway API → the IngressClass with which they get an Ingress for
            each service instead.
        routes: The services that are reached from outside.
    """

    name: Name = "public"
    namespace: Name = "gateway"
    gateway_class: Name = "cilium"
    domains: dict[Name, Domain] = field(default_factory=dict)
    tls: Name | None = None
    ingress: dict[Name, Name] = field(default_factory=dict)
    routes: dict[Name, Route] = field(default_factory=dict)
