"""The file system that an image's layers make, as far as names, links and digests of files go.

Layers are applied one over the other as a container runtime does: a member replaces what was there, ``.wh.NAME``
removes what lower layers have as NAME, ``.wh..wh..opq`` what they have in a folder, and links never lead out of the
image. What a layer has itself no whiteout of its own takes away, wherever in the layer it stands.
Rules: OCI image-spec 1.1, ``layer.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

MOST_NODES: Final = 1_000_000
"""Files, folders and links in the tree, at most."""
LONGEST_PATH: Final = 4096
"""Characters of a path, as in Linux."""
MOST_FILES: Final = 20_000
"""Files of the one folder that is asked for."""
# As many as Linux follows in one path.
_MOST_LINKS: Final = 40
_REMOVED: Final = ".wh."
_OPAQUE: Final = ".wh..wh..opq"

Kind = Literal["file", "folder", "link", "same", "other"]


class Fault(ValueError):
    """Layers that cannot be read, or that no image needs."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A member of a layer's archive.

    Attributes:
        path: Where it belongs.
        kind: What it is; ``same`` is a hard link, ``other`` a device, a pipe or a socket.
        value: Digest of a file, target of a link.
    """

    path: str
    kind: Kind
    value: str = ""


@dataclass(frozen=True, slots=True)
class _Link:
    target: str


_Folder = dict[str, "_Node"]
_Node = _Folder | _Link | str
"""A folder, a link, or the digest of a file; an empty digest is what is no file."""


class Tree:
    """Layers, applied from the bottom up."""

    def __init__(self) -> None:
        self._root: _Folder = {}
        self._nodes = 0
        # Folders by their ids, which Python may give again when one is gone. That does no harm: the
        # new one is made in this layer, and so is pure.
        self._fresh: set[tuple[int, str]] = set()  # members of this layer: the folder, the name
        self._pure: set[int] = set()  # folders that have nothing of lower layers

    def begin_layer(self) -> None:
        """What is added from now on belongs to the next layer."""
        self._fresh.clear()
        self._pure.clear()

    def add(self, entry: Entry) -> None:
        """Apply a member of the layer.

        Raises:
            Fault: The tree has become larger than any image's.
        """
        if len(entry.path) > LONGEST_PATH:
            raise Fault("a path of more than 4096 characters")
        parts = _parts(entry.path)
        if not parts:
            return
        *above, name = parts
        if name == _OPAQUE:
            self._purify(self._find(above))
        elif name.startswith(_REMOVED):
            self._remove(self._find(above), name.removeprefix(_REMOVED))
        else:
            self._put(self._folder(above), name, entry)

    def files(self, path: str) -> dict[str, str] | None:
        """The files directly in a folder, with their digests; None where there is no such folder.

        A link counts as the file that it leads to; a folder and what is no file are left out.

        Raises:
            Fault: They are more than `MOST_FILES`.
        """
        folder = self._find(_parts(path))
        if not isinstance(folder, dict):
            return None
        digests: dict[str, str] = {}
        for name in folder:
            node = self._find([*_parts(path), name])
            if isinstance(node, str) and node:
                digests[_printable(name)] = node
        if len(digests) > MOST_FILES:
            raise Fault(f"more than {MOST_FILES} files in {path}")
        return digests

    def _remove(self, folder: _Node | None, name: str) -> None:
        """Take away what lower layers have under a name."""
        if not isinstance(folder, dict) or id(folder) in self._pure:
            return
        child = folder.get(name)
        self._purify(child)
        # A folder stays while this layer has something in it.
        if not child or not isinstance(child, dict):
            self._drop(folder, name)

    def _purify(self, folder: _Node | None) -> None:
        """Take away what lower layers have in a folder, at any depth."""
        waiting = [folder]
        within: list[tuple[_Folder, str, _Folder]] = []
        while waiting:
            current = waiting.pop()
            if not isinstance(current, dict) or id(current) in self._pure:
                continue
            self._pure.add(id(current))
            for name, child in list(current.items()):
                if isinstance(child, dict):
                    waiting.append(child)
                    within.append((current, name, child))
                else:
                    self._drop(current, name)
        for parent, name, child in reversed(within):  # the deepest first
            if not child:
                self._drop(parent, name)

    def _drop(self, folder: _Folder, name: str) -> None:
        """Take away what is in a folder, unless this layer has put it there."""
        if (id(folder), name) not in self._fresh:
            folder.pop(name, None)

    def _put(self, folder: _Folder, name: str, entry: Entry) -> None:
        present = folder.get(name)
        self._fresh.add((id(folder), name))
        if entry.kind == "folder" and isinstance(present, dict):
            return
        if present is None:
            self._count()
        node: _Node
        if entry.kind == "folder":
            node = self._new_folder()
        elif entry.kind == "link":
            node = _Link(entry.value)
        elif entry.kind == "same":
            target = self._find(_parts(entry.value), last=False)
            node = "" if target is None or isinstance(target, dict) else target
        else:
            node = entry.value
        folder[name] = node

    def _folder(self, parts: list[str]) -> _Folder:
        """The folder of a member; it is made where it is missing, or where a file is in its place."""
        folder = self._root
        for index, name in enumerate(parts):
            child = folder.get(name)
            if isinstance(child, _Link):
                child = self._find(parts[: index + 1])
            if not isinstance(child, dict):
                self._count()
                child = folder[name] = self._new_folder()
                self._fresh.add((id(folder), name))
            folder = child
        return folder

    def _find(self, parts: list[str], *, last: bool = True) -> _Node | None:
        """What is at a path, with links followed as if the image's root were the end of the world.

        Args:
            parts: Names from the root.
            last: Whether a link at the end is followed as well.
        """
        waiting, links = list(reversed(parts)), 0
        # The folders down to the present one: `..` goes up from where links have really led.
        trail: list[_Folder] = [self._root]
        node: _Node = self._root
        while waiting:
            name = waiting.pop()
            if not isinstance(node, dict):
                return None
            if name == "..":
                if len(trail) > 1:
                    trail.pop()
                node = trail[-1]
                continue
            child = node.get(name)
            if child is None:
                return None
            if isinstance(child, _Link) and (waiting or last):
                links += 1
                if links > _MOST_LINKS:
                    return None
                if child.target.startswith("/"):
                    trail = [self._root]
                node = trail[-1]
                waiting.extend(reversed(_names(child.target)))
                continue
            node = child
            if isinstance(node, dict):
                trail.append(node)
        return node

    def _new_folder(self) -> _Folder:
        """A folder of this layer."""
        folder: _Folder = {}
        self._pure.add(id(folder))
        return folder

    def _count(self) -> None:
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise Fault(f"more than {MOST_NODES} files and folders")


def _names(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]


def _parts(path: str) -> list[str]:
    """The names of a member's path from the root; ``..`` cannot lead above it."""
    parts: list[str] = []
    for part in _names(path):
        if part != "..":
            parts.append(part)
        elif parts:
            parts.pop()
    return parts


def _printable(name: str) -> str:
    """A file's name as text, where it may be any bytes."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
