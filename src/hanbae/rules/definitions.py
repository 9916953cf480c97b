"""CustomResourceDefinitions in the files of a repository: the kinds that it defines itself, and their schemas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from hanbae import errors, libyaml, patterns
from hanbae.apis import crds, schemas
from hanbae.repository import trees

WORD: Final = b"CustomResourceDefinition"
"""What every file that has to do with a definition has in it."""

_SCHEMA: Final = patterns.lazy(rb"( *(?:- +)?)schema: *\r?\n")
_ROOT: Final = patterns.lazy(rb" +openAPIV3Schema: *\r?\n")


def in_files(tree: trees.Tree, *, schemas: bool = True) -> Mapping[str, tuple[crds.Kind, ...]]:
    """Path → the kinds that it defines, of the files below k8s/ or in a crds/ that define any.

    Args:
        tree: The files.
        schemas: Whether schemas are asked for. Reading those of vendored definitions takes seconds; without them, a
            kind may be said to take anything.
    """
    candidates = (path for path in tree.files() if _may_define(path))
    defined = {path: tuple(_of_file(tree, path, schemas=schemas)) for path in candidates}
    return {path: kinds for path, kinds in defined.items() if kinds}


def _may_define(path: str) -> bool:
    # Asked of every file: nothing is taken apart for it.
    is_there = path.startswith(("k8s/", "crds/")) or "/crds/" in path
    return is_there and path.endswith((".yaml", ".yml"))


def _of_file(tree: trees.Tree, path: str, *, schemas: bool) -> Iterator[crds.Kind]:
    """The kinds that a file defines; none of a file that cannot be read."""
    try:
        data = tree.read(path) or b""
        if WORD not in data:
            return
        for document in libyaml.load_all(data if schemas else _without_schemas(data)):
            if isinstance(document, dict) and document.get("kind") == "CustomResourceDefinition":
                yield from crds.kinds(document)
    except (errors.FileFault, RecursionError, ValueError):
        return


def _without_schemas(data: bytes) -> bytes:
    """A file without the schemas that are written in blocks, as generators write them: nearly all of its lines."""
    lines: list[bytes] = []
    previous, depth = b"", 0
    for line in data.splitlines(keepends=True):
        # What belongs to a key is further to the right, comments apart.
        if depth and (line[:depth].isspace() or line.lstrip().startswith(b"#") or not line.strip()):
            continue
        head = _SCHEMA.fullmatch(previous)
        depth = len(head[1]) + 1 if head and _ROOT.fullmatch(line) else 0
        if not (depth and line[:depth].isspace()):
            depth = 0
            lines.append(line)
        previous = line
    return b"".join(lines)


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
