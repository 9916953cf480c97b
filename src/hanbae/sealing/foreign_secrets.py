"""A SealedSecret that somebody else made, such as kubeseal's output: what is in it, and what it is bound to.

Nothing in it says which key it was sealed for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from hanbae import errors, libyaml, subjects
from hanbae.sealing import ciphertexts, encrypting, manifest_lines, objects


class Foreign(Struct, frozen=True):
    """A SealedSecret that somebody else made.

    Attributes:
        file: What errors call its file.
        namespace: Its namespace; empty where it has none.
        name: Its name.
        scope: How its values are bound, as its annotations say.
        values: Key → sealed value.
        left_out: What else it says of the Secret, which is not taken over.
    """

    file: str
    namespace: str
    name: str
    scope: encrypting.Scope
    values: Mapping[str, str]
    left_out: tuple[str, ...] = ()

    @property
    def label(self) -> bytes:
        """What its values are bound to."""
        return encrypting.label(self.scope, self.namespace, self.name)


def parse(data: bytes, file: str) -> Foreign:
    """The one SealedSecret of a file.

    Args:
        data: YAML or JSON.
        file: What errors call it.

    Raises:
        errors.FileFault: It is not one SealedSecret, or a value in it can be none.
    """
    try:
        documents = [item for item in libyaml.load_strictly(data) if item is not None]
    except libyaml.Fault as fault:
        line = manifest_lines.of_fault(data, fault)
        place = subjects.Place(file, line, fault.column)
        if isinstance(fault, libyaml.Doubled):
            raise errors.FileFault("seal.doubled", place=place) from None
        # The parser's own words are dropped: they may quote the file, which may be a plain Secret
        # by mistake.
        raise errors.FileFault("import.not-a-sealed-secret", place=place) from None
    content: Any = documents[0] if len(documents) == 1 else None
    if not isinstance(content, dict) or content.get("kind") != objects.KIND:
        raise errors.FileFault("import.not-a-sealed-secret", place=subjects.Place(file))
    spec, metadata = content.get("spec"), content.get("metadata")
    values = spec.get("encryptedData") if isinstance(spec, dict) else None
    metadata = metadata if isinstance(metadata, dict) else {}
    if not isinstance(values, dict) or not values:
        raise errors.FileFault("import.no-values", place=subjects.Place(file))
    for key, value in values.items():
        _check_value(key, value, file, data)
    namespace, name = (str(metadata.get(field) or "") for field in ("namespace", "name"))
    scope = objects.scope(metadata.get("annotations"))
    if scope != "cluster-wide" and not (namespace and name):
        raise errors.FileFault("import.no-binding", place=subjects.Place(file))
    return Foreign(file, namespace, name, scope, values, tuple(_left_out(spec)))


def _left_out(spec: Any) -> Iterator[str]:
    """Fields of a SealedSecret that say more of the Secret than its sealed values, as the chart does not say it."""
    template = spec.get("template")
    template = template if isinstance(template, dict) else {}
    kind = template.get("type")
    if kind not in (None, "", "Opaque"):
        yield f"spec.template.type: {str(kind)[:80]}"
    yield from (f"spec.template.{field}" for field in ("data", "immutable") if template.get(field))
    if spec.get("data"):
        yield "spec.data"


def chosen(foreign: Foreign, keys: Sequence[str]) -> Foreign:
    """A SealedSecret with only some of its values; with all of them if no key is named.

    Raises:
        errors.WrongUse: It does not have one of the keys.
    """
    missing = [key for key in keys if key not in foreign.values]
    if missing:
        raise errors.WrongUse("seal.keys-missing", keys=" ".join(missing))
    values = {key: foreign.values[key] for key in keys or foreign.values}
    return msgspec.structs.replace(foreign, values=values)


def _check_value(key: Any, value: Any, file: str, data: bytes) -> None:
    try:
        ciphertexts.shape(value if isinstance(value, str) else "")
        is_key = isinstance(key, str) and ciphertexts.is_key(key)
    except errors.WrongUse:
        is_key = False
    if not is_key:
        place = subjects.Place(file, manifest_lines.line(data, ("spec", "encryptedData", str(key))))
        raise errors.FileFault("import.malformed", place=place, key=str(key)[:80])
