"""The manifests of namespaces and of their limits, brought in line with the policy document by document.

A document that the policy does not decide, and all comments, stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct, structs

from hanbae import errors, libyaml, patterns, subjects
from hanbae.charts import founding, values
from hanbae.policy import documents, labels

_SEPARATOR: Final = patterns.lazy(r"---[ \t]*(?:#.*)?")
_BARE: Final = "---\n"
_LIMITS: Final = ("ResourceQuota", "LimitRange")
_OWN_LIMITS: Final = "services"
"""Name of the limits that hanbae writes; those of another name are the team's."""


class Reason(Struct, frozen=True):
    """What in a file contradicts the policy.

    Attributes:
        variant: What it is: the end of the id of its sentence.
        facts: What goes into the sentence.
        line: Where, counted from 1; 0 for the whole file.
    """

    variant: str
    facts: dict[str, str]
    line: int = 0


Updated = tuple[str, tuple[Reason, ...]]
"""What a file should be, and why."""


class _Document(Struct):
    """One document of a file: its text, the separator above it, the line at which its text begins, and what it is."""

    text: str
    separator: str = ""
    first: int = 1
    kind: str = ""
    name: str = ""
    namespace: str = ""

    @property
    def line(self) -> int:
        """The first line that says something."""
        return self.first + _comments(self.text)


def namespaces(policy: documents.Policy, path: str, text: str) -> Updated:
    """The manifests of the namespaces: those that are missing, are no longer the policy's, or say something else.

    Raises:
        errors.FileFault: The file is no YAML, or is written so that it cannot be changed line by line.
    """
    spaces = founding.spaces(policy)
    reasons: list[Reason] = []
    manifests: list[_Document] = []
    present = set()
    for document in _split(text, path):
        name = document.name
        if document.kind != "Namespace":
            manifests.append(document)
        elif name in spaces:
            present.add(name)
            document.text = _corrected(policy, path, document, reasons)
            manifests.append(document)
        # hanbae wrote this one, for a namespace that the policy no longer has; the team's own do
        # not carry the purpose.
        elif labels.PURPOSE in document.text:
            reasons.append(Reason("namespace-left", {"namespace": name}, document.line))
        else:
            manifests.append(document)
    for name in spaces:
        if name not in present:
            reasons.append(Reason("namespace-missing", {"namespace": name}))
            manifests.append(_Document(founding.namespace_text(policy, name)))
    return _joined(manifests), tuple(reasons)


def _corrected(
    policy: documents.Policy, path: str, document: _Document, reasons: list[Reason]
) -> str:
    """A namespace's manifest with what the policy decides of it."""
    manifest = values.Values.parse(document.text, path)
    expected = values.Values.parse(founding.namespace_text(policy, document.name), path)
    fields: list[tuple[str, str]] = [("labels", key) for key in expected.data["metadata"]["labels"]]
    fields.append(("annotations", labels.PURPOSE))
    changes: dict[tuple[str, ...], str] = {}
    for part, key in fields:
        value = expected.data["metadata"][part][key]
        actual = manifest.get(("metadata", part, key), "")
        if actual == value:
            continue
        changes["metadata", part, key] = value
        place = manifest.place(("metadata", part, key))
        line = document.first - 1 + place.line if place.line else document.line
        facts = {"namespace": document.name, "field": key, "value": str(actual), "wanted": value}
        reasons.append(Reason("purpose" if key == labels.PURPOSE else "field", facts, line))
    manifest.update(changes)
    return manifest.text()


