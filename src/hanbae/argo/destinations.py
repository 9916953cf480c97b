"""Clusters that Argo CD deploys into: which one it says that it does not know."""

from __future__ import annotations

from typing import Final

from hanbae import patterns

# By name, as hanbae writes destinations, or by the URL of an API server, as others do.
_UNREGISTERED: Final = (
    patterns.lazy(r"there are no clusters with this name: ([\w.@:/+-]{1,253})"),
    patterns.lazy(r'cluster \\?"(https?://[\w.:/\[\]-]{1,253})\\?" not found'),
)


def unregistered(message: str) -> str:
    """The cluster that Argo CD does not know, by a message of its own; empty where it says something else.

    Args:
        message: Of a condition of an Application or an ApplicationSet.
    """
    for pattern in _UNREGISTERED:
        if match := pattern.search(message):
            return match[1]
    return ""


def registering(cluster: str) -> tuple[str, ...]:
    """The command that makes Argo CD know a cluster, or where only its URL is known, shows those that it knows.

    Args:
        cluster: As :func:`unregistered` tells it.
    """
    if "://" in cluster:
        return ("argocd", "cluster", "list")
    return ("argocd", "cluster", "add", cluster, "--name", cluster)
