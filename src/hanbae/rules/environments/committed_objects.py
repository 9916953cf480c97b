"""Objects in generated files as they are committed, to be compared with what would be generated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from hanbae import subjects
from hanbae.rules import valuesfiles, views

_LARGEST: Final = 1024 * 1024
KUSTOMIZATION: Final = "kustomization.yaml"
"""The file that says what of a folder ``kubectl apply -k`` applies."""
_RESOURCES: Final = "resources"
_HEADER: Final = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
# Characters at the beginning of a generated file, where it says which command has written it.
_HEAD: Final = 400

Key = tuple[str, str, str]
"""Kind, namespace and name."""

Document = tuple[dict[str, Any], valuesfiles.ValuesFile]
"""An object, and where everything in it stands."""


def documents(project: views.Project, path: str) -> list[Document]:
    """The objects of a file; none where it is too large to be one that was generated."""
    text = project.text(path)
    if text is None or len(text) > _LARGEST:
        return []
    return [
        (manifest, places)
        for manifest, places in valuesfiles.documents(text.encode(), path)
        if isinstance(manifest, dict)
    ]


def generated(project: views.Project, folder: str, command: str) -> frozenset[str]:
    """The files below a folder whose first lines say that a command of hanbae's wrote them."""
    return frozenset(
        path
        for path in project.tree.files(folder)
        if path.endswith((".yaml", ".yml")) and command in (project.text(path) or "")[:_HEAD]
    )


class Deviation(Struct, frozen=True):
    """What a kustomization over generated files says otherwise than the generated one.

    Attributes:
        place: Where.
        field: The key.
        expected: What the generated one has there; empty for nothing.
        present: What is there; empty for nothing.
    """

    place: subjects.Place
    field: str
    expected: str = ""
    present: str = ""

    @property
    def shown(self) -> str:
        """The key; of a list of files with the one that is meant."""
        entry = self.expected or self.present
        return f"{self.field}: {entry}"[:200] if self.field == _RESOURCES else self.field[:100]

    @property
    def is_extra(self) -> bool:
        """Whether it only names a file, or a folder, that is applied besides the generated ones."""
        return self.field == _RESOURCES and not self.expected


def kustomization(project: views.Project, folder: str, names: Sequence[str]) -> Iterator[Deviation]:
    """Why ``kubectl apply -k`` would leave files out, change what is in them, or apply something besides.

    Args:
        project: The repository.
        folder: The folder, which has a kustomization.
        names: The names of the files that were generated beside it.
    """
    path = f"{folder}/{KUSTOMIZATION}"
    contents = documents(project, path)
    merges = _merges(project, path)
    # Kustomize may read what is not read here, and what is merged it reads in an order of its own.
    if len(contents) != 1 or merges is not None:
        yield Deviation(merges or subjects.Place(path), _RESOURCES, ", ".join(names), "-")
        return
    ((manifest, places),) = contents
    listed = manifest.get(_RESOURCES)
    # `./identity.yaml` is the same file. `x/../identity.yaml` need not be: x may be a link.
    entries = [
        entry.removeprefix("./") if isinstance(entry, str) else entry
        for entry in (listed if isinstance(listed, list) else [])
    ]
    for name in names:
        if name not in entries:
            yield Deviation(places.place((_RESOURCES,)), _RESOURCES, name)
    for index, entry in enumerate(entries):
        if entry not in names:
            place = places.place((_RESOURCES, index))
            yield Deviation(place, _RESOURCES, "", str(entry)[:200] or "-")
    for key, value in manifest.items():
        if key != _RESOURCES and value != _HEADER.get(key):
            place = places.place((key,))
            yield Deviation(place, str(key), _HEADER.get(key, ""), str(value)[:200])


def _merges(project: views.Project, path: str) -> subjects.Place | None:
    """Where a file has a ``<<``, by which one mapping is put into another."""
    places = valuesfiles.parse((project.text(path) or "")[:_LARGEST].encode(), path)
    return next((places.place(keys) for keys in places.places if keys[-1] == "<<"), None)


def difference(expected: Any, actual: Any, pointer: views.Pointer = ()) -> views.Pointer | None:
    """The first part in which two objects differ; None where they are the same."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key in (*expected, *(key for key in actual if key not in expected)):
            if key not in expected or key not in actual:
                return (*pointer, key)
            deeper = difference(expected[key], actual[key], (*pointer, key))
            if deeper is not None:
                return deeper
        return None
    if isinstance(expected, list | tuple) and isinstance(actual, list):
        for index, (ours, theirs) in enumerate(zip(expected, actual, strict=False)):
            deeper = difference(ours, theirs, (*pointer, index))
            if deeper is not None:
                return deeper
        return None if len(expected) == len(actual) else pointer
    return None if expected == actual else pointer


def key(manifest: Mapping[str, Any]) -> Key:
    """By what an object is the same one in two files."""
    metadata = manifest.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    return (
        str(manifest.get("kind")),
        str(metadata.get("namespace") or ""),
        str(metadata.get("name")),
    )


def label(manifest: Mapping[str, Any]) -> str:
    """How an object is called in findings."""
    kind, _, name = key(manifest)
    return f"{kind}/{name}"[:200]