def limits(policy: documents.Policy, path: str, text: str) -> Updated:
    """The limits of the namespaces in which services live; those of a namespace that was renamed move with it.

    Of a kind that the file has none of, none is added: the team limits in another way.

    Raises:
        errors.FileFault: As for :func:`namespaces`.
    """
    split = _split(text, path)
    reasons: list[Reason] = []
    removed: set[int] = set()
    added: list[_Document] = []
    for kind in _LIMITS:
        own = [
            index
            for index, document in enumerate(split)
            if document.kind == kind and document.name == _OWN_LIMITS
        ]
        if not own:
            continue
        lacking = _without_limits(policy, split, kind)
        orphans = [i for i in own if split[i].namespace not in founding.limited(policy)]
        # One namespace lacks limits and one set of them has no namespace: it was renamed, and what
        # the team has changed in its limits is kept.
        if len(lacking) == len(orphans) == 1:
            document = split[orphans[0]]
            facts = {"object": kind, "namespace": document.namespace, "wanted": lacking[0]}
            reasons.append(Reason("limits-moved", facts, document.line))
            manifest = values.Values.parse(document.text, path)
            manifest.set(("metadata", "namespace"), lacking[0])
            document.text = manifest.text()
            continue
        # A namespace that is still the policy's may keep limits although no services live in it.
        for index in orphans:
            if split[index].namespace not in founding.spaces(policy):
                facts = {"object": kind, "namespace": split[index].namespace}
                reasons.append(Reason("limits-left", facts, split[index].line))
                removed.add(index)
        for name in lacking:
            reasons.append(Reason("limits-missing", {"object": kind, "namespace": name}))
            fresh = _split(founding.limits_text(policy, name), path)
            added += [document for document in fresh if document.kind == kind]
    manifests = [document for index, document in enumerate(split) if index not in removed]
    return _joined([*manifests, *added]), tuple(reasons)


def _without_limits(policy: documents.Policy, split: list[_Document], kind: str) -> list[str]:
    limited = {document.namespace for document in split if document.kind == kind}
    return [name for name in founding.limited(policy) if name not in limited]


def _split(text: str, path: str) -> list[_Document]:
    """The documents of a file; their texts, with the separators above them, are the file."""
    split: list[_Document] = []
    lines: list[str] = []
    separator, first = "", 1
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        if line.startswith("---"):
            if not _SEPARATOR.fullmatch(line.rstrip("\r\n")):
                raise errors.FileFault("values.cannot-edit", place=subjects.Place(path, number))
            split.append(_Document("".join(lines), separator, first))
            lines, separator, first = [], line, number + 1
        else:
            lines.append(line)
    split.append(_Document("".join(lines), separator, first))
    return [_read(document, path) for document in split]


def _read(document: _Document, path: str) -> _Document:
    """A document with what it is."""
    try:
        data = libyaml.load(document.text)
    except libyaml.Fault as fault:
        line = document.first - 1 + max(fault.line, 1)
        place = subjects.Place(path, line, fault.column)
        raise errors.FileFault("values.syntax", place=place, problem=str(fault)) from fault
    if not (data is None or isinstance(data, dict)):
        # Taken for one that says nothing, what the policy asks for would be missing without a word.
        place = subjects.Place(path, document.line)
        raise errors.FileFault("values.not-a-mapping", place=place)
    manifest: dict[Any, Any] = data or {}
    metadata = manifest.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    return structs.replace(
        document,
        kind=_word(manifest.get("kind")),
        name=_word(metadata.get("name")),
        namespace=_word(metadata.get("namespace")),
    )


def _comments(text: str) -> int:
    """How many lines stand before the first that says something."""
    lines = enumerate(text.splitlines())
    return next((n for n, line in lines if line.strip() and not line.lstrip().startswith("#")), 0)


def _joined(manifests: Sequence[_Document]) -> str:
    """A file of documents; what stood before the first separator without being a document stays there."""
    pieces: list[str] = []
    for document in manifests:
        separator = document.separator
        if pieces:
            separator = separator or _BARE
        elif "#" not in separator:
            separator = ""  # what stood above it is gone
        piece = separator + document.text
        pieces.append(piece if piece.endswith("\n") or not piece else f"{piece}\n")
    return "".join(pieces)


def _word(value: Any) -> str:
    return value if isinstance(value, str) else ""
