"""What a service promises to answer: the ``smoke`` of its chart's values, and the policy's endpoints."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from msgspec import Struct

from hanbae import errors, subjects
from hanbae.clusters import kinds
from hanbae.policy import documents, naming

# Each is a request through the API server, and its port a right in the deployer's Role.
MOST: Final = 50
"""Endpoints of one service."""


class Probe(Struct, frozen=True):
    """One request and what must come back.

    Attributes:
        service: The Service.
        port: Name or number of its port.
        path: The path.
        status: The status.
        contains: Text in the body; empty for any.
    """

    service: str
    port: str
    path: str
    status: int
    contains: str = ""

    def __str__(self) -> str:
        return f"{self.service}:{self.port}{self.path}"


def of(
    policy: documents.Policy,
    service: str,
    environment: str,
    values: Mapping[str, Any],
    *,
    file: str = "",
) -> tuple[Probe, ...]:
    """The endpoints of a service in an environment.

    Args:
        policy: The policy.
        service: The service.
        environment: The environment.
        values: The merged values of its chart.
        file: The values file, for faults.

    Raises:
        hanbae.errors.FileFault: ``smoke`` is not a list of endpoints, or there are more than :data:`MOST`.
    """
    release = naming.release(policy, service, environment)
    place = subjects.Place(file) if file else None
    try:
        smoke = msgspec.convert(values.get("smoke") or [], tuple[documents.Endpoint, ...])
    except msgspec.ValidationError as error:
        raise errors.FileFault("gate.not-endpoints", place=place, why=str(error)) from None
    declared = (*smoke, *policy.checklists.endpoints.get(service, ()))
    # One that is left out would count as asked.
    if len(declared) > MOST:
        facts = {"count": str(len(declared)), "limit": str(MOST)}
        raise errors.FileFault("gate.too-many-endpoints", place=place, **facts)
    return tuple(probe(endpoint, release) for endpoint in declared)


def of_items(policy: documents.Policy, service: str, environment: str) -> tuple[Probe, ...]:
    """The endpoints that items of the checklists name, for a service in an environment."""
    release = naming.release(policy, service, environment)
    lists = policy.checklists
    every = (*lists.before, *lists.during, *lists.after)
    return tuple(probe(item.endpoint, release) for item in every if item.endpoint is not None)


def probe(endpoint: documents.Endpoint, release: str) -> Probe:
    """An endpoint as it is asked for."""
    return Probe(
        endpoint.service or release,
        endpoint.port,
        endpoint.path,
        endpoint.status,
        endpoint.contains or "",
    )


def proxied(probes: Iterable[Probe]) -> tuple[str, ...]:
    """The ports of Services that the endpoints are behind, as the API server's proxy names them."""
    names = (kinds.proxied(probe.service, probe.port) for probe in probes)
    return tuple(dict.fromkeys(names))
