"""YAML by libyaml, for files of which nobody knows who wrote them.

ruamel knows comments, and takes ten times as long; whatever only reads, reads here.
What PyYAML (6.0.3) makes of a hostile file takes the process with it: its composer calls itself for each level and does
not count them, and neither aliases nor ``<<`` end before the memory does.
So a file that may go deep, or has aliases, is parsed for its events first, which needs no more than time;
:mod:`hanbae.yaml_bounds` decides how much it may hold.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Final, Literal

from hanbae import yaml_bounds, yaml_scalars

Tags = Literal["kubernetes", "core", "none"]
"""How a plain scalar is given its type: as Helm and Kubernetes do, by YAML 1.2's core schema, or not at all, which is
half the time."""

MOST_LINES: Final = 50_000
"""Lines of a file that people write; a longer one is generated, and would be read for seconds."""
_MOST_DIRECTIVES: Final = 100


Fault = yaml_bounds.Fault
Depth = yaml_bounds.Depth
Excess = yaml_bounds.Excess


class Doubled(Fault):
    """A key that a mapping has twice: some parsers take the first value, some the last, and some neither."""


def load(data: bytes | str) -> Any:
    """The one document of a file as plain data; None for an empty one. What looks like a date is text.

    Raises:
        Fault: It cannot be read, or has more than one document.
    """
    import yaml

    with _faults():
        _check(data)
        return yaml.load(data, Loader=_loader())  # noqa: S506  a safe one


def check(data: bytes | str) -> None:
    """Refuse a file that goes too deep or grows without end, before another parser reads it.

    Raises:
        Depth: It goes too deep.
        Excess: It grows.
        Fault: It cannot be read as far as that is looked for.
    """
    with _faults():
        _check(data)


def mapping(data: bytes | str) -> dict[Any, Any] | None:
    """The one document of a file if it is a mapping; None for anything else, faults and what is too long included."""
    lines = data.count(b"\n") if isinstance(data, bytes) else data.count("\n")
    if lines > MOST_LINES:
        return None
    try:
        document = load(data)
    except Fault:
        return None
    return document if isinstance(document, dict) else None


def load_all(data: bytes | str) -> Iterator[Any]:
    """The documents of a file as plain data; those before a fault, if there is one.

    Raises:
        Fault: It cannot be read.
    """
    import yaml

    with _faults():
        _check(data)
        yield from yaml.load_all(data, Loader=_loader())


def load_strictly(data: bytes | str) -> Iterator[Any]:
    """As :func:`load_all`, of a file in which every parser must read the same: a key that stands twice is a fault.

    Raises:
        Fault: It cannot be read.
        Doubled: A mapping has a key twice.
    """
    with _faults():
        _check(data)
        loader = _loader()(data)
        try:
            while loader.check_node():
                node = loader.get_node()
                _refuse_doubled(node)  # before merge keys are resolved into the nodes
                yield loader.construct_document(node)
        finally:
            loader.dispose()


def _refuse_doubled(root: Any) -> None:
    waiting, visited = [root], set()
    while waiting:
        node = waiting.pop()
        # An alias is the same node again; looking at it once is enough.
        if node is None or id(node) in visited:
            continue
        visited.add(id(node))
        if node.id == "mapping":
            keys: set[str] = set()
            for key, value in node.value:
                if key.id == "scalar" and key.value in keys:
                    raise Doubled("a key twice", key.start_mark)
                keys.add(key.value if key.id == "scalar" else "")
                waiting += [key, value]
        elif node.id == "sequence":
            waiting += node.value


def compose(data: bytes | str, *, tags: Tags = "kubernetes") -> Any:
    """The one document of a file as PyYAML's nodes, which know their places; None for an empty one.

    Args:
        data: The file.
        tags: How scalars are given their types.

    Raises:
        Fault: As `load`.
    """
    import yaml

    with _faults():
        _check(data)
        return yaml.compose(data, Loader=_typing(tags))


def compose_all(data: bytes | str, *, tags: Tags = "kubernetes") -> Iterator[Any]:
    """The documents of a file as PyYAML's nodes; those before a fault, if there is one.

    Args:
        data: The file.
        tags: How scalars are given their types.

    Raises:
        Fault: As `load_all`.
    """
    import yaml

    with _faults():
        _check(data)
        yield from yaml.compose_all(data, Loader=_typing(tags))


def both(data: bytes | str) -> Iterator[tuple[Any, Any]]:
    """The documents of a file, each as nodes and as plain data; those before a fault, if there is one.

    Raises:
        Fault: As `load_all`.
    """
    with _faults():
        _check(data)
        loader = _loader()(data)
        try:
            while loader.check_node():
                node = loader.get_node()
                yield node, loader.construct_document(node)
        finally:
            loader.dispose()


def picked(data: bytes | str, key: str, names: Collection[str]) -> dict[str, Any] | None:
    """Some of the entries of one mapping in a file that is too large to be kept: it is read event by event.

    Args:
        data: The file, whose one document is a mapping.
        key: Under which of its keys the mapping is.
        names: The keys of that mapping that are wanted.

    Returns:
        What is under those that are there, as plain data in which every scalar is text; None where there is no such
        mapping.

    Raises:
        Fault: The file cannot be read to its end, goes too deep, or has an alias in what is wanted.
    """
    import yaml

    with _faults():
        if _looked_at(data).count("%TAG") > _MOST_DIRECTIVES:
            raise Fault(f"more than {_MOST_DIRECTIVES} directives")
        # Events are read without recursion, so `_check` is not needed: `take` counts the levels.
        reading = _Picking(key, names)
        for event in yaml.parse(data, Loader=_loader()):
            reading.take(event)
        return reading.entries


class _Picking:
    """What :func:`picked` keeps, and where it is in the file."""

    def __init__(self, key: str, names: Collection[str]) -> None:
        import yaml

        self._yaml, self._path, self._names = yaml, (key,), frozenset(names)
        self.entries: dict[str, Any] | None = None
        self._open: list[tuple[bool, Any]] = []
        """Of what has begun: whether it is a mapping, and what is kept of it; None for nothing."""
        self._keys: list[str | None] = []
        """Of each of these: the key whose value comes next, where it is a mapping."""

    def take(self, event: Any) -> None:
        yaml = self._yaml
        if isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            if len(self._open) >= yaml_bounds.DEEPEST:
                raise yaml_bounds.too_deep(event.start_mark)
            mapping = isinstance(event, yaml.MappingStartEvent)
            content = self._begun({} if mapping else [])
            self._open.append((mapping, content))
            self._keys.append(None)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self._open.pop()
            self._keys.pop()
            self._pass_by()
        elif isinstance(event, yaml.ScalarEvent):
            self._scalar(event.value)
        elif isinstance(event, yaml.AliasEvent):
            if self._open and self._open[-1][1] is not None:
                raise Fault("an alias", event.start_mark)
            # Not followed: whatever it stands for, it is one key or one value.
            self._scalar("")

    def _begun(self, fresh: Any) -> Any:
        """What is kept of a collection that begins here."""
        if self._is_wanted():
            self._add(fresh)
            return fresh
        if len(self._open) == 1 and self._keys == [self._path[0]] and isinstance(fresh, dict):
            self.entries = {}
        return None

    def _is_wanted(self) -> bool:
        if not self._open:
            return False
        if self._open[-1][1] is not None:
            return True
        at_names = len(self._keys) == len(self._path) + 1 and self._keys[0] == self._path[0]
        return at_names and self.entries is not None and self._keys[1] in self._names

    def _scalar(self, text: str) -> None:
        if self._open and self._open[-1][0] and self._keys[-1] is None:
            self._keys[-1] = text
            return
        if self._is_wanted():
            self._add(text)
        self._pass_by()

    def _add(self, value: Any) -> None:
        around, key = self._open[-1][1], self._keys[-1]
        if around is None:
            assert self.entries is not None  # noqa: S101  what is wanted is in it
            self.entries[str(key)] = value
        elif isinstance(around, dict):
            around[str(key)] = value
        else:
            around.append(value)

    def _pass_by(self) -> None:
        """A value has ended: in a mapping, a key comes next."""
        if self._keys:
            self._keys[-1] = None


_REPEATING: Final = (
    "found undefined alias",
    "found duplicate anchor",
    "found undefined tag handle",
    "could not determine a constructor for the tag",
)
"""What parsers say of a name that a text has, and then the name."""


def withheld(problem: str) -> str:
    """A parser's words without what they repeat of a text.

    That may be a secret: a password that begins with an asterisk or an exclamation mark, and has no quotes, is an
    alias or a tag.

    Args:
        problem: What PyYAML or ruamel says.
    """
    for words in _REPEATING:
        before, named, _ = problem.partition(words)
        if named:
            return before + named
    # ruamel's of a key that stands twice: its name, and both of its values.
    before, named, rest = problem.partition("found duplicate key")
    return before + named + rest.partition(" with value ")[0] if named else problem


@contextmanager
def _faults() -> Iterator[None]:
    import yaml

    try:
        yield
    except yaml.YAMLError as error:
        parts = [getattr(error, part, None) for part in ("context", "problem")]
        why = ", ".join(filter(None, parts)) or str(error)
        raise Fault(withheld(why), getattr(error, "problem_mark", None)) from None
    except Fault:
        raise
    except Exception:  # noqa: BLE001  what PyYAML makes of "!!int", "!!bool maybe", "!!timestamp x"
        # Python's own words repeat the value, which may be a secret.
        raise Fault("a value is not what its tag says") from None


# What ends a line but is no newline, what can stand before a line's head, and what is not of one byte (UTF-16).
_ODD: Final = ("\r", "\x85", "\u2028", "\u2029", "\ufeff")
_ODD_BYTES: Final = ("\r", "\0", "\xc2\x85", "\xe2\x80\xa8", "\xe2\x80\xa9", "\xef\xbb\xbf")


def _check(data: bytes | str) -> None:
    """Refuse what goes too deep or grows without end; most files are known not to without being parsed."""
    text = _looked_at(data)
    if "%" in text and text.count("%TAG") > _MOST_DIRECTIVES:
        # libyaml compares each of them with all before it.
        raise Fault(f"more than {_MOST_DIRECTIVES} directives")
    if at_most(data) > yaml_bounds.DEEPEST or ("&" in text and "*" in text):
        import yaml

        yaml_bounds.check(yaml.parse(data, Loader=_loader()))


def _looked_at(data: bytes | str) -> str:
    """A file as text in which each byte is a letter: what is looked for here is ASCII."""
    return data if isinstance(data, str) else data.decode("latin-1")


def at_most(data: bytes | str) -> float:
    """Levels that a file surely has not more of, aliases not followed; infinite where only parsing tells.

    Each bracket can be a list and a mapping of one key in it; elsewhere a mapping in a mapping stands further to the
    right, and a list may stand where the mapping around it does.
    """
    text = _looked_at(data)
    odd = _ODD if isinstance(data, str) else _ODD_BYTES
    if any(mark in text for mark in odd):
        return math.inf
    return 2 * (text.count("[") + text.count("{") + _deepest_head(text) + 1)


def _deepest_head(text: str) -> int:
    """Characters of the longest of its lines' heads: what is left of a line without what a head can be of."""
    return max(len(line) - len(line.lstrip(" \t?:-")) for line in text.split("\n"))


