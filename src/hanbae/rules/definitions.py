"""CustomResourceDefinitions in the files of a repository: the kinds that it defines itself, and their schemas."""

from __future__ import annotations

from collections.abc import Iterator

from hanbae import errors, libyaml
from hanbae.apis import crds, schemas
from hanbae.repository import trees


def of_file(tree: trees.Tree, path: str) -> Iterator[crds.Kind]:
    """The kinds that a file defines; none of a file that cannot be read."""
    try:
        data = tree.read(path) or b""
        if b"CustomResourceDefinition" not in data:
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
