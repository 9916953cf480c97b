"""What the other environments are called in values: the names of their namespaces, and their labels in hosts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from hanbae.policy import documents, environments, naming

_ALIASES: Final = (
    frozenset({"dev", "develop", "development"}),
    frozenset({"staging", "stage", "stg"}),
    frozenset({"production", "prod", "live"}),
)


class Neighbours(Struct, frozen=True):
    """The words by which one environment knows the others.

    Attributes:
        namespaces: Namespace → environment.
        labels: Label of a host, such as ``stg`` → environment.
        order: Word → which of several in one value counts, the lowest number first: namespaces, then labels, in the
            order of the policy.
    """

    namespaces: Mapping[str, str]
    labels: Mapping[str, str]
    order: Mapping[str, int]


def of(policy: documents.Policy, environment: str) -> Neighbours:
    """The neighbours of an environment."""
    namespaces = _namespaces(policy, environment)
    labels = _labels(policy, environment)
    words = dict.fromkeys((*namespaces, *labels))
    return Neighbours(namespaces, labels, {word: index for index, word in enumerate(words)})


def _namespaces(policy: documents.Policy, environment: str) -> dict[str, str]:
    """The namespaces of the other environments that are not this one's as well."""
    own = naming.namespaces(policy, environment)
    # Where nothing in the names tells environments apart, each has a cluster of its own, and its
    # namespaces may be called as anybody's are.
    named = "{environment}" in policy.services.namespace
    return {
        name: other
        for other in environments.on_kubernetes(policy)
        if other != environment and (policy.environments[other].namespace_suffix or named)
        for name in sorted(naming.namespaces(policy, other) - own)
    }


def _labels(policy: documents.Policy, environment: str) -> dict[str, str]:
    """How the other environments are called in hosts: by their names, and by the usual short forms of these."""
    own = _called(environment)
    return {
        word: other
        for other in environments.on_kubernetes(policy)
        if other != environment
        for word in sorted(_called(other) - own)
    }


def _called(environment: str) -> frozenset[str]:
    aliases = next((names for names in _ALIASES if environment in names), frozenset())
    return aliases | {environment}