_YAML: Final = "tag:yaml.org,2002:"
_TEXT: Final = f"{_YAML}str"
_MERGE: Final = yaml_scalars.MERGE


def resolved(text: str, implicit: tuple[bool, bool]) -> str:
    """The tag of a scalar without one.

    Args:
        text: The scalar.
        implicit: Whether it stands without quotes, and whether it is in some, as parsers have it.
    """
    if not implicit[0]:
        return _TEXT
    if text == "<<":
        return _MERGE
    return (
        f"{_YAML}{yaml_scalars.kind(yaml_scalars.scalar(text))}"
        if text[:1] in yaml_scalars.BEGINS
        else _TEXT
    )


def have_constructed(constructor: Any) -> None:
    """Have a constructor, PyYAML's or ruamel's, make of scalars what their texts say.

    Raises:
        Fault: When it meets a scalar whose tag says another type than its text.
    """

    def constructed(self: Any, node: Any) -> Any:
        value = yaml_scalars.scalar(self.construct_scalar(node))
        # `!!float 1` is a number all the same; of any other tag the text must be one of its type.
        if str(node.tag) == f"{_YAML}float" and type(value) is int:
            return float(value)
        if f"{_YAML}{yaml_scalars.kind(value)}" != str(node.tag):
            # Not the value itself, which may be a secret.
            raise Fault(f"the value is no {str(node.tag).rpartition(':')[2]}", node.start_mark)
        return value

    for kind in ("null", "bool", "int", "float"):
        constructor.add_constructor(f"{_YAML}{kind}", constructed)
    # Where it is no key it merges nothing.
    constructor.add_constructor(_MERGE, lambda self, node: self.construct_scalar(node))


