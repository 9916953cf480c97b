"""Changes single values in YAML text and leaves every other byte as it is.

People own values files: their comments, blank lines, quotes and alignment are part of the diff that a colleague
reviews.
Re-writing the document from a parsed tree always loses some of that, so the parser is only asked *where* things are,
and the text itself is cut and joined.
The caller proves the result by parsing it again (:mod:`hanbae.charts.values`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from hanbae import errors, patterns, subjects

Path = tuple[str, ...]
Scalar = str | int | bool
Tree = dict[str, Any]
Edit = tuple[int, int, str]
"""Replace text[start:end] by this."""

# What YAML 1.1 (Helm's) and 1.2 both take for text without quotes: a letter first, and none of their words.
_PLAIN: Final = patterns.lazy(r"[A-Za-z][A-Za-z0-9_./+=@:-]*(?<!:)")
_WORDS: Final = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})


def splice(text: str, root: Any, changes: Mapping[Path, Scalar], file: str) -> str:
    """The text with these values set.

    Args:
        text: One YAML document.
        root: The parser's node of it; None for a document without content.
        changes: Key path to new value. Missing keys and mappings are made, after what is already there.
        file: What places call the file.

    Raises:
        errors.FileFault: A path leads through something that is not a mapping, or a value has an anchor or a tag.
    """
    # Then each line has an end behind which something can be put (`after_line`).
    if text and not text.endswith("\n"):
        text += _newline(text)
    # By place alone: what is put in at the same place stays in the order in which it was made.
    edits = sorted(_Splicer(text, file).edits(root, changes), key=lambda edit: edit[:2])
    pieces, last = [], 0
    for start, end, new in edits:
        pieces += [text[last:start], new]
        last = end
    return "".join([*pieces, text[last:]])


def cut(text: str, root: Any, paths: Collection[Path], file: str) -> str:
    """The text without some entries of its mappings; comments between entries stay.

    Args:
        text: One YAML document.
        root: The parser's node of it.
        paths: Key paths of the entries; what is not there is no fault.
        file: What places call the file.

    Raises:
        errors.FileFault: An entry stands in braces, where its end cannot be told from its text.
    """
    if text and not text.endswith("\n"):
        text += _newline(text)
    splicer = _Splicer(text, file)
    below: dict[Path, set[str]] = {}
    for path in paths:
        below.setdefault(path[:-1], set()).add(path[-1])
    edits = [edit for path, keys in below.items() for edit in splicer.removals(root, path, keys)]
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text


def token(value: Scalar, *, style: str | None = None, flow: bool = False) -> str:
    """A scalar as YAML that every parser reads back as the same value and type.

    Args:
        value: The value.
        style: ``'`` or ``"`` to keep an existing value's quotes, where they can hold it.
        flow: Whether it stands inside braces, where plain text has fewer characters.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if style == "'" and value.isprintable():
        return "'" + value.replace("'", "''") + "'"
    if style is None and not flow and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return '"' + "".join(map(_escaped, value)) + '"'


def _escaped(character: str) -> str:
    """YAML's escapes; JSON's are not the same beyond the first 65,536 characters."""
    if character in '\\"':
        return f"\\{character}"
    if character.isprintable():
        return character
    return f"\\U{ord(character):08x}"


