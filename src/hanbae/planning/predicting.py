"""What an object will be after Argo CD has applied it, worked out from the object as it is and its ``managedFields``.

hanbae generates Applications that apply on the server's side (``ServerSideApply=true``), so the outcome is known from
what is there: what the chart says is set, what Argo CD owns and the chart no longer says goes away, and everything
else stays.
``managedFields`` says which fields Argo CD owns, and also which lists are merged by which keys, so no schema is needed.
It is what a dry-run on the server says, short of what only the server knows: defaults inside of lists that are
replaced as wholes, and what admission changes. Where Argo CD's own comparison can be read, that one decides.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from hanbae import foreign_json
from hanbae.apis import quantities
from hanbae.planning import differing

Object = Mapping[str, Any]
Path = tuple[str | int, ...]
Identity = tuple[tuple[str, str], ...]

MANAGER: Final = "argocd-controller"
"""What Argo CD calls itself when it applies."""
TRACKING: Final = "argocd.argoproj.io/tracking-id"
"""Written by Argo CD itself into what it applies; no chart says it."""

# Deeper than any object of Kubernetes; it ends the recursion over one that was made to go on.
_DEEPEST: Final = 100


class Owned(Struct, frozen=True):
    """What a part of ``managedFields`` says about one place of an object.

    Attributes:
        ours: What Argo CD has applied here and below.
        others: What somebody else manages.
    """

    ours: Object
    others: tuple[Object, ...]

    def below(self, key: str) -> Owned:
        """The same one level down."""
        return Owned(
            _mapping(self.ours.get(key)),
            _below(self.others, key),
        )

    @property
    def keys(self) -> Iterator[str]:
        """What stands at this place."""
        for fields in (self.ours, *self.others):
            yield from fields


def predicted(live: Object, target: Object, *, manager: str = MANAGER) -> dict[str, Any]:
    """The object after it was applied.

    Args:
        live: The object in the cluster, with its ``managedFields``.
        target: The object as the chart has it.
        manager: As whom it is applied.
    """
    return _maps(live, _tracked(live, _stored(target)), _owned(live, manager), 0)


def _stored(target: Object) -> Object:
    """A Secret as the API server keeps it: its texts are among its data."""
    texts = target.get("stringData")
    if target.get("kind") != "Secret" or not isinstance(texts, Mapping):
        return target
    encoded = {key: base64.b64encode(str(text).encode()).decode() for key, text in texts.items()}
    others = {key: value for key, value in target.items() if key != "stringData"}
    # A text wins over data of the same key, as in the API server.
    return {**others, "data": {**_mapping(target.get("data")), **encoded}}


def _tracked(live: Object, target: Object) -> Object:
    """What Argo CD applies: the object of the chart with the annotation by which Argo CD knows it again."""
    annotated = _mapping(_mapping(live.get("metadata")).get("annotations"))
    if TRACKING not in annotated:
        return target
    metadata = _mapping(target.get("metadata"))
    annotations = {TRACKING: annotated[TRACKING], **_mapping(metadata.get("annotations"))}
    return {**target, "metadata": {**metadata, "annotations": annotations}}


def managers(live: Object) -> dict[Path, tuple[str, ...]]:
    """Path → who manages the field there, with all paths above and below that ``managedFields`` names.

    The paths are those of :mod:`hanbae.planning.differing`.
    """
    by_path: dict[Path, list[str]] = {}
    for entry in _entries(live):
        name = str(entry.get("manager"))
        for path in _paths((), _mapping(entry.get("fieldsV1")), live):
            names = by_path.setdefault(path, [])
            if name not in names:
                names.append(name)
    return {path: tuple(names) for path, names in by_path.items()}


def _entries(live: Object) -> list[Object]:
    metadata = live.get("metadata")
    entries = metadata.get("managedFields") if isinstance(metadata, Mapping) else None
    return [
        entry
        for entry in (entries if isinstance(entries, list) else [])
        if isinstance(entry, Mapping) and entry.get("subresource") != "status"
    ]


def _owned(live: Object, manager: str) -> Owned:
    ours: Object = {}
    others = []
    for entry in _entries(live):
        fields = _mapping(entry.get("fieldsV1"))
        # What the same manager has written by an Update, such as before it applied on the server's
        # side, is another entry: an apply takes nothing of that away.
        if entry.get("manager") == manager and entry.get("operation") == "Apply":
            ours = fields
        else:
            others.append(fields)
    return Owned(ours, tuple(others))


def _paths(path: Path, fields: Object, value: Any, depth: int = 0) -> Iterator[Path]:
    """The paths of a ``fieldsV1``; entries of lists as they are named, found in the value."""
    for key, below in fields.items():
        if key == "." or depth > _DEEPEST:
            continue
        part, inner = _part(key, value)
        if part is None:
            continue
        yield (*path, part)
        yield from _paths((*path, part), _mapping(below), inner, depth + 1)


def _part(key: str, value: Any) -> tuple[str | None, Any]:
    """A key of ``fieldsV1`` as a part of a path, and the value there."""
    kind, _, name = key.partition(":")
    if kind == "f":
        return name, value.get(name) if isinstance(value, Mapping) else None
    if kind == "k" and isinstance(value, list):
        keys = _parsed(name)
        for label, entry in (differing.named(value) or {}).items():
            if all(entry.get(key) == keys[key] for key in keys):
                return label, entry
    return None, None


def _maps(live: Object, target: Object, owned: Owned, depth: int) -> dict[str, Any]:
    merged = dict(live)
    for key, value in target.items():
        if key in live:
            merged[key] = _value(live[key], value, owned.below(f"f:{key}"), key, depth + 1)
        elif not _is_empty(value):
            merged[key] = value
    for key in live:
        if key not in target:
            _removed(merged, key, owned)
    return merged


def _removed(merged: dict[str, Any], key: str, owned: Owned) -> None:
    """What the chart no longer says goes as a whole, defaults included; what others manage in it comes back."""
    field = f"f:{key}"
    if field not in owned.ours:
        return
    others = owned.below(field).others
    if others:
        merged[key] = _theirs(merged[key], others, 0)
    else:
        del merged[key]


def _theirs(value: Any, others: tuple[Object, ...], depth: int) -> Any:
    """What of a value others manage: all of it where they name nothing below."""
    names = {key for part in others for key in part if key != "."}
    if depth > _DEEPEST or not names:
        return value
    if isinstance(value, Mapping):
        return {
            key: _theirs(part, _below(others, f"f:{key}"), depth + 1)
            for key, part in value.items()
            if f"f:{key}" in names
        }
    if isinstance(value, list):
        # In the order of the list: `names` is a set. An entry without keys is named by itself, `v:` and its JSON.
        fields = {id(entry): key for key in names if (entry := _part(key, value)[1]) is not None}
        entries = [(entry, fields.get(id(entry), f"v:{json.dumps(entry)}")) for entry in value]
        return [
            _theirs(entry, _below(others, field), depth + 1)
            for entry, field in entries
            if field in names
        ]
    return value


def _below(others: tuple[Object, ...], key: str) -> tuple[Object, ...]:
    return tuple(_mapping(other[key]) for other in others if key in other)


def _value(live: Any, target: Any, owned: Owned, key: str, depth: int) -> Any:
    if depth < _DEEPEST:
        if isinstance(live, Mapping) and isinstance(target, Mapping):
            return _maps(live, target, owned, depth)
        if isinstance(live, list) and isinstance(target, list):
            return _merged(live, target, owned, depth)
    return live if quantities.is_same(live, target, key) else target


def _merged(live: list[Any], target: list[Any], owned: Owned, depth: int) -> list[Any]:
    keys = _merge_keys(owned)
    if keys:
        return _by_keys(live, target, owned, keys, depth)
    # A set, such as finalizers: `v:` and the entry as JSON. What is Argo CD's and no longer said goes.
    if any(entry.startswith("v:") for entry in owned.keys):
        gone = {entry[2:] for entry in owned.ours if entry.startswith("v:")}
        remaining = [entry for entry in live if entry in target or json.dumps(entry) not in gone]
        return remaining + [entry for entry in target if entry not in remaining]
    # No keys and no values: the list is one thing, which is replaced as a whole.
    if len(live) == len(target) and all(map(_covers, live, target)):
        return live
    return target


def _by_keys(
    live: list[Any], target: list[Any], owned: Owned, keys: Sequence[str], depth: int
) -> list[Any]:
    """A list whose entries are told apart by keys, in the order in which the server merges."""
    places = {_identity(entry, keys): entry for entry in live if isinstance(entry, Mapping)}
    fields = {_sorted(_parsed(key[2:])): key for key in owned.keys if key.startswith("k:")}
    by_identity: dict[Identity, Any] = {}
    for entry in target:
        if isinstance(entry, Mapping):
            whole = _with_defaults(entry, keys, places)
            by_identity[_identity(whole, keys)] = whole
    for identity in places.keys() & by_identity.keys():
        below = owned.below(fields.get(identity, ""))
        by_identity[identity] = _maps(places[identity], by_identity[identity], below, depth + 1)
    merged: dict[Identity, Any] = {}
    for identity, entry in places.items():
        field = fields.get(identity, "")
        others = owned.below(field).others
        if identity in by_identity or field not in owned.ours:
            merged[identity] = entry
        elif others:
            merged[identity] = _theirs(entry, others, depth)
    return list(_interleaved(merged, by_identity))


def _interleaved(
    merged: Mapping[Identity, Any], by_identity: Mapping[Identity, Any]
) -> Iterator[Any]:
    """The entries of the chart in its order, and before each that is there already what stands before it there."""
    waiting = list(by_identity)
    for identity, entry in merged.items():
        if identity not in by_identity:
            yield entry
            continue
        # All of the chart's entries up to this one, so that they stay in its order.
        while identity in waiting:
            yield by_identity[waiting.pop(0)]
    for identity in waiting:
        yield by_identity[identity]


def _merge_keys(owned: Owned) -> tuple[str, ...]:
    for key in owned.keys:
        if key.startswith("k:"):
            return tuple(sorted(_parsed(key[2:])))
    return ()


def _identity(entry: Object, keys: Sequence[str]) -> Identity:
    return _sorted({key: entry[key] for key in keys if key in entry})


def _sorted(keys: Object) -> Identity:
    """Keys with their values as one hashable thing; whatever shape the values have."""
    return tuple((key, json.dumps(keys[key], default=str)) for key in sorted(keys))


def _with_defaults(
    entry: Object, keys: Sequence[str], places: Mapping[Identity, Object]
) -> dict[str, Any]:
    """An entry with the keys that it leaves out, as the entries that are there have them, if all have the same."""
    completed = dict(entry)
    for key in keys:
        # A port without a protocol is one of TCP by then, and the protocol is a part of its key.
        if key not in completed:
            values = [place[key] for place in places.values() if key in place]
            if values and all(value == values[0] for value in values):
                completed[key] = values[0]
    return completed


def _covers(live: Any, target: Any) -> bool:
    """Whether a live entry of a list is the chart's with nothing but defaults added."""
    if isinstance(live, Mapping) and isinstance(target, Mapping):
        return all(
            key in live and _covers(live[key], value)
            for key, value in target.items()
            if not _is_empty(value)
        )
    if isinstance(live, list) and isinstance(target, list):
        return len(live) == len(target) and all(map(_covers, live, target))
    return quantities.is_same(live, target)


def _is_empty(value: Any) -> bool:
    """What the API server leaves out."""
    return value is None or value in ({}, [])


def _mapping(value: Any) -> Object:
    return value if isinstance(value, Mapping) else {}


def _parsed(text: str) -> dict[str, Any]:
    return foreign_json.mapping(text)
