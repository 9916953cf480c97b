"""The fields in which two states of an object differ, as people read them.

Entries of lists that have names are told apart by them (``containers[app]``), as Kubernetes merges them; other lists
are compared entry by entry.
What must not be seen is replaced before anybody can show it: the data of Secrets, sealed values (which are long and say
nothing), passwords in URLs and whatever else looks like a secret.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal

from hanbae import excerpts, masking, patterns
from hanbae.results import plans

Object = Mapping[str, Any]
Path = tuple[str | int, ...]
Hidden = Literal["", "sealed", "secret"]

LONGEST: Final = 400
"""Characters of a value that are kept; a whole file in a ConfigMap says no more than its beginning."""
_READ: Final = 65_536
"""Characters of a value that are looked at at all."""
_PROBED: Final = 200
MOST: Final = 2_000
"""Fields of one object that are kept."""
_DEEPEST: Final = 100
"""Levels below which values are only compared as wholes; no object of Kubernetes is that deep."""

_NAMES: Final = ("name", "key", "mountPath", "containerPort", "port", "topologyKey", "ip", "type")
"""Fields by which an entry of a list is told from others, the most telling first."""
_SERVER: Final = frozenset(
    ("creationTimestamp", "generation", "managedFields", "resourceVersion", "selfLink", "uid")
)
"""Metadata that the API server writes."""
_PLAIN: Final = patterns.lazy(r"[A-Za-z_][A-Za-z0-9_-]*")
_SECRET_DATA: Final = frozenset(("data", "stringData"))
_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"
"""A whole object as text, with whatever is secret in it; it says nothing that the fields do not say."""
_PASSWORD: Final = patterns.lazy(r"(?i)(?:pass|passwd|password|passphrase|pwd|credentials?)\Z")
"""Names of what is hidden whatever its shape: numbers, lists and maps as well."""
_FLAG: Final = patterns.lazy(
    r"(?i)--?[a-z0-9_.-]{0,60}(?:pass|passwd|password|passphrase|pwd|secret|token"
    r"|(?:api|access|secret|private)[_-]?key)\Z"
)
"""An argument whose value is the next one."""
_TEMPLATED: Final = frozenset((name,) for name in _SECRET_DATA)
_POD_TEMPLATE: Final = ("spec", "template")
_RESTARTED: Final = frozenset(("DaemonSet", "Deployment", "StatefulSet"))
_redact: Final = masking.Redactor()


class _Absent:
    """What is not there; None is a value."""


ABSENT: Final = _Absent()


def fields(
    old: Object, new: Object, *, managers: Mapping[Path, Sequence[str]] | None = None
) -> tuple[plans.Field, ...]:
    """The fields in which an object's states differ, in the order of `new`, then what is gone.

    Args:
        old: The state before.
        new: The state after.
        managers: Path → who manages that field or what is below it, of the state before.
    """
    kind = str(new.get("kind"))
    differing_fields: list[plans.Field] = []
    for path, before, after in pairs(old, new):
        if len(differing_fields) == MOST:
            break
        differing_fields.append(_field(kind, path, before, after, managers or {}))
    return tuple(differing_fields)


def pairs(old: Object, new: Object) -> Iterator[tuple[Path, Any, Any]]:
    """Path, old and new value of what differs; :data:`ABSENT` where there is none."""
    yield from _walk((), _without_server(old), _without_server(new))


def restarts(kind: str, old: Object, new: Object) -> bool:
    """Whether a change of an object makes its pods anew."""
    if kind not in _RESTARTED:
        return False
    return any(path[:2] == _POD_TEMPLATE for path, _, _ in pairs(old, new))


def shown(path: Path) -> str:
    """A path as people write it."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part.startswith("["):
            text += part
        elif _PLAIN.fullmatch(part):
            text += f".{part}" if text else part
        else:
            text += f"[{json.dumps(part, ensure_ascii=False)}]"
    return text


def named(entries: Sequence[Any]) -> dict[str, Any] | None:
    """The entries of a list by what names them, such as ``[app]``; None where nothing names all of them."""
    if not entries or not all(isinstance(entry, dict) for entry in entries):
        return None
    for name in _NAMES:
        keys = [entry.get(name) for entry in entries]
        plain = all(isinstance(key, str | int) and not isinstance(key, bool) for key in keys)
        if plain and len(set(map(str, keys))) == len(keys):
            return {f"[{key}]": entry for key, entry in zip(keys, entries, strict=True)}
    return None


def _walk(path: Path, old: Any, new: Any) -> Iterator[tuple[Path, Any, Any]]:
    if old is new:
        return
    if len(path) < _DEEPEST:
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from _maps(path, old, new)
            return
        if isinstance(old, list) and isinstance(new, list):
            yield from _lists(path, old, new)
            return
    if not _same(old, new):
        yield path, old, new


def _maps(path: Path, old: Object, new: Object) -> Iterator[tuple[Path, Any, Any]]:
    for key in dict.fromkeys((*new, *old)):
        before, after = old.get(key, ABSENT), new.get(key, ABSENT)
        yield from _walk((*path, str(key)), before, after)


def _lists(path: Path, old: list[Any], new: list[Any]) -> Iterator[tuple[Path, Any, Any]]:
    before, after = named(old), named(new)
    if before is not None and after is not None:
        # The same entries in another order: comparing them by name alone would find nothing.
        if list(before) != list(after) and sorted(before) == sorted(after):
            yield path, list(before), list(after)
        yield from _maps(path, before, after)
        return
    if len(old) != len(new) or not any(isinstance(entry, dict | list) for entry in (*old, *new)):
        if not _same(old, new):
            yield path, old, new
        return
    for index, (first, second) in enumerate(zip(old, new, strict=True)):
        if _is_variable(first) or _is_variable(second):
            # As a whole: without its name nobody could tell whether the value must not be seen.
            if not _same(first, second):
                yield (*path, index), first, second
        else:
            yield from _walk((*path, index), first, second)


def _is_variable(entry: Any) -> bool:
    return isinstance(entry, Mapping) and "name" in entry and "value" in entry


def _same(old: Any, new: Any) -> bool:
    """Whether two values are one for Kubernetes: ``1`` and ``1.0`` are, ``1`` and ``true`` are not."""
    if isinstance(old, bool) or isinstance(new, bool):
        return old is new
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(_same, old, new))
    return bool(old == new)


