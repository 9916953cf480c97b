"""CustomResourceDefinitions in the files of a repository: the kinds that it brings along."""

from __future__ import annotations

from collections.abc import Iterator

from hanbae import errors, libyaml
from hanbae.apis import crds
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
