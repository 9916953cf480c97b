"""The Kubernetes world: the only package that speaks to API servers, and the only one that knows how they fail."""

from __future__ import annotations