class _Splicer:
    def __init__(self, text: str, file: str) -> None:
        self.text = text
        self.file = file
        self.newline = _newline(text)
        self.step = 2

    def edits(self, root: Any, changes: Mapping[Path, Scalar]) -> Iterator[Edit]:
        """What to replace, in no order."""
        self.step = _step(root)
        tree: Tree = {}
        for path, value in changes.items():
            branch = tree
            for key in path[:-1]:
                branch = branch.setdefault(key, {})
            branch[path[-1]] = value
        end = len(self.text)
        if root is None or _is_nothing(root):
            if root is not None:
                yield root.start_mark.index, root.end_mark.index, ""
            yield end, end, self.lines(tree, 0)
        else:
            yield from self.mapping(root, tree)

    def mapping(self, node: Any, tree: Tree) -> Iterator[Edit]:
        """Set a tree of values inside a node that is a mapping."""
        if node.id != "mapping":
            raise errors.FileFault("values.not-a-mapping", place=_place(self.file, node))
        missing: Tree = dict(tree)
        flow = bool(node.flow_style)
        for key, value in node.value:
            if key.id == "scalar" and key.value in missing:
                yield from self.entry(key, value, missing.pop(key.value), flow=flow)
        if missing and flow:
            close = node.end_mark.index - 1
            # A comma may stand at the end already: `{a: 1,}`.
            comma = "" if self.text[:close].rstrip().endswith((",", "{")) else ", "
            yield close, close, comma + self.flow(missing)[1:-1]
        elif missing:
            index = self.after_line(self.end(*node.value[-1]))
            yield index, index, self.lines(missing, node.value[0][0].start_mark.column)

    def entry(self, key: Any, value: Any, new: Tree | Scalar, *, flow: bool) -> Iterator[Edit]:
        """Set what is below one key that is there already."""
        colon = self.colon(key, value)
        if not isinstance(new, dict):
            yield self.scalar(value, new, colon, flow=flow)
            return
        if not _is_nothing(value):
            yield from self.mapping(value, new)
            return
        self.refuse_properties(value)
        if flow:
            yield (
                colon,
                colon if _is_empty_scalar(value) else value.end_mark.index,
                f" {self.flow(new)}",
            )
            return
        end = colon if _is_empty_scalar(value) else value.end_mark.index
        index = self.after_line(end)
        # With a comment behind it only the value goes, and the comment keeps its distance.
        if end > colon:
            alone = not self.text[end:index].strip()
            yield colon if alone else value.start_mark.index, end, ""
        yield index, index, self.lines(new, key.start_mark.column + self.step)

    def scalar(self, node: Any, value: Scalar, colon: int, *, flow: bool) -> Edit:
        """Replace one value, in its own quotes."""
        if node.id != "scalar":
            raise errors.FileFault("values.not-a-value", place=_place(self.file, node))
        self.refuse_properties(node)
        start, end = node.start_mark.index, node.end_mark.index
        if _is_empty_scalar(node):
            return colon, colon, f" {token(value, flow=flow)}"
        # The parser counts the line ends below a block scalar in.
        if node.style in ("|", ">"):
            length = len(self.text[start:end].rstrip())
            return start, start + length, token(value, flow=flow)
        return start, end, token(value, style=node.style or None, flow=flow)

    def removals(self, root: Any, path: Path, keys: Collection[str]) -> Iterator[Edit]:
        """Take entries out of the mapping at a path; what is left of it may be nothing."""
        node, colon = root, 0
        for part in path:
            entries = node.value if node is not None and node.id == "mapping" else ()
            match = next(((key, value) for key, value in entries if key.value == part), None)
            if match is None:
                return
            colon, node = self.colon(*match), match[1]
        if node is None or node.id != "mapping":
            return
        removed = [(key, value) for key, value in node.value if key.value in keys]
        if removed and node.flow_style:
            raise errors.FileFault("values.cannot-edit", place=_place(self.file, removed[0][0]))
        for key, value in removed:
            start = key.start_mark.index - key.start_mark.column
            yield start, self.after_line(self.end(key, value)), ""
        # A key with nothing below it would be null.
        if removed and len(removed) == len(node.value) and path:
            yield colon, colon, " {}"

    def lines(self, tree: Tree, column: int) -> str:
        """New entries of a block mapping."""
        written = ""
        for key, value in tree.items():
            written += " " * column + token(key)
            if isinstance(value, dict):
                written += f":{self.newline}{self.lines(value, column + self.step)}"
            else:
                written += f": {token(value)}{self.newline}"
        return written

    def flow(self, tree: Tree) -> str:
        """New entries of a mapping in braces."""
        entries = (
            f"{token(key, flow=True)}: "
            + (self.flow(value) if isinstance(value, dict) else token(value, flow=True))
            for key, value in tree.items()
        )
        return "{" + ", ".join(entries) + "}"

    def end(self, key: Any, value: Any) -> int:
        """Where an entry's own text ends: the parser counts the comments and blank lines below it in."""
        if _is_empty_scalar(value):
            return self.colon(key, value)
        if value.id == "mapping" and not value.flow_style:
            return self.end(*value.value[-1])
        if value.id == "sequence" and not value.flow_style:
            last = value.value[-1]
            if last.id == "mapping" and not last.flow_style:
                return self.end(*last.value[-1])
            return len(self.text[: last.end_mark.index].rstrip())
        return len(self.text[: value.end_mark.index].rstrip())

    def colon(self, key: Any, value: Any) -> int:
        """Where an entry's colon ends; YAML allows an entry without one, as in ``? key`` and ``{key}``."""
        index = self.text.find(":", key.end_mark.index)
        if index < 0:
            raise errors.FileFault("values.cannot-edit", place=_place(self.file, key))
        return index + 1

    def after_line(self, index: int) -> int:
        """The beginning of the next line."""
        return self.text.index("\n", index) + 1

    def refuse_properties(self, node: Any) -> None:
        """Whoever gave a value an anchor or a tag meant something by it that a new value would break."""
        if self.text[node.start_mark.index : node.start_mark.index + 1] in ("&", "!"):
            raise errors.FileFault("values.anchored", place=_place(self.file, node))


def _is_empty_scalar(node: Any) -> bool:
    return bool(node.id == "scalar" and node.start_mark.index == node.end_mark.index)


def _is_nothing(node: Any) -> bool:
    if node.id == "mapping":
        return not node.value
    return bool(node.id == "scalar" and node.tag == "tag:yaml.org,2002:null")


def _step(root: Any) -> int:
    """How far the file itself indents a mapping below its key."""
    if root is None or root.id != "mapping":
        return 2
    for key, value in root.value:
        if value.id == "mapping" and value.value and not value.flow_style:
            step: int = value.value[0][0].start_mark.column - key.start_mark.column
            return step
    return 2


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _place(file: str, node: Any) -> subjects.Place:
    return subjects.Place(file, node.start_mark.line + 1, node.start_mark.column + 1)
