"""CustomResourceDefinitions in the files of a repository: the kinds that it defines itself, and their schemas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final
from weakref import WeakKeyDictionary

from hanbae import errors, libyaml
from hanbae.apis import crds, schemas
from hanbae.repository import trees

WORD: Final = b"CustomResourceDefinition"
"""What every file that has to do with a definition has in it."""

_DEFINED: Final[WeakKeyDictionary[trees.Tree, Mapping[str, tuple[crds.Kind, ...]]]] = (
    WeakKeyDictionary()
)
"""By the tree that was read: a definition may have megabytes, and two ask for them."""


def in_files(tree: trees.Tree) -> Mapping[str, tuple[crds.Kind, ...]]:
    """Path → the kinds that it defines, of the files below k8s/ or in a crds/ that define any."""
    if tree not in _DEFINED:
        candidates = (path for path in tree.files() if _may_define(path))
        defined = {path: tuple(_of_file(tree, path)) for path in candidates}
        _DEFINED[tree] = {path: kinds for path, kinds in defined.items() if kinds}
    return _DEFINED[tree]


def _may_define(path: str) -> bool:
    # Asked of every file: nothing is taken apart for it.
    is_there = path.startswith(("k8s/", "crds/")) or "/crds/" in path
    return is_there and path.endswith((".yaml", ".yml"))


def _of_file(tree: trees.Tree, path: str) -> Iterator[crds.Kind]:
    """The kinds that a file defines; none of a file that cannot be read."""
    try:
        data = tree.read(path) or b""
        if WORD not in data:
            return
        for document in libyaml.load_all(data):
            if isinstance(document, dict) and document.get("kind") == "CustomResourceDefinition":
                yield from crds.kinds(document)
    except (errors.FileFault, RecursionError, ValueError):
        return


class Schemas:
    """Schemas of kinds that CustomResourceDefinitions define, each compiled for the first rule that asks."""

    def __init__(self) -> None:
        # The kind is kept beside its schema: its id() is only its own as long as it lives.
        self._compiled: dict[tuple[int, str], tuple[crds.Kind, schemas.Schema | None]] = {}

    def of(self, kind: crds.Kind, version: str) -> schemas.Schema | None:
        """The schema of a kind.

        Args:
            kind: The kind.
            version: Kubernetes' version, such as ``1.35``.
        """
        key = (id(kind), version)
        if key not in self._compiled:
            self._compiled[key] = (kind, schemas.added(kind, version))
        return self._compiled[key][1]
