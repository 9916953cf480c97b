"""What the variables of a container hold: a text, a key of a Secret, or what cannot be read from manifests."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from msgspec import Struct

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

# Variables that name each other in a circle would be followed for ever.
_DEEPEST: Final = 8
_CONSTANT: Final = re.compile(r"[A-Z_][A-Z0-9_]*")


class Sources(Struct, frozen=True):
    """What is known of the namespace's objects.

    Attributes:
        config_maps: Name of a ConfigMap → its data.
        secrets: Name of a Secret → its keys; None where an operator decides them.
    """

    config_maps: Mapping[str, Mapping[str, Any]] = {}
    secrets: Mapping[str, frozenset[str] | None] = {}


class Variables:
    """The variables of one container.

    Args:
        container: The container, whatever shape it has.
        sources: What is known of the namespace's objects.
    """

    def __init__(self, container: Mapping[str, Any], sources: Sources) -> None:
        self._sources = sources
        self._entries: dict[str, Mapping[str, Any]] = {
            str(entry["name"]): entry
            for entry in _mappings(container.get("env"))
            if "name" in entry
        }
        self._from = list(_mappings(container.get("envFrom")))

    def __contains__(self, name: object) -> bool:
        """Whether Kubernetes expands ``$(name)``; of a Secret whose keys are not known, it is assumed."""
        if not isinstance(name, str) or name in self._entries:
            return isinstance(name, str)
        # ``$(date)`` is the shell's, although a Secret whose keys are not known might have such a key.
        source = self._of_source(name)
        return source is not None and (
            isinstance(source, str) or _CONSTANT.fullmatch(name) is not None
        )

    def value(self, word: Word, assignments: Mapping[str, Word] | None = None) -> Value:
        """What a word comes to.

        Args:
            word: The word.
            assignments: What a shell has set for the program, which goes before the container's own.
        """
        return tuple(_joined(self._parts(word, assignments or {}, 0)))

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
        if name in self._entries:
            return True
        source = self._of_source(name)
        if isinstance(source, Key):
            return source.key in (self._sources.secrets.get(source.secret) or ())
        return isinstance(source, str)

    def _parts(
        self, word: Word, assignments: Mapping[str, Word], depth: int
    ) -> Iterator[str | Key | Unread]:
        for part in word:
            if isinstance(part, str):
                yield part
            elif isinstance(part, shells.Computed):
                yield Unread("computed", part.text)
            elif depth >= _DEEPEST:
                yield Unread("variable", part.name)
            elif part.name in assignments:
                # Without the assignments: in `URL="$URL?sslmode=disable" goose …` the inner one is
                # the container's.
                yield from self._parts(assignments[part.name], {}, depth + 1)
            else:
                yield from self._own(part.name, depth)

    def _own(self, name: str, depth: int) -> Iterator[str | Key | Unread]:
        entry = self._entries.get(name)
        # As in Kubernetes, `env` goes before `envFrom`.
        if entry is None:
            yield self._of_source(name) or Unread("variable", name)
            return
        source = entry.get("valueFrom")
        if not isinstance(source, Mapping):
            word = shells.argument(str(entry.get("value") or ""), self)
            yield from self._parts(word, {}, depth + 1)
            return
        secret, config = source.get("secretKeyRef"), source.get("configMapKeyRef")
        if isinstance(secret, Mapping):
            yield Key(str(secret.get("name")), str(secret.get("key")), name)
        elif isinstance(config, Mapping):
            data = self._sources.config_maps.get(str(config.get("name")), {})
            value = data.get(str(config.get("key")))
            yield Unread("variable", name) if value is None else str(value)
        else:
            yield Unread("variable", name)

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


def _joined(parts: Iterator[str | Key | Unread]) -> Iterator[str | Key | Unread]:
    before = ""
    for part in parts:
        if isinstance(part, str):
            before += part
            continue
        if before:
            yield before
        before = ""
        yield part
    if before:
        yield before


def _mappings(entries: Any) -> Iterator[Mapping[str, Any]]:
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, Mapping):
            yield entry
