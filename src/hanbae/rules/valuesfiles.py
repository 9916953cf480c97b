"""A YAML file as data with the place of each value: for findings that point into a file that a person edits.

Only what the rules need is kept of what the parser knows.
Files of several environments and services mostly differ in words; where everything stands is worked out once
for all that do, see :func:`of_layout`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final, TypeVar

from msgspec import Struct

from hanbae import libyaml, patterns, subjects

# The walk calls itself once a level, and follows aliases, which may stand for many more nodes than
# a file has.
_DEEPEST: Final = 100
_MOST_NODES: Final = 200_000
_MOST_DIGITS: Final = 9
# Words between a colon and the end of a line, and comments. None of their letters means anything to YAML, so whatever
# they stand in, other words or comments stand there as well and nothing else moves.
_WORDS: Final = (
    rb"(?:sha256:)?[A-Za-z0-9][A-Za-z0-9_+/=.-]*+(?: [A-Za-z0-9][A-Za-z0-9_+/=.-]*+)*+(?=[\"']?$)"
)
# One by one: what begins with a certain text and is replaced by one is far faster than a choice.
_INERT: Final = (
    (patterns.lazy(rb": " + _WORDS, re.MULTILINE), b": x"),
    (patterns.lazy(rb": \"" + _WORDS, re.MULTILINE), b': "x'),
    (patterns.lazy(rb"#(?<![^ \n]#)[A-Za-z0-9 .,:;/()`_-]+$", re.MULTILINE), b"#"),
)
_CLOSED: Final = patterns.lazy(rb"\{(?:[^{}\n\"'\\#]|\"\"|'')*+\}")
"""A mapping in braces that surely ends on its line."""
_LARGEST: Final = 64 * 1024
"""Bytes of a file of whose layout anything is remembered."""

T = TypeVar("T")


class ValuesFile(Struct, frozen=True):
    """The places in one file.

    Attributes:
        file: The file, relative to the repository's root.
        places: Keys from the root → line and column of the value's key.
        fault: What is wrong with the file's YAML; None where nothing is.
        doubled: Keys that are there once more, each with the line and column of the second.
        repeated: Those of them that say the same both times.
    """

    file: str
    places: Mapping[tuple[str | int, ...], tuple[int, int]]
    fault: subjects.Place | None = None
    doubled: tuple[tuple[tuple[str | int, ...], tuple[int, int]], ...] = ()
    repeated: frozenset[tuple[int, int]] = frozenset()

    def keys(self, names: Iterable[str]) -> tuple[str | int, ...]:
        """The keys of a value whose names are those of a JSON pointer, in which an index of a list is text as well."""
        keys: tuple[str | int, ...] = ()
        for name in names:
            in_list = (*keys, int(name)) if name.isdecimal() and len(name) <= _MOST_DIGITS else keys
            keys = in_list if in_list != keys and in_list in self.places else (*keys, name)
        return keys

    def place(self, keys: tuple[str | int, ...]) -> subjects.Place:
        """Where a value stands; of a missing one, the nearest part around it, else the file."""
        while keys and keys not in self.places:
            keys = keys[:-1]
        if not keys:
            return subjects.Place(self.file, 1 if self.places else 0)
        line, column = self.places[keys]
        return subjects.Place(self.file, line, column)


def parse(data: bytes, file: str) -> ValuesFile:
    """Read where everything in a YAML file stands; of a broken file, nothing but where it breaks."""
    if data.count(b"\n") > libyaml.MOST_LINES:
        return ValuesFile(file, {})
    places = _places(data) if _has_plain_keys(data) else None
    return _parsed(data, file) if places is None else ValuesFile(file, places)


def _has_plain_keys(data: bytes) -> bool:
    """Whether no key can be a text of several lines, so that none has words of which the layout knows nothing.

    Nor are there anchors: what aliases stand for is bounded by its length.
    """
    is_odd = b"?" in data or b"&" in data
    return not is_odd and data.count(b"{") == len(_CLOSED.findall(data))


def of_layout(compute: Callable[[bytes], T]) -> Callable[[bytes], T]:
    """Compute something once for all YAML files of a layout: what follows from their keys and where these stand.

    The layout is the file with one letter for the words that are all of a value, and without comments' words.
    """
    remembered = lru_cache(maxsize=64)(compute)

    def of_file(data: bytes) -> T:
        return remembered(_layout(data)) if len(data) <= _LARGEST else compute(data)

    return of_file


@lru_cache(maxsize=16)  # the files of one service, of which several rules ask
def _layout(data: bytes) -> bytes:
    for form, replacement in _INERT:
        data = form.sub(replacement, data)
    return data


@of_layout
def _places(data: bytes) -> Mapping[tuple[str | int, ...], tuple[int, int]] | None:
    """The places in a file; None where something is wrong with it, for then words count as well."""
    parsed = _parsed(data, "")
    return None if parsed.fault is not None or parsed.doubled else parsed.places


def _parsed(data: bytes, file: str) -> ValuesFile:
    try:
        root = libyaml.compose(data, tags="none")
    except libyaml.Fault as fault:
        return ValuesFile(file, {}, subjects.Place(file, fault.line, fault.column))
    places: dict[tuple[str | int, ...], tuple[int, int]] = {}
    doubled: list[tuple[tuple[str | int, ...], tuple[int, int]]] = []
    if root is not None:
        _walk(root, (), places, doubled)
    repeated = _repeated(root) if doubled else frozenset()
    return ValuesFile(file, places, None, tuple(doubled), repeated)


def _repeated(root: Any) -> frozenset[tuple[int, int]]:
    """Line and column of the keys that are there a second time with the value of the first."""
    places, waiting = set(), [root]
    while waiting:
        node = waiting.pop()
        if node.id == "sequence":
            waiting.extend(node.value)
        elif node.id == "mapping":
            before: dict[str, Any] = {}
            for key, value in node.value:
                waiting.append(value)
                if key.id == "scalar":
                    if key.value in before and _says(before[key.value]) == _says(value):
                        places.add((key.start_mark.line + 1, key.start_mark.column + 1))
                    before[key.value] = value
    return frozenset(places)


def _says(node: Any, depth: int = 0) -> Any:
    """What a node says, wherever it stands."""
    if node.id == "scalar":
        return node.id, node.tag, node.style or "", node.value
    if depth > _DEEPEST:
        return node.id, id(node)  # what goes too deep equals nothing but itself
    if node.id == "sequence":
        return node.id, [_says(value, depth + 1) for value in node.value]
    return node.id, [(key.value, _says(value, depth + 1)) for key, value in node.value]


def documents(data: bytes, file: str) -> Iterator[tuple[Any, ValuesFile]]:
    """The documents of a YAML file, each with the places of what is in it; those before a fault, if there is one."""
    try:
        for node, content in libyaml.both(data):
            places: dict[tuple[str | int, ...], tuple[int, int]] = {}
            _walk(node, (), places, [])
            yield content, ValuesFile(file, places)
    except libyaml.Fault:
        return


def missing(
    has: Mapping[str, Any],
    example: Mapping[str, Any],
    keys: tuple[str, ...] = (),
    *,
    whole: bool = False,
) -> Iterator[tuple[str, ...]]:
    """The topmost keys of some values that others lack.

    Args:
        has: The others.
        example: Values that have all keys.
        keys: Keys from the root of both to what is compared.
        whole: Whether what the others have switched off (``enabled: false``) must be complete as well.
    """
    for key, value in example.items():
        if key not in has:
            yield (*keys, str(key))
            continue
        below = has[key]
        if not isinstance(below, Mapping) or not isinstance(value, Mapping):
            continue
        if (whole or below.get("enabled") is not False) and len(keys) < _DEEPEST:
            yield from missing(below, value, (*keys, str(key)), whole=whole)


def _walk(
    node: Any,
    keys: tuple[str | int, ...],
    places: dict[tuple[str | int, ...], tuple[int, int]],
    doubled: list[tuple[tuple[str | int, ...], tuple[int, int]]],
) -> None:
    if len(keys) > _DEEPEST or len(places) > _MOST_NODES:
        return
    if node.id == "mapping":
        for key, value in node.value:
            if key.id == "scalar":
                path = (*keys, key.value)
                pointer = (key.start_mark.line + 1, key.start_mark.column + 1)
                again = path in places and key.value != "<<"
                if again:
                    doubled.append((path, pointer))
                places[path] = pointer
                # Below a doubled key everything is doubled.
                _walk(value, path, places, [] if again else doubled)
    elif node.id == "sequence":
        for index, value in enumerate(node.value):
            path = (*keys, index)
            places[path] = (value.start_mark.line + 1, value.start_mark.column + 1)
            _walk(value, path, places, doubled)
