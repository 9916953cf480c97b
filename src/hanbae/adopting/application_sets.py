"""What an ApplicationSet makes, as far as the repository that is surveyed decides it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hanbae.adopting import surveyed_applications
from hanbae.argo import application_sets
from hanbae.repository import trees


def expanded(
    document: Mapping[str, Any], tree: trees.Tree
) -> list[surveyed_applications.Application]:
    """The Applications of a set; none of which something outside of the repository decides the name or the folder.

    Args:
        document: The ApplicationSet.
        tree: The files of the repository, for generators that look at folders and files.
    """
    spec, home = document.get("spec"), document.get("metadata")
    if not isinstance(spec, dict) or not isinstance(spec.get("template"), dict):
        return []
    namespace = home.get("namespace") if isinstance(home, dict) else None
    # A set that forgot to say goTemplate makes nothing of use in Argo CD; `check` says it, and what is meant is clear.
    for settings in (spec, {**spec, "goTemplate": True}):
        results = list(_applications(settings, tree, namespace))
        if results:
            return results
    return []


def _applications(
    spec: Mapping[str, Any], tree: trees.Tree, namespace: Any
) -> Iterator[surveyed_applications.Application]:
    # The URL of a fork or a mirror says little: whatever a generator reads is looked for here.
    for expansion in application_sets.expand(spec, tree, lambda _: True):
        filled = _decided(expansion.document)
        metadata = filled.get("metadata")
        own = metadata if isinstance(metadata, dict) else {}
        manifest = {**filled, "metadata": {"namespace": namespace, **own}}
        application = surveyed_applications.from_manifest(manifest)
        if application.name:
            yield application


def _decided(node: Any) -> Any:
    """A document without the texts that no generator here gives."""
    if isinstance(node, dict):
        return {key: _decided(value) for key, value in node.items() if not _is_open(value)}
    if isinstance(node, list):
        return [_decided(item) for item in node if not _is_open(item)]
    return node


def _is_open(value: Any) -> bool:
    return isinstance(value, str) and "{{" in value