def _field(
    kind: str, path: Path, old: Any, new: Any, managers: Mapping[Path, Sequence[str]]
) -> plans.Field:
    by = tuple(managers.get(path, ()))
    where = excerpts.clipped(_redact(shown(path)), LONGEST)
    hidden = _hidden(kind, path) or _telling(path, old, new)
    before, after = text(_veiled(kind, path, old)), text(_veiled(kind, path, new))
    if not hidden and before is not None and before == after:
        hidden = "secret"  # they differ only in what must not be seen, or behind the cut
    if hidden:
        present = None if old is ABSENT else "", None if new is ABSENT else ""
        return plans.Field(where, present[0], present[1], hidden, by)
    return plans.Field(where, before, after, "", by)


def _hidden(kind: str, path: Path) -> Hidden:
    if kind == "Secret" and path and path[0] in _SECRET_DATA:
        return "secret"
    if kind == "SealedSecret" and path[:2] == ("spec", "encryptedData"):
        return "sealed"
    if kind == "SealedSecret" and path[:2] == ("spec", "template") and path[2:3] in _TEMPLATED:
        return "secret"
    # What is in a List may be Secrets: their kind is not the one that is known here.
    if kind.endswith("List") and _SECRET_DATA & set(path):
        return "secret"
    return "secret" if path and path[-1] == _APPLIED else ""


def veiled(manifest: Object) -> dict[str, Any]:
    """An object in which everything that must not be seen is replaced."""
    return {
        key: _redacted(_veiled(str(manifest.get("kind")), (str(key),), value))
        for key, value in manifest.items()
    }


def _redacted(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _redacted(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_redacted(part) for part in value]
    return _redact(value) if isinstance(value, str) else value


def _veiled(kind: str, path: Path, value: Any) -> Any:
    """A value in which everything that must not be seen is replaced, however deep it is."""
    if len(path) > _DEEPEST or _hidden(kind, path):
        return masking.MASK
    if isinstance(value, Mapping | list) and _telling(path, value):
        return masking.MASK
    if isinstance(value, Mapping):
        return {
            key: _veiled(kind, (*path, *_naming(value, key), str(key)), part)
            for key, part in value.items()
        }
    if isinstance(value, list):
        return [
            # In `["--password", "x"]` the argument in front says what the next one is.
            masking.MASK if _is_told_by(before) else _veiled(kind, (*path, index), part)
            for index, (before, part) in enumerate(zip((None, *value), value, strict=False))
        ]
    return masking.MASK if _telling(path, value) else value


def _naming(entry: Object, key: str) -> tuple[str, ...]:
    """What an entry of a list is called, for the value that belongs to the name."""
    name = entry.get("name")
    return (f"[{name}]",) if key == "value" and isinstance(name, str) else ()


def _telling(path: Path, *values: Any) -> Hidden:
    """Whether the name of a field, or of an environment variable, says that its value must not be seen."""
    name = path[-1] if path else ""
    # A variable is told by its name, which is the part above: `env`, `[DB_PASSWORD]`, `value`.
    if name == "value" and len(path) > 1:
        name = path[-2]
    name = str(name).strip("[]")
    plain = [part for part in path if isinstance(part, str) and not part.startswith("[")]
    if any(_PASSWORD.search(part[-_PROBED:]) and "/" not in part for part in (*plain, name)):
        return "secret" if any(map(_says, values)) else ""
    if "/" in name:  # a label or an annotation, such as the checksum of a secret
        return ""
    for value in values:
        if isinstance(value, str) and value:
            # The redactor knows a secret by the name in front of an equals sign.
            pair = f"{name}={value[:_PROBED]}"
            masked = _redact(pair)
            if masked != pair and masked.startswith(f"{name}={masking.MASK}"):
                return "secret"
    return ""


def _says(value: Any) -> bool:
    return value is not ABSENT and value is not None and not isinstance(value, bool) and value != ""


def _is_told_by(before: Any) -> bool:
    """Whether the argument before says that this one is a secret."""
    return isinstance(before, str) and _FLAG.match(before[:_PROBED]) is not None


def text(value: Any) -> str | None:
    """A value in one line, masked and clipped; None for what is not there."""
    if value is ABSENT:
        return None
    if not isinstance(value, str):
        value = json.dumps(value, ensure_ascii=False, default=str)
    # Masked before it is clipped: half a secret might not look like one.
    return excerpts.clipped(_redact(value[:_READ]).replace("\n", "⏎"), LONGEST)


def _without_server(live: Object) -> dict[str, Any]:
    """An object without its status and what only the API server writes."""
    declared = {key: value for key, value in live.items() if key != "status"}
    metadata = declared.get("metadata")
    if isinstance(metadata, dict):
        declared["metadata"] = {key: value for key, value in metadata.items() if key not in _SERVER}
    return declared
