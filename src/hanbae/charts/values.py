"""A service's values file for one environment, as hanbae edits it: the image, the sealed values.

It belongs to the team, so an edit touches one value and nothing else (:mod:`hanbae.charts.splicing`), every edit is
proved by reading the result again, and the file is replaced in one step, so that a reader, or a crash, meets either
the old file or the new one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from hanbae import errors, files, libyaml, subjects, yaml_scalars
from hanbae.charts import splicing

LARGEST_FILE: Final = 4 * 1024 * 1024
"""Bytes; a Secret of Kubernetes' largest size, sealed, is about 2 MiB."""

_MOST_NODES: Final = 100_000
_NOTHING: Final = object()
_TEXT: Final = "tag:yaml.org,2002:str"
_PLAIN: Final = bytes([0x0A, *range(0x20, 0x7F)])
_ODD: Final = "[^\u00a0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
"""Tabs, returns and marks, which parsers count and take differently; of what is not `_PLAIN`."""
_MARKS: Final = ("---", "%", "...")
"""What begins a line that is one of a document's, or a directive."""


class Values:
    """The text of a values file and the values in it. Made by :meth:`parse`.

    Attributes:
        file: What places and messages call the file.
        data: The values as plain dicts, lists and scalars; do not change them.
    """

    def __init__(self, text: str, file: str, read: _Content) -> None:
        self.file = file
        self.data: dict[str, Any] = read.data if read.data is not None else {}
        self._text = text
        self._read = read

    @classmethod
    def parse(cls, text: str, file: str) -> Values:
        """Read the text of a values file.

        Args:
            text: One YAML document whose root is a mapping, or nothing.
            file: What places and messages call the file.

        Raises:
            errors.FileFault: It is not that; the place says where.
        """
        if len(text) > LARGEST_FILE:
            raise _too_large(file)
        content = _read(text, file)
        if content.data is not None and not isinstance(content.data, dict):
            raise errors.FileFault("values.not-a-mapping", place=subjects.Place(file, 1))
        return cls(text, file, content)

    def get(self, path: str | Sequence[str], default: Any = None) -> Any:
        """A value, or the default where there is none.

        Args:
            path: Keys joined by dots, such as ``image.tag``, or one by one if a key has a dot itself.
            default: What to return for a missing key.
        """
        value: Any = self.data
        for key in _keys(path):
            if not isinstance(value, dict) or key not in value:
                return default
            value = value[key]
        return value

    def place(self, path: str | Sequence[str]) -> subjects.Place:
        """Where a value stands; for a missing one, the file."""
        node, place = self._read.root, subjects.Place(self.file)
        for key in _keys(path):
            entries = node.value if node is not None and node.id == "mapping" else ()
            for name, value in entries:
                if name.value == key:
                    mark = name.start_mark
                    place = subjects.Place(self.file, mark.line + 1, mark.column + 1)
                    node = value
                    break
            else:
                return subjects.Place(self.file)
        return place

    def set(self, path: str | Sequence[str], value: splicing.Scalar) -> None:
        """Set one value; missing mappings on the way are made.

        Raises:
            errors.FileFault: The file is built so that this cannot be done without changing more than that.
        """
        self.update({tuple(_keys(path)): value})

    def update(self, changes: Mapping[tuple[str, ...], splicing.Scalar]) -> None:
        """Set many values at once: all of them, or none when one is refused.

        Raises:
            errors.FileFault: As `set`.
        """
        changed = _with(self.data, changes)
        if _is_same(changed, self.data):
            return
        self._edit(
            changed,
            lambda root: splicing.splice(self._text, root, changes, self.file),
            self.place(next(iter(changes))),
        )

    def remove(self, paths: Collection[tuple[str, ...]]) -> None:
        """Take out entries of mappings: all of them, or none when one is refused.

        Raises:
            errors.FileFault: As `set`.
        """
        present = [path for path in paths if self.get(path, _NOTHING) is not _NOTHING]
        if not present:
            return
        changed = _without(self.data, present)
        self._edit(
            changed,
            lambda root: splicing.cut(self._text, root, present, self.file),
            self.place(present[0]),
        )

    def _edit(
        self, changed: dict[str, Any], edited: Callable[[Any], str], place: subjects.Place
    ) -> None:
        """Take an edited text if it says what it should; where libyaml's places mislead, by ruamel's."""
        text = edited(self._read.root)
        content = _content(text, self.file)
        if self._read.quick and (content is None or not _is_same(content.data, changed)):
            text = edited(_by_ruamel(self._text, self.file).root)
            content = _content(text, self.file)
        if content is None or not _is_same(content.data, changed):
            # An alias or a merge key that spreads the change, or a layout that the splicer does not know.
            raise errors.FileFault("values.cannot-edit", place=place)
        self._text, self._read, self.data = text, content, changed

    def text(self) -> str:
        """The whole text, edits included."""
        return self._text


