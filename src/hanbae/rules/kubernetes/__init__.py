"""What the API server of the target version would say, and what a cluster's operators would.

KUB001 to KUB007 are what the API server refuses or warns of by itself; the rest is accepted and hurts later.
"""

from hanbae.rules.kubernetes import (
    configuration,
    containers,
    exported,
    kinds,
    metadata,
    networking,
    probes,
    releases,
    scaling,
    security,
    selectors,
    slips,
    tokens,
    validation,
    workloads,
)

__all__ = [
    "configuration",
    "containers",
    "exported",
    "kinds",
    "metadata",
    "networking",
    "probes",
    "releases",
    "scaling",
    "security",
    "selectors",
    "slips",
    "tokens",
    "validation",
    "workloads",
]
