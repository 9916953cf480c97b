"""What the variables of a container hold: a text, a key of a Secret, or what cannot be read from manifests."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from msgspec import Struct

from hanbae import patterns
from hanbae.releases import shells
from hanbae.releases.shells import Word


class Key(Struct, frozen=True):
    """A key of a Secret.

    Attributes:
        secret: Name of the Secret, in the namespace of the pod.
        key: The key.
        variable: The variable by which the container reads it.
    """

    secret: str
    key: str
    variable: str


Reason = Literal["variable", "computed", "several-secrets"]


class Unread(Struct, frozen=True):
    """A value that cannot be read.

    Attributes:
        reason: ``variable`` for one that nothing readable sets, ``computed`` for what a shell would work out,
            ``several-secrets`` for one that each of several Secrets with unknown keys may set.
        name: The variable, or what a shell would compute.
    """

    reason: Reason
    name: str


Value = tuple[str | Key | Unread, ...]
"""What a word comes to; neighbouring texts are one part."""

_LARGEST: Final = 2 * 1024 * 1024
"""Characters of all values that are put together; Linux gives no program more, and each may double the one before."""
_CONSTANT: Final = patterns.lazy(r"[A-Z_][A-Z0-9_]*")


class Sources(Struct, frozen=True):
    """What is known of the namespace's objects.

    Attributes:
        config_maps: Name of a ConfigMap → its data.
        secrets: Name of a Secret → its keys; None where an operator decides them.
    """

    config_maps: Mapping[str, Mapping[str, Any]] = {}
    secrets: Mapping[str, frozenset[str] | None] = {}


def depends(container: Mapping[str, Any]) -> bool:
    """Whether what a container's variables hold depends on what is known of the namespace's objects."""
    if container.get("envFrom"):
        return True
    sources = (entry.get("valueFrom") for entry in _mappings(container.get("env")))
    return any("configMapKeyRef" in source for source in sources if isinstance(source, Mapping))


class Variables:
    """The variables of one container.

    Args:
        container: The container, whatever shape it has.
        sources: What is known of the namespace's objects.
    """

    def __init__(self, container: Mapping[str, Any], sources: Sources) -> None:
        self._sources = sources
        self._entries = [entry for entry in _mappings(container.get("env")) if "name" in entry]
        self._indexes: dict[str, list[int]] = {}
        for index, entry in enumerate(self._entries):
            self._indexes.setdefault(str(entry["name"]), []).append(index)
        self._values: list[Value] = []
        self._left = _LARGEST
        self._from = list(_mappings(container.get("envFrom")))

    def __contains__(self, name: object) -> bool:
        """Whether Kubernetes expands ``$(name)``; of a Secret whose keys are not known, it is assumed."""
        return isinstance(name, str) and self.is_expanded(name)

    def is_expanded(self, name: str, before: int | None = None) -> bool:
        """Whether Kubernetes expands ``$(name)``.

        Args:
            name: The name.
            before: Index of the entry of ``env`` in whose value it stands: only those before it count; None for a
                command or its arguments.
        """
        if self._index(name, before) is not None:
            return True
        # ``$(date)`` is the shell's, although a Secret whose keys are not known might have such a key.
        source = self._of_source(name)
        return source is not None and (
            isinstance(source, str) or _CONSTANT.fullmatch(name) is not None
        )

    def _index(self, name: str, before: int | None = None) -> int | None:
        """The index of a variable's entry: of several ones the last, as in Kubernetes."""
        indexes = self._indexes.get(name, [])
        count = len(indexes) if before is None else bisect_left(indexes, before)
        return indexes[count - 1] if count else None

    def value(self, word: Word, assignments: Mapping[str, Word] | None = None) -> Value:
        """What a word comes to.

        Args:
            word: The word.
            assignments: What a shell has set for the program, which goes before the container's own.
        """
        return _whole(self._parts(word, assignments or {}))

    def variable(self, name: str, assignments: Mapping[str, Word] | None = None) -> Value | None:
        """What a variable holds that a program looks up by itself; None where nothing sets it for certain.

        Args:
            name: The variable.
            assignments: What a shell has set for the program, which goes before the container's own.
        """
        if name not in (assignments or {}) and not self._is_set(name):
            return None
        return self.value((shells.Variable(name),), assignments)

    def text(self, name: str, assignments: Mapping[str, Word] | None = None) -> str:
        """What a variable holds where that is a text; empty otherwise."""
        return text(self.variable(name, assignments) or ()) or ""

    def _is_set(self, name: str) -> bool:
        """Whether a variable is set for certain: not where only a Secret with unknown keys could set it."""
        if name in self._indexes:
            return True
        source = self._of_source(name)
        if isinstance(source, Key):
            return source.key in (self._sources.secrets.get(source.secret) or ())
        return isinstance(source, str)

    def _parts(
        self, word: Word, assignments: Mapping[str, Word], before: int | None = None
    ) -> Iterator[str | Key | Unread]:
        for part in word:
            if isinstance(part, str):
                yield part
            elif isinstance(part, shells.Computed):
                yield Unread("computed", part.text)
            elif part.name in assignments and not part.expanded:
                # Without the assignments: in `URL="$URL?sslmode=disable" goose …` the inner one is
                # the container's.
                yield from self._parts(assignments[part.name], {})
            else:
                yield from self._own(part.name, before)

    def _own(self, name: str, before: int | None) -> Value:
        index = self._index(name, before)
        # As in Kubernetes, `env` goes before `envFrom`.
        if index is None:
            return (self._of_source(name) or Unread("variable", name),)
        # In their order, because each may name those before it.
        while len(self._values) <= index:
            self._values.append(self._of_entry(len(self._values)))
        return self._values[index]

    def _of_entry(self, index: int) -> Value:
        """What an entry of ``env`` says."""
        entry = self._entries[index]
        name, source = str(entry["name"]), entry.get("valueFrom")
        if not isinstance(source, Mapping):
            word = shells.argument(str(entry.get("value") or ""), _Earlier(self, index))
            value = _whole(self._parts(word, {}, index), self._left, name)
            self._left -= _size(value)
            return value
        secret, config = source.get("secretKeyRef"), source.get("configMapKeyRef")
        if isinstance(secret, Mapping):
            return (Key(str(secret.get("name")), str(secret.get("key")), name),)
        if isinstance(config, Mapping):
            data = self._sources.config_maps.get(str(config.get("name")), {})
            content = data.get(str(config.get("key")))
            return (Unread("variable", name) if content is None else str(content),)
        return (Unread("variable", name),)

    def _of_source(self, name: str) -> str | Key | Unread | None:
        """What ``envFrom`` gives: of several sources the last one that has it counts, as in Kubernetes."""
        unknown: list[Key] = []
        lacking: list[Key] = []
        for source in reversed(self._from):
            prefix = str(source.get("prefix") or "")
            if not name.startswith(prefix):
                continue
            key = name[len(prefix) :]
            config, secret = source.get("configMapRef"), source.get("secretRef")
            if isinstance(config, Mapping):
                data = self._sources.config_maps.get(str(config.get("name")), {})
                # A source that stands behind this one, and whose keys are not known, may replace
                # what this one says.
                if key in data and not unknown:
                    return str(data[key])
            elif isinstance(secret, Mapping):
                reference = Key(str(secret.get("name")), key, name)
                keys = self._sources.secrets.get(reference.secret)
                if keys is not None and key in keys and not unknown:
                    return reference
                (unknown if keys is None else lacking).append(reference)
        if len(unknown) > 1:
            return Unread("several-secrets", name)
        # A key that is not sealed yet is missed by another check; where it belongs is clear all the same.
        candidates = unknown or (lacking if len(lacking) == 1 else [])
        return candidates[0] if candidates else None


def text(value: Value) -> str | None:
    """The text of a value that is nothing else; None for others."""
    if not value:
        return ""
    return value[0] if len(value) == 1 and isinstance(value[0], str) else None


class _Earlier:
    """The names that Kubernetes expands in the value of an entry of ``env``."""

    def __init__(self, all_: Variables, index: int) -> None:
        self._all, self._index = all_, index

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self._all.is_expanded(name, self._index)


def _whole(parts: Iterator[str | Key | Unread], most: int = _LARGEST, name: str = "…") -> Value:
    """Parts as a value, in which no text is next to another one; unread where they are longer than it may be."""
    whole: list[str | Key | Unread] = []
    before = ""
    for part in parts:
        most -= _size((part,))
        if most < 0:
            return (Unread("variable", name),)
        if isinstance(part, str):
            before += part
            continue
        whole += [before, part] if before else [part]
        before = ""
    return (*whole, before) if before else tuple(whole)


def _size(value: Value) -> int:
    return sum(len(part) if isinstance(part, str) else 1 for part in value)


def _mappings(entries: Any) -> Iterator[Mapping[str, Any]]:
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, Mapping):
            yield entry