def _typing(tags: Tags) -> Any:
    """The loader that gives scalars their types so."""
    return {"kubernetes": _loader, "core": _core, "none": _untyped}[tags]()


@cache
def _loader() -> Any:
    import yaml

    # PyYAML can be built without libyaml.
    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):  # type: ignore[misc]
        """PyYAML's safe one, with the types that Helm and Kubernetes have."""

        flatten_mapping = yaml_scalars.with_keys_of_json(
            yaml_scalars.with_merges_in_order(base.flatten_mapping), Fault
        )

        def resolve(self, kind: Any, value: Any, implicit: Any) -> str:
            if kind is not yaml.ScalarNode:
                return f"{_YAML}{'seq' if kind is yaml.SequenceNode else 'map'}"
            return resolved(value, implicit)

    have_constructed(Loader)
    return Loader


@cache
def _core() -> Any:
    import yaml

    class Core(_loader()):  # type: ignore[misc]
        """A loader of its own, because its methods are the class's."""

        def resolve(self, kind: Any, value: Any, implicit: Any) -> str:
            if kind is not yaml.ScalarNode:
                return f"{_YAML}{'seq' if kind is yaml.SequenceNode else 'map'}"
            return f"{_YAML}{yaml_scalars.core(value) if implicit[0] else 'str'}"

    return Core


@cache
def _untyped() -> Any:
    class Untyped(_loader()):  # type: ignore[misc]
        """A loader of its own, because its methods are the class's."""

        def resolve(self, *_: object) -> str:
            return f"{_YAML}str"

        def descend_resolver(self, *_: object) -> None:
            pass

        ascend_resolver = descend_resolver

    return Untyped