def read(path: Path, file: str) -> Values:
    """The values of a file.

    Args:
        path: The file.
        file: What places and messages call it.

    Raises:
        errors.FileFault: It is not there, not UTF-8, or not a values file.
    """
    return Values.parse(text_of(path, file), file)


def text_of(path: Path, file: str) -> str:
    """The text of a file of a chart, its lines ended as they are.

    Args:
        path: The file.
        file: What places and messages call it.

    Raises:
        errors.FileFault: It is not there, too large, or not UTF-8.
    """
    try:
        if path.exists() and not path.is_file():  # reading a named pipe would wait for ever
            raise errors.FileFault("values.not-a-file", place=subjects.Place(file))
        with path.open("rb") as opened:
            data = opened.read(LARGEST_FILE + 1)
        if len(data) > LARGEST_FILE:
            raise _too_large(file)
        return data.decode("utf-8")
    except FileNotFoundError as error:
        raise errors.FileFault("values.missing", place=subjects.Place(file)) from error
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise errors.FileFault("values.not-utf8", place=subjects.Place(file, line)) from error
    except OSError as error:
        reason = files.reason(error)
        raise errors.FileFault(
            "values.unreadable", place=subjects.Place(file), reason=reason
        ) from error


@contextmanager
def editing(path: Path, file: str) -> Iterator[Values]:
    """Edit a values file: read under a lock, and replaced in one step when the block ends without an error.

    Two commands that edit the same file at the same time follow one another; neither loses the other's values.

    Args:
        path: The file. It must be a file itself: a link would be replaced, or its target in another folder changed.
        file: What places and messages call it.

    Raises:
        errors.FileFault: As :func:`read`, or it is a link, or it cannot be replaced; then it is as it was.
    """
    with locked({path: file}):
        values = read(path, file)
        before = values.text()
        yield values
        if values.text() != before:
            replace_all({path: (file, values.text())})


@contextmanager
def locked(paths: Mapping[Path, str]) -> Iterator[None]:
    """Keep others from editing some files, or those beside them, until the block ends.

    Args:
        paths: The files → what places and messages call them.

    Raises:
        errors.FileFault: One is a link, or its folder is not there.
    """
    for path, file in paths.items():
        if path.is_symlink():
            raise errors.FileFault("values.link", place=subjects.Place(file))
        if not path.parent.is_dir():
            raise errors.FileFault("values.missing", place=subjects.Place(file))
    with files.locked(path.parent for path in paths):
        yield


def replace_all(texts: Mapping[Path, tuple[str, str]]) -> None:
    """Replace files in one step: all of them, or none where one is refused.

    Args:
        texts: The files → what places and messages call them, and their text.

    Raises:
        errors.FileFault: One cannot be replaced; all of them are as they were.
    """
    try:
        files.replace_all({path: text for path, (_, text) in texts.items()})
    except OSError as error:
        names = {str(path): file for path, (file, _) in texts.items()}
        file = names.get(str(error.filename), next(iter(names.values())))
        raise errors.FileFault(
            "placing.unwritable", place=subjects.Place(file), reason=files.reason(error)
        ) from error


