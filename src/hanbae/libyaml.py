"""YAML by libyaml, for files of which nobody knows who wrote them.

ruamel knows comments, and takes ten times as long; whatever only reads, reads here.
PyYAML's composer calls itself for each level and does not count them: some twenty thousand brackets, 20 KB of a file,
end the process (6.0.3). So how deep a file goes is looked at before it is composed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Final, Literal

Tags = Literal["1.1", "core", "none"]
"""How a plain scalar is given its type: by YAML 1.1 as PyYAML does, by YAML 1.2's core schema, or not at all, which
is half the time."""

DEEPEST: Final = 500
"""Levels of a file that is read at all; what people write has a dozen."""
_SURELY: Final = 5000
"""Levels that the composer surely survives."""
_MOST_MERGED: Final = 100_000
"""Keys that ``<<`` may bring into the mappings of one file."""
_START: Final = frozenset({"MappingStartEvent", "SequenceStartEvent"})
_END: Final = frozenset({"MappingEndEvent", "SequenceEndEvent"})


class Fault(ValueError):
    """A file that is no YAML, or goes too deep.

    Attributes:
        line: Where, counted from 1; 0 where nobody knows.
        column: Likewise.
    """

    def __init__(self, why: str, mark: Any = None) -> None:
        super().__init__(why)
        self.line = mark.line + 1 if mark is not None else 0
        self.column = mark.column + 1 if mark is not None else 0


def load(data: bytes | str) -> Any:
    """The one document of a file as plain data; None for an empty one.

    Raises:
        Fault: It is no YAML, goes too deep, or has more than one document.
    """
    import yaml

    with _faults():
        _check_depth(data)
        return yaml.load(data, Loader=_loader())  # noqa: S506  a safe one


def load_all(data: bytes | str, *, dates: bool = True) -> Iterator[Any]:
    """The documents of a file as plain data; those before a fault, if there is one.

    Args:
        data: The file.
        dates: Whether what looks like a date is one; Kubernetes has none.

    Raises:
        Fault: It is no YAML, or goes too deep.
    """
    import yaml

    with _faults():
        _check_depth(data)
        yield from yaml.load_all(data, Loader=_loader() if dates else _without_dates())


def compose(data: bytes | str, *, tags: Tags = "1.1") -> Any:
    """The one document of a file as PyYAML's nodes, which know their places; None for an empty one.

    Args:
        data: The file.
        tags: How scalars are given their types.

    Raises:
        Fault: As `load`.
    """
    import yaml

    with _faults():
        _check_depth(data)
        return yaml.compose(data, Loader={"1.1": _loader, "core": _core, "none": _untyped}[tags]())


def compose_all(data: bytes | str) -> Iterator[Any]:
    """The documents of a file as PyYAML's nodes; those before a fault, if there is one.

    Raises:
        Fault: As `load_all`.
    """
    import yaml

    with _faults():
        _check_depth(data)
        yield from yaml.compose_all(data, Loader=_loader())


def both(data: bytes | str) -> Iterator[tuple[Any, Any]]:
    """The documents of a file, each as nodes and as plain data; those before a fault, if there is one.

    Raises:
        Fault: As `load_all`.
    """
    with _faults():
        _check_depth(data)
        loader = _loader()(data)
        try:
            while loader.check_node():
                node = loader.get_node()
                yield node, loader.construct_document(node)
        finally:
            loader.dispose()


@contextmanager
def _faults() -> Iterator[None]:
    import yaml

    try:
        yield
    except yaml.YAMLError as error:
        why = getattr(error, "problem", None) or str(error)
        raise Fault(why, getattr(error, "problem_mark", None)) from None
    except RecursionError:
        raise Fault(_TOO_DEEP) from None
    except Fault:
        raise
    except Exception as error:  # noqa: BLE001  what PyYAML makes of "!!int", "!!bool maybe", a date of the 32nd
        raise Fault(f"{type(error).__name__}: {error}") from None


_TOO_DEEP: Final = f"more than {DEEPEST} levels"


def _check_depth(data: bytes | str) -> None:
    """Refuse what goes too deep; most files are known not to without being parsed."""
    if _at_most(data) <= _SURELY:
        return
    import yaml

    depth = 0
    for event in yaml.parse(data, Loader=_loader()):
        name = type(event).__name__
        depth += (name in _START) - (name in _END)
        if depth > DEEPEST:
            raise Fault(_TOO_DEEP, event.start_mark)


def _at_most(data: bytes | str) -> int:
    """Levels that a file surely has not more of.

    Between brackets and braces each level is one of them; elsewhere a mapping in a mapping stands further to the
    right, and a list may stand where the mapping around it does.
    """
    if isinstance(data, str):
        return data.count("[") + data.count("{") + 2 * max(map(len, data.split("\n")))
    return data.count(b"[") + data.count(b"{") + 2 * max(map(len, data.split(b"\n")))


@cache
def _loader() -> Any:
    import yaml

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        """PyYAML's safe one, which does not merge without end: each ``<<`` of two aliases doubles what they hold."""

        merged = 0

        def flatten_mapping(self, node: Any) -> None:
            before = len(node.value)
            super().flatten_mapping(node)
            self.merged += max(len(node.value) - before, 0)
            if self.merged > _MOST_MERGED:
                raise Fault(f"more than {_MOST_MERGED} merged keys", node.start_mark)

    return Loader


@cache
def _without_dates() -> Any:
    import yaml

    class Loader(_loader()):  # type: ignore[misc]
        """A loader of its own, because the resolvers belong to the class."""

    Loader.yaml_implicit_resolvers = {
        first: [(tag, form) for tag, form in forms if tag != "tag:yaml.org,2002:timestamp"]
        for first, forms in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    return Loader


_CORE: Final = (
    ("null", re.compile(r"~|null|Null|NULL|")),
    ("bool", re.compile(r"true|True|TRUE|false|False|FALSE")),
    ("int", re.compile(r"[-+]?(?:0b[01_]+|0o?[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)")),
    (
        "float",
        re.compile(
            r"[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?"
            r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
        ),
    ),
)
"""The core schema (YAML 1.2.2, 10.3.2), and with it what ruamel has always taken for numbers: 1_000, 0b101, 017."""


@cache
def _core() -> Any:
    import yaml

    class Core(_loader()):  # type: ignore[misc]
        """A loader of its own, because its methods are the class's."""

        def resolve(self, kind: Any, value: Any, implicit: Any) -> str:
            if kind is yaml.ScalarNode and implicit[0]:
                for tag, form in _CORE:
                    if form.fullmatch(value):
                        return f"tag:yaml.org,2002:{tag}"
            return str(
                {
                    yaml.SequenceNode: _loader().DEFAULT_SEQUENCE_TAG,
                    yaml.MappingNode: _loader().DEFAULT_MAPPING_TAG,
                }.get(kind, _loader().DEFAULT_SCALAR_TAG)
            )

    return Core


@cache
def _untyped() -> Any:
    class Untyped(_loader()):  # type: ignore[misc]
        """A loader of its own, because its methods are the class's."""

        def resolve(self, *_: object) -> str:
            return "tag:yaml.org,2002:str"

        def descend_resolver(self, *_: object) -> None:
            pass

        ascend_resolver = descend_resolver

    return Untyped
