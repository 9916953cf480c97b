"""What is refused before a chart is rendered, because no limit on a process would stop it.

References in ``values.schema.json`` make Helm read files or open connections; packed charts hold schemas as well, and
charts lie packed in each other.
Symlinks need no refusal here: a chart reaches the worker as a mapping of names to contents, and whoever makes that
mapping follows no link out of the repository.
"""

from __future__ import annotations

import io
import json
import re
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from typing import IO, Final

from hanbae import errors, subjects

_LARGEST: Final = 64 * 1024 * 1024
_SCHEMA: Final = "values.schema.json"
_REFERENCES: Final = ("$ref", "$dynamicRef", "$recursiveRef", "$schema")
# The schemas that Helm has built in, ``schema`` being the newest; it loads any other from where its name points.
_META: Final = "core|applicator|validation|meta-data|content"
_BUILT_IN: Final = re.compile(
    r"https?://json-schema\.org/(?:schema|draft-0[467]/schema"
    rf"|draft/2019-09/(?:schema|meta/(?:{_META}|format))"
    rf"|draft/2020-12/(?:schema|meta/(?:{_META}|unevaluated|format-annotation|format-assertion)))"
    r"(?:#.*)?"
)
_DEEPEST: Final = 8
"""Charts packed in one another; an archive can be made that holds itself."""


def refuse(files: Mapping[str, bytes], *, shown: str) -> None:
    """Refuse a chart that may not be rendered.

    Args:
        files: The chart's files, by path in the chart's folder.
        shown: The chart folder as the user knows it, for faults.

    Raises:
        hanbae.errors.FileFault: A schema refers to something outside itself, or a packed chart cannot be read.
    """
    for path, content in files.items():
        name = path.rpartition("/")[2]
        if name == _SCHEMA:
            _refuse_schema(shown, path, content)
        elif name.endswith(".tgz"):
            for inner, schema in _archived(shown, path, io.BytesIO(content)):
                _refuse_schema(shown, inner, schema)


def _archived(
    shown: str, archive: str, content: IO[bytes], *, depth: int = 0
) -> Iterator[tuple[str, bytes]]:
    """The schemas in a packed chart, found as Helm finds them.

    To Helm a backslash separates as well, members of unknown types are files, and charts lie packed in each other.
    """
    if depth > _DEEPEST:
        raise _fault(shown, "render.bad-archive", path=archive)
    try:
        with tarfile.open(fileobj=content, mode="r:gz") as tar:
            for member in tar:
                name = re.split(r"[/\\]", member.name)[-1]
                if name != _SCHEMA and not name.endswith(".tgz"):
                    continue
                file = tar.extractfile(member)
                if file is None:
                    continue
                if name == _SCHEMA:
                    yield f"{archive}:{member.name}", file.read(_LARGEST)
                else:
                    inner = io.BytesIO(file.read(_LARGEST))
                    yield from _archived(shown, f"{archive}:{member.name}", inner, depth=depth + 1)
    except (tarfile.TarError, OSError, EOFError, KeyError, zlib.error) as error:
        raise _fault(shown, "render.bad-archive", path=archive) from error


def _refuse_schema(shown: str, path: str, content: bytes) -> None:
    try:
        schema = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _fault(shown, "render.bad-schema", path=path, error=str(error)) from error
    reference = next((ref for ref in _references(schema) if not _is_harmless(ref)), None)
    if reference is not None:
        raise _fault(shown, "render.schema-refers-outside", path=path, reference=reference)


def _is_harmless(reference: str) -> bool:
    return reference.startswith("#") or _BUILT_IN.fullmatch(reference) is not None


def _references(schema: object) -> Iterator[str]:
    waiting = [schema]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield from (str(node[key]) for key in _REFERENCES if isinstance(node.get(key), str))
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node


def _fault(shown: str, said: str, /, *, path: str, **facts: str) -> errors.FileFault:
    place = subjects.Place(f"{shown}/{path.partition(':')[0]}")
    return errors.FileFault(said, place=place, path=path, **facts)