def _too_large(file: str) -> errors.FileFault:
    limit = str(LARGEST_FILE // 1024)
    return errors.FileFault("values.too-large", place=subjects.Place(file), limit=limit)


def _keys(path: str | Sequence[str]) -> Sequence[str]:
    return path.split(".") if isinstance(path, str) else path


def _with(
    data: dict[str, Any], changes: Mapping[tuple[str, ...], splicing.Scalar]
) -> dict[str, Any]:
    """A copy of the data with the changes in it; what is not a mapping on the way is replaced."""
    changed = dict(data)
    copied: dict[tuple[str, ...], dict[str, Any]] = {(): changed}
    for path, value in changes.items():
        for depth in range(1, len(path)):
            above, prefix = copied[path[: depth - 1]], path[:depth]
            if prefix not in copied:
                inner = above.get(path[depth - 1])
                copied[prefix] = dict(inner) if isinstance(inner, dict) else {}
                above[path[depth - 1]] = copied[prefix]
        copied[path[:-1]][path[-1]] = value
    return changed


def _without(data: dict[str, Any], paths: Collection[tuple[str, ...]]) -> dict[str, Any]:
    """A copy of the data without these entries, which are there."""
    changed = dict(data)
    for key in dict.fromkeys(path[0] for path in paths):
        inner = [path[1:] for path in paths if path[0] == key]
        if () in inner:
            del changed[key]
        else:
            changed[key] = _without(changed[key], inner)
    return changed


def _is_same(first: Any, second: Any) -> bool:
    """Whether two values are the same, their types and the order of their keys included: 1 is neither 1.0 nor true."""
    if type(first) is not type(second):
        return False
    if isinstance(first, dict):
        return list(first) == list(second) and all(map(_is_same, first.values(), second.values()))
    if isinstance(first, list):
        return len(first) == len(second) and all(map(_is_same, first, second))
    # NaN is not equal to itself.
    return bool(first == second) or repr(first) == repr(second)


class _Content(NamedTuple):
    """What a text holds: the parser's root node, the plain data, and whether libyaml read it."""

    root: Any
    data: Any
    quick: bool


def _content(text: str, file: str) -> _Content | None:
    """What a text holds; None where it cannot be read."""
    try:
        return _read(text, file)
    except errors.FileFault:
        return None


def _read(text: str, file: str) -> _Content:
    try:
        return _by_libyaml(text) or _by_ruamel(text, file)
    except libyaml.Depth as fault:
        place = subjects.Place(file, fault.line, fault.column)
        raise errors.FileFault("values.syntax", place=place, problem=str(fault)) from fault
    except libyaml.Excess as fault:
        place = subjects.Place(file, fault.line, fault.column)
        raise errors.FileFault("values.too-many-values", place=place) from fault


def _is_odd(text: str) -> bool:
    """Whether a text has what parsers count or take differently; a megabyte of sealed values is plain at a glance."""
    rest = text.encode("utf-8", "surrogatepass").translate(None, _PLAIN)
    return bool(rest and re.search(_ODD, rest.decode("utf-8", "surrogatepass"))) or any(
        line.startswith(_MARKS) for line in text.split("\n")
    )


def _by_libyaml(text: str) -> _Content | None:
    """What a plain text holds, in a tenth of the time; None for what only ruamel reads, or has the words for."""
    try:
        if _is_odd(text):
            libyaml.check(text)
            return None
        root = libyaml.compose(text)
    except (libyaml.Depth, libyaml.Excess):
        raise
    except libyaml.Fault:
        return None
    if root is None:
        return None
    try:
        data = _plain(text, root, [_MOST_NODES])
    except RecursionError:
        return None
    return None if data is _NOTHING else _Content(root, data, quick=True)


def _plain(text: str, node: Any, budget: list[int]) -> Any:
    """The data of a node; `_NOTHING` where it has an anchor, a tag, a doubled key or what else is not plain."""
    budget[0] -= 1
    start = node.start_mark.index
    if budget[0] < 0 or text[start : start + 1] in ("&", "*", "!"):
        return _NOTHING
    if node.id == "scalar":
        return node.value if node.tag == _TEXT else yaml_scalars.scalar(node.value)
    if node.id == "sequence":
        items = [_plain(text, item, budget) for item in node.value]
        return _NOTHING if _NOTHING in items else items
    data: dict[str, Any] = {}
    for key, value in node.value:
        if key.id != "scalar" or key.tag != _TEXT or key.value in data or key.value == "<<":
            return _NOTHING
        data[key.value] = _plain(text, value, budget)
        if data[key.value] is _NOTHING or _plain(text, key, budget) is _NOTHING:
            return _NOTHING
    return data


def _by_ruamel(text: str, file: str) -> _Content:
    import warnings

    from ruamel.yaml import YAML, constructor, error, nodes, resolver, tag

    class Constructor(constructor.SafeConstructor):
        """The safe one, with the types that Helm has."""

        flatten_mapping = yaml_scalars.with_keys_of_json(
            yaml_scalars.with_merges_in_order(constructor.SafeConstructor.flatten_mapping),
            libyaml.Fault,
        )

    class Resolver(resolver.VersionedResolver):
        """Which type a scalar is of, as Helm says it."""

        def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:
            if kind is nodes.ScalarNode:
                return tag.Tag(suffix=libyaml.resolved(value, implicit))
            return super().resolve(kind, value, implicit)

    libyaml.have_constructed(Constructor)
    parser = YAML(typ="safe", pure=True)
    parser.Constructor = Constructor
    parser.Resolver = Resolver
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            root = parser.compose(text)
            if root is None:
                return _Content(None, None, quick=False)
            _refuse_bombs(root, file)
            data = parser.constructor.construct_document(root)
            return _Content(root, data, quick=False)
    except libyaml.Fault as fault:
        place = subjects.Place(file, fault.line, fault.column)
        raise errors.FileFault("values.syntax", place=place, problem=str(fault)) from fault
    except error.MarkedYAMLError as fault:
        mark = fault.problem_mark or fault.context_mark
        place = (
            subjects.Place(file, mark.line + 1, mark.column + 1) if mark else subjects.Place(file)
        )
        problem = (fault.problem or fault.context or type(fault).__name__).split("\n")[0]
        # Not chained: the parser's own words may repeat a secret.
        raise errors.FileFault(
            "values.syntax", place=place, problem=libyaml.withheld(problem)
        ) from None
    except (error.YAMLError, ValueError, TypeError, AttributeError, RecursionError) as fault:
        # The parser trips over some malformed directives and escapes with whatever comes first.
        position = getattr(fault, "position", None)  # of a character that YAML does not have
        line = text.count("\n", 0, position) + 1 if isinstance(position, int) else 0
        raise errors.FileFault(
            "values.syntax", place=subjects.Place(file, line), problem=type(fault).__name__
        ) from fault


def _refuse_bombs(root: Any, file: str) -> None:
    """Aliases of aliases make a document that is small as text and endless as data."""
    weights: dict[int, int] = {}

    def weight(node: Any) -> int:
        if id(node) not in weights:
            weights[id(node)] = _MOST_NODES + 1  # an alias to something around itself
            children: list[Any] = []
            if node.id == "mapping":
                children = [child for entry in node.value for child in entry]
            elif node.id == "sequence":
                children = list(node.value)
            weights[id(node)] = 1 + sum(map(weight, children))
        if weights[id(node)] > _MOST_NODES:
            mark = node.start_mark
            place = subjects.Place(file, mark.line + 1, mark.column + 1)
            raise errors.FileFault("values.too-many-values", place=place)
        return weights[id(node)]

    weight(root)
