"""Names of what manifests outside of charts make: ConfigMaps, volume claims and Secrets that pods may read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from hanbae import libyaml
from hanbae.policy import documents
from hanbae.releases import objects
from hanbae.repository import trees

KINDS: Final = ("ConfigMap", "PersistentVolumeClaim")
"""What SEC020 looks for; KUB015 says it of accounts."""
_SECRET_NAMES: Final[tuple[objects.Pointer, ...]] = (
    ("metadata", "name"),
    ("spec", "template", "metadata", "name"),
    ("spec", "target", "name"),
)
"""Where a Secret, a SealedSecret and an ExternalSecret say how the Secret is called."""
_CHART: Final = "Chart.yaml"
_YAML: Final = (".yaml", ".yml")


def by_kind(tree: trees.Tree, others: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
    """Names of the objects that plain manifests and kustomizations make, in order, by one of :data:`KINDS`.

    Args:
        tree: The files.
        others: Those that belong to no service.
    """
    names: dict[str, set[str]] = {kind: set() for kind in KINDS}
    charts = [
        path.removesuffix(_CHART) for path in tree.files() if path.rpartition("/")[2] == _CHART
    ]
    for path in others:
        # Templates are no YAML until they are rendered.
        in_chart = any(path.startswith(f"{chart}templates/") for chart in charts)
        if not path.endswith(_YAML) or in_chart:
            continue
        for document in _documents(tree, path, (*KINDS, "configMapGenerator")):
            _add(names, document)
    return {kind: tuple(sorted(own)) for kind, own in names.items()}


def _add(names: dict[str, set[str]], document: object) -> None:
    """Take the names of a document of any shape, and of a list's objects; Kubernetes has no lists in lists."""
    if not isinstance(document, dict):
        return
    items = document.get("items") if document.get("kind") == "List" else None
    for item in (document, *(items if isinstance(items, list) else ())):
        if isinstance(item, dict):
            kind, metadata = str(item.get("kind")), item.get("metadata")
            if kind in names and isinstance(metadata, dict):
                names[kind].add(str(metadata.get("name")))
    generators = document.get("configMapGenerator")
    for generator in generators if isinstance(generators, list) else ():
        if isinstance(generator, dict):
            names["ConfigMap"].add(str(generator.get("name")))


def secrets(policy: documents.Policy, tree: trees.Tree) -> tuple[str, ...]:
    """Names of the Secrets that files beside the overlays make, in order.

    Args:
        policy: The policy, which names the overlays.
        tree: The files.
    """
    folders = {
        settings.overlay.partition("/")[0]
        for settings in policy.environments.values()
        if settings.overlay
    }
    names: set[str] = set()
    for path in [path for folder in folders for path in tree.files(folder)]:
        if path.endswith(_YAML):
            for document in _documents(tree, path, ("Secret",)):
                names |= _secret_names(document)
    return tuple(sorted(names))


def _secret_names(document: object) -> set[str]:
    if not isinstance(document, dict) or not str(document.get("kind")).endswith("Secret"):
        return set()
    manifest = objects.Object(document, "", 0, "")
    names = (manifest.get(*pointer) for pointer in _SECRET_NAMES)
    return {name for name in names if isinstance(name, str)}


def _documents(tree: trees.Tree, path: str, words: Iterable[str]) -> list[object]:
    """The documents of a file that has one of the words; parsing takes a hundred times as long as looking."""
    text = trees.text(tree, path) or ""
    if not any(word in text for word in words):
        return []
    try:
        return list(libyaml.load_all(text))
    except libyaml.Fault:
        return []  # INP009 or the build of the overlay reports it
