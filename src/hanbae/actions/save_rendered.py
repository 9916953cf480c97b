"""A tree of rendered manifests, fit for a branch that holds nothing else: stable names, stable bytes.

``<environment>/<service>/<kind>-<name>.yaml``, one object a file.
A file at the top lists what is hanbae's, so that only that is ever replaced or removed.
Everything is written beside its place first; only when all of it is there is anything changed.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from hanbae import errors, files, foreign_json, patterns
from hanbae.actions import render
from hanbae.charts import writing
from hanbae.policy import boundaries

MARKER: Final = ".hanbae-rendered.json"
_STAGING: Final = ".hanbae-staging-"
_UNSAFE: Final = patterns.lazy(r"[^a-z0-9._-]")
# A name may have 255 bytes; a digest or a number, and the suffix, come behind this.
_LONGEST: Final = 200
_LARGEST_MARKER: Final = 16 * 1024 * 1024


class Saved(Struct, frozen=True):
    """What was done to a tree.

    Attributes:
        written: Files that are new or have changed.
        removed: Files that are no longer rendered.
        unchanged: How many are as they were.
    """

    written: tuple[str, ...]
    removed: tuple[str, ...]
    unchanged: int


class _Marker(Struct):
    format: int = 1
    files: list[str] = []


class Tree:
    """A tree that is being written. Made by :func:`writing_to`."""

    def __init__(self, root: Path, staging: Path, *, secrets: bool) -> None:
        self._root, self._staging, self._secrets = root, staging, secrets
        self._staged: list[str] = []
        self._covered: set[str] = set()
        self.result: Saved | None = None

    def add(self, release: render.Release) -> None:
        """Write a release beside the tree.

        Raises:
            hanbae.errors.Refused: It has a Secret in clear.
            hanbae.errors.Failed: It cannot be written.
        """
        folder = f"{_safe(release.environment)}/{_safe(release.service)}"
        self._covered.add(folder)
        used: set[str] = set()
        for manifest in release.objects:
            if not self._secrets and _is_in_clear(manifest):
                name = str((manifest.get("metadata") or {}).get("name") or "-")
                raise errors.Refused(
                    "render.secret-in-clear",
                    service=release.service, environment=release.environment, name=name,
                )  # fmt: skip
            base = name = _file_name(manifest)
            number = 2
            while name in used:
                name, number = f"{base}-{number}", number + 1
            used.add(name)
            path = f"{folder}/{name}.yaml"
            target = self._staging / path
            with _writes_to(self._root):
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(writing.document(manifest))
            self._staged.append(path)

    def finish(self) -> Saved:
        """Bring everything to its place, and remove what is no longer rendered of the services that were.

        Raises:
            hanbae.errors.Refused: A file of somebody else's is in the way, or a link.
            hanbae.errors.Failed: It cannot be written.
        """
        with _writes_to(self._root):
            return self._finish()

    def _finish(self) -> Saved:
        before = self._marker()
        gone = [
            p for p in before if p not in self._staged and p.rpartition("/")[0] in self._covered
        ]
        for path in (*self._staged, *gone):
            self._check(path, before)
        # What a run that is interrupted leaves must be known as ours.
        self._mark({*before, *self._staged})
        changed = [path for path in self._staged if not self._is_same(path)]
        for path in changed:
            target = self._root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            (self._staging / path).replace(target)
        for path in gone:
            (self._root / path).unlink(missing_ok=True)
            # The folders of the service and of its environment; rmdir refuses while anything is
            # left in one.
            for folder in list((self._root / path).parents)[:2]:
                with contextlib.suppress(OSError):
                    folder.rmdir()
        self._mark({*before, *self._staged} - set(gone))
        unchanged = len(self._staged) - len(changed)
        return Saved(tuple(sorted(changed)), tuple(sorted(gone)), unchanged)

    def _check(self, path: str, before: set[str]) -> None:
        target = self._root / path
        for folder in list(target.parents)[: path.count("/")]:
            if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
                raise errors.Refused("render.in-the-way", path=str(folder))
        if path not in before and os.path.lexists(target) and not self._is_same(path):
            raise errors.Refused("render.in-the-way", path=str(target))

    def _is_same(self, path: str) -> bool:
        target = self._root / path
        try:
            return (
                not target.is_symlink()
                and target.read_bytes() == (self._staging / path).read_bytes()
            )
        except OSError:
            return False

    def _marker(self) -> set[str]:
        """The files that are ours; what the marker says of other places counts for nothing."""
        try:
            data = files.ordinary(self._root / MARKER, most=_LARGEST_MARKER)
            marker = foreign_json.decode(data or b"", _Marker)
        except foreign_json.Fault:
            return set()
        return {
            path
            for path in marker.files
            # The marker comes with the branch: whatever it names would be deleted, so only names
            # that are made here count.
            if re.fullmatch(r"[a-z0-9._-]+/[a-z0-9._-]+/[a-z0-9._-]+\.yaml", path)
            and ".." not in path.split("/")
        }

    def _mark(self, paths: Iterable[str]) -> None:
        content = msgspec.json.format(msgspec.json.encode(_Marker(1, sorted(paths))), indent=1)
        staged, target = self._staging / MARKER, self._root / MARKER
        # Where nothing has changed the file keeps its time, and git sees nothing.
        if files.ordinary(target, most=_LARGEST_MARKER) != content + b"\n":
            staged.write_bytes(content + b"\n")
            staged.replace(target)


@contextlib.contextmanager
def writing_to(root: Path, *, secrets: bool = False) -> Iterator[Tree]:
    """Write a tree: add releases, then finish; without that, nothing is changed.

    Args:
        root: The folder; it is made if need be.
        secrets: Whether Secrets may be written in clear.

    Raises:
        hanbae.errors.Failed: It cannot be written.
    """
    with contextlib.ExitStack() as stack:
        with _writes_to(root):
            root = boundaries.output(root)
            root.mkdir(parents=True, exist_ok=True)
            handle = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
            stack.callback(os.close, handle)
            # Whoever writes into the same folder waits; the lock ends with the process, however
            # that ends.
            fcntl.flock(handle, fcntl.LOCK_EX)
            # Under the lock nobody else is at work here, so what is left is from a run that was
            # killed.
            for leftover in root.glob(f"{_STAGING}*"):
                shutil.rmtree(leftover, ignore_errors=True)
            staging = Path(tempfile.mkdtemp(dir=root, prefix=_STAGING))
            stack.callback(shutil.rmtree, staging, ignore_errors=True)
        # Of what else goes wrong meanwhile, such as starting a renderer, the folder is not to blame.
        yield Tree(root, staging, secrets=secrets)


@contextlib.contextmanager
def _writes_to(root: Path) -> Iterator[None]:
    """Tell an error of the system as one of the folder."""
    try:
        yield
    except OSError as error:
        reason = files.reason(error)
        raise errors.Failed("render.unwritable", path=str(root), reason=reason) from error


def _is_in_clear(manifest: dict[str, Any]) -> bool:
    return manifest.get("kind") == "Secret" and bool(
        manifest.get("data") or manifest.get("stringData")
    )


def _file_name(manifest: dict[str, Any]) -> str:
    metadata = manifest.get("metadata") or {}
    return _safe(
        f"{str(manifest['kind']).lower()}-{metadata.get('name') or metadata.get('generateName') or ''}"
    )


def _safe(name: str) -> str:
    """A file's name that no other name becomes, whatever characters a chart has put into it.

    Without capitals: on some computers two names that differ in nothing else are one file.
    """
    plain = _UNSAFE.sub("_", name.lower())[:_LONGEST]
    if plain == name and not plain.startswith("."):
        return plain
    return f"x{plain}-{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()[:8]}"
