"""What Argo CD does with a chart and with its own objects: hooks, waves, deadlocks, and what its project refuses."""

from __future__ import annotations

from hanbae.rules.argo import (
    admission,
    applications,
    deleting,
    helm_hooks,
    jobs,
    naming,
    ordering,
    overriding,
    projects,
    sets,
    sources,
    spelling,
    templates,
)

__all__ = [
    "admission",
    "applications",
    "deleting",
    "helm_hooks",
    "jobs",
    "naming",
    "ordering",
    "overriding",
    "projects",
    "sets",
    "sources",
    "spelling",
    "templates",
]
