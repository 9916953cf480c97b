"""Argo CD's own objects among the files of a repository, with the place of everything in them.

They are looked for everywhere but in charts, whose objects are rendered and looked at there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from msgspec import Struct

from hanbae import errors, libyaml, patterns, subjects
from hanbae.argo import source_files
from hanbae.policy import documents, environments, labels, service_paths
from hanbae.repository import trees
from hanbae.rules import valuesfiles

Kind = Literal["Application", "ApplicationSet", "AppProject"]
Keys = tuple[str | int, ...]

_KINDS: Final = frozenset({"Application", "ApplicationSet", "AppProject"})
# Also as JSON writes it. Only a file that has it is parsed, which takes far longer.
_MARK: Final = patterns.lazy(rb"\bkind['\"]?: *['\"]?App(?:lication(?:Set)?|Project)\b")
_DEFINITION: Final = patterns.lazy(rb"^kind['\"]?: *['\"]?CustomResourceDefinition\b", re.MULTILINE)
_KUSTOMIZATIONS: Final = frozenset({"kustomization.yaml", "kustomization.yml"})


class Declared(Struct, frozen=True):
    """One object.

    Attributes:
        data: The object.
        places: Where everything in it stands.
    """

    data: Mapping[str, Any]
    places: valuesfiles.ValuesFile

    @property
    def kind(self) -> str:
        """``Application``, ``ApplicationSet`` or ``AppProject``."""
        return str(self.data.get("kind"))

    @property
    def name(self) -> str:
        """``metadata.name``; empty where there is none."""
        return str(self.get("metadata", "name") or "")

    @property
    def label(self) -> str:
        """How it is called in messages."""
        return f"{self.kind}/{self.name}"

    def get(self, *keys: str | int) -> Any:
        """A part of it; None where something on the way is missing or of another shape."""
        node: Any = self.data
        for key in keys:
            in_list = isinstance(node, list) and isinstance(key, int) and 0 <= key < len(node)
            if not in_list and not (isinstance(node, dict) and key in node):
                return None
            node = node[key]
        return node

    def place(self, *keys: str | int) -> subjects.Place:
        """Where a part of it stands; of a missing one, the nearest part around it."""
        return self.places.place(keys)

    def environment(self, policy: documents.Policy) -> str:
        """The environment that it belongs to: by its label, its folder, or its name; empty for none that is known."""
        own = environments.on_kubernetes(policy)
        for metadata in (("metadata",), ("spec", "template", "metadata")):
            labelled = self.get(*metadata, "labels", labels.ENVIRONMENT)
            if isinstance(labelled, str) and labelled in own:
                return labelled
        folders = [part for part in self.places.file.split("/")[:-1] if part in own]
        # A name may end with those of two environments: `auth-pre-dev` with `dev` and `pre-dev`.
        # Then the longer one is meant.
        ends = [name for name in own if self.name.endswith(f"-{name}")]
        return folders[-1] if folders else max(ends, key=len, default="")


class Broken(Struct, frozen=True):
    """A file that is no YAML although it has to be.

    Attributes:
        place: Where it breaks.
        kind: What is in it: ``Application``, ``kustomization`` and the like.
    """

    place: subjects.Place
    kind: str


def read(tree: trees.Tree, policy: documents.Policy) -> Iterator[Declared]:
    """Every Application, ApplicationSet and AppProject in the YAML files outside of charts."""
    for path, data in _outside_of_charts(tree, policy):
        if b"argoproj.io/" in data and _MARK.search(data):
            for document, places in valuesfiles.documents(data, path):
                if _is_argo_cds(document):
                    yield Declared(document, places)


def broken(tree: trees.Tree, policy: documents.Policy) -> Iterator[Broken]:
    """Files with Argo CD's objects, definitions of kinds or kustomizations that cannot be read to their end."""
    for path, data in _outside_of_charts(tree, policy):
        kind = _kind(path, data)
        if not kind:
            continue
        try:
            for _ in libyaml.compose_all(data):
                pass
        except libyaml.Fault as fault:
            yield Broken(subjects.Place(path, fault.line, fault.column), kind)


def _kind(path: str, data: bytes) -> str:
    if path.rpartition("/")[2] in _KUSTOMIZATIONS:
        return "kustomization"
    if path.rpartition("/")[2].startswith(source_files.PREFIX):
        return "source"
    mark = _MARK.search(data) if b"argoproj.io/" in data else None
    if mark is not None:
        return mark[0].rpartition(b":")[2].decode().strip(" '\"")
    return "CustomResourceDefinition" if _DEFINITION.search(data) else ""


def _outside_of_charts(tree: trees.Tree, policy: documents.Policy) -> Iterator[tuple[str, bytes]]:
    charts = service_paths.chart_globs(policy.services)
    for path in tree.files():
        if not path.endswith((".yaml", ".yml")):
            continue
        inside = "/templates/" in f"/{path}" or any(glob.may_hold(path) for glob in charts)
        # Argo CD reads these files beside a chart, and Helm renders none of them.
        if inside and not path.rpartition("/")[2].startswith(source_files.PREFIX):
            continue
        try:
            data = tree.read(path)
        except errors.FileFault:
            continue  # what cannot be read is told elsewhere
        if data:
            yield path, data


def _is_argo_cds(document: Any) -> bool:
    return (
        isinstance(document, dict)
        and str(document.get("apiVersion")).startswith("argoproj.io/")
        and document.get("kind") in _KINDS
    )
