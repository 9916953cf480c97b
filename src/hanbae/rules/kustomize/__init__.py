"""Overlays build offline, with the policy's namespaces and nothing from elsewhere."""

from hanbae.rules.kustomize import checks, laid

__all__ = ["checks", "laid"]
