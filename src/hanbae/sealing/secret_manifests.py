"""Reads plaintexts from a Secret as Kubernetes has it, and from what ``sops -d`` prints.

No error holds any part of a value; a key is named only where it is one.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any, Final

from msgspec import Struct

from hanbae import errors, foreign_json, libyaml, masking, subjects, yaml_scalars
from hanbae.sealing import ciphertexts, envfiles, manifest_lines, plaintexts

DOCKER: Final = "kubernetes.io/dockerconfigjson"
"""The type of a Secret with a registry's login."""
_LOGIN: Final = ".dockerconfigjson"
_OPAQUE: Final = "Opaque"
_FIELDS: Final = ("data", "stringData")
"""Where a Secret has its values; the last one wins."""
_TEXT: Final = "tag:yaml.org,2002:str"
_WRITTEN: Final = frozenset(
    f"tag:yaml.org,2002:{name}" for name in ("bool", "float", "int", "str", "timestamp")
)
"""Tags of scalars whose value is what is written; what ``!!binary`` means are other bytes."""


class Secret(Struct, frozen=True):
    """A Secret in plain text.

    Attributes:
        name: Its name; empty where it has none.
        namespace: Its namespace; empty where it has none.
        type: Its type.
        values: Key → value, of ``data`` and of ``stringData``, which wins.
    """

    name: str
    namespace: str
    type: str
    values: Mapping[str, masking.Masked]


def parse(data: bytes, file: str, *, places: dict[str, subjects.Place] | None = None) -> Secret:
    """The one Secret of a manifest.

    Args:
        data: The manifest, YAML or JSON.
        file: What places call it.
        places: Takes the line of each key.

    Raises:
        errors.FileFault: It is not one Secret, or one that Kubernetes would refuse.
    """
    document = _document(data, file)
    if not isinstance(document, dict) or document.get("kind") != "Secret":
        raise errors.FileFault("seal.not-a-secret", place=subjects.Place(file))
    if places is not None:
        for field in _FIELDS:
            numbers = manifest_lines.lines(data, field)
            places.update((key, subjects.Place(file, line)) for key, line in numbers.items())
    return of_object(document, file, data)


def of_object(content: Mapping[str, Any], file: str, data: bytes = b"") -> Secret:
    """A Secret as an API server has it.

    Args:
        content: The Secret.
        file: What places call it.
        data: The file that it is from, for the lines of its keys; nothing where it is from none.

    Raises:
        errors.FileFault: It is one that Kubernetes would refuse.
    """
    metadata = foreign_json.below(content, "metadata")
    values = dict(_decoded(content, file, data))
    kind = str(content.get("type") or _OPAQUE)
    if kind == DOCKER and not _is_login(values.get(_LOGIN)):
        raise errors.FileFault("seal.no-login", place=subjects.Place(file))
    return Secret(
        str(metadata.get("name") or ""), str(metadata.get("namespace") or ""), kind, values
    )


def of_sops(data: bytes, file: str) -> Mapping[str, masking.Masked]:
    """The values that ``sops -d`` prints: a Secret, a flat YAML or JSON mapping, or ``KEY=value`` lines.

    Args:
        data: What it prints.
        file: What places call it.

    Raises:
        errors.FileFault: It is none of these, or still encrypted.
    """
    encrypted = data.find(plaintexts.SOPS)
    if encrypted >= 0:
        place = subjects.Place(file, data.count(b"\n", 0, encrypted) + 1)
        raise errors.FileFault("seal.still-sops", place=place)
    try:
        root = libyaml.compose(data, tags="core")
    except libyaml.Fault:
        root = None
    if root is None or root.id != "mapping":
        return envfiles.literal(data, file)
    kinds = [
        value.value for key, value in root.value if key.value == "kind" and value.id == "scalar"
    ]
    if "Secret" in kinds:
        return parse(data, file).values
    return dict(_flat(root, file))


def _flat(root: Any, file: str) -> Iterator[tuple[str, masking.Masked]]:
    """Scalars as they are written: ``0123`` and ``yes`` are text, whatever YAML would make of them."""
    keys = set()
    for key, value in root.value:
        place = subjects.Place(file, key.start_mark.line + 1)
        is_null = _is_null(value)
        is_value = is_null or (value.id == "scalar" and value.tag in _WRITTEN)
        if key.id != "scalar" or not is_value or not ciphertexts.is_key(key.value):
            raise errors.FileFault("seal.not-flat", place=place)
        if key.value in keys:
            raise errors.FileFault("seal.env-twice", place=place)
        if is_null:
            raise errors.FileFault("seal.null", place=place, key=key.value)
        keys.add(key.value)
        yield key.value, masking.Masked(value.value.encode())


def _is_null(node: Any) -> bool:
    """Whether a value is nothing; what is quoted or has the tag ``!!str`` is text."""
    is_plain = node.id == "scalar" and node.tag != _TEXT and not node.style
    return is_plain and yaml_scalars.scalar(node.value) is None


def _document(data: bytes, file: str) -> Any:
    try:
        documents = list(libyaml.load_strictly(data))
    except libyaml.Fault as fault:
        line = manifest_lines.of_fault(data, fault)
        place = subjects.Place(file, line, fault.column)
        if isinstance(fault, libyaml.Doubled):
            raise errors.FileFault("seal.doubled", place=place) from None
        raise errors.FileFault("seal.not-a-secret", place=place) from None
    if len(documents) != 1:
        raise errors.FileFault("seal.not-a-secret", place=subjects.Place(file))
    return documents[0]


def _decoded(
    content: Mapping[str, Any], file: str, data: bytes
) -> Iterator[tuple[str, masking.Masked]]:
    for field in _FIELDS:
        entries = content.get(field)
        if entries is None:
            continue
        if not isinstance(entries, dict):
            place = subjects.Place(file, manifest_lines.line(data, (field,)))
            raise errors.FileFault("seal.not-a-secret", place=place)
        for key, value in entries.items():
            plain = _plain(value, field) if isinstance(value, str) else None
            if plain is None or not isinstance(key, str) or not ciphertexts.is_key(key):
                place = subjects.Place(file, manifest_lines.line(data, (field, str(key))))
                raise errors.FileFault("seal.secret-entry", place=place, field=field)
            yield key, masking.Masked(plain)


def _plain(value: str, field: str) -> bytes | None:
    """A value as it will be; None for what is no base64 where that is due."""
    if field == "stringData":
        return value.encode("utf-8", "surrogatepass")
    try:
        # It may be folded over several lines, as `base64` prints it.
        return base64.b64decode("".join(value.split()), validate=True)
    except (binascii.Error, ValueError):
        return None


def _is_login(value: masking.Masked | None) -> bool:
    content = foreign_json.mapping(value.unmask()) if value is not None else {}
    return isinstance(content.get("auths"), dict)
