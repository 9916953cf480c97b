"""Reads ``hanbae.yaml`` so that every fault has a place.

A policy that is read wrongly deploys wrongly, so nothing is guessed: unknown keys, doubled keys and values of the
wrong type are refused, each with file, line and column, the key's path, and the nearest key that exists.
YAML is composed to nodes (:mod:`hanbae.policy.nodes`), walked against the types of
:mod:`hanbae.policy.documents`, and only then turned into a :class:`~hanbae.policy.documents.Policy`; what the types
cannot say is in :mod:`hanbae.policy.rules`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from hanbae import errors, files, subjects
from hanbae.policy import boundaries, clones, conforming, documents, nodes, rules

NAME: Final = "hanbae.yaml"
"""The file's name, at the root of the repository."""


class Loaded(Struct, frozen=True):
    """A policy, and where in the file each part of it stands.

    Attributes:
        policy: The typed content.
        path: The file.
        root: The repository's root: the file's folder.
        places: Key path, such as ``environments.dev.sync`` or ``checklists.before[0].id``, to place.
    """

    policy: documents.Policy
    path: Path
    root: Path
    places: Mapping[str, subjects.Place]

    def place(self, key: str) -> subjects.Place:
        """Where a key stands; for a key that is left to its default, the nearest part around it."""
        return nearest(self.places, key, self.path.name)


def nearest(places: Mapping[str, subjects.Place], key: str, name: str = NAME) -> subjects.Place:
    """Where a key of a policy stands, or the nearest part around it; the file `name` where no part is there."""
    while key not in places and key:
        cut = max(key.rfind("."), key.rfind("["))
        key = key[:cut] if cut > 0 else ""
    return places.get(key, subjects.Place(name))


def find(start: Path) -> Path:
    """The policy file of a folder: the nearest ``hanbae.yaml`` upwards.

    Raises:
        errors.WrongUse: There is none, or it is another user's.
    """
    # The folders above a link's target count, not those above the link.
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / NAME).is_file():
            clones.refuse_foreign(folder / NAME)
            return folder / NAME
    raise errors.WrongUse("policy.missing", folder=str(start))


def load(path: Path) -> Loaded:
    """Read a policy file.

    Raises:
        errors.FileFault: The file is not a policy; the error's place says where.
    """
    if path.exists() and not path.is_file():  # reading a named pipe would wait for ever
        raise errors.FileFault("policy.not-a-file", place=subjects.Place(path.name))
    _refuse_link_out(path)
    try:
        with path.open("rb") as file:
            # One byte more than is allowed is enough to refuse the file.
            data = file.read(nodes.LARGEST_FILE + 1)
    except OSError as error:
        place = subjects.Place(path.name)
        raise errors.FileFault(
            "policy.unreadable", place=place, reason=files.reason(error)
        ) from error
    policy, places = parse(data, path.name)
    return Loaded(policy, path, path.parent.resolve(), places)


def _refuse_link_out(path: Path) -> None:
    """Refuse a link to something that is no file of the repository: faults quote what they find.

    A branch could otherwise have a build print the machine's files, or the credentials in a clone's own configuration.
    """
    if not path.is_symlink():
        return
    if boundaries.inside(path.parent.resolve(), path) is None:
        raise errors.FileFault("policy.link-out", place=subjects.Place(path.name))


def parse(data: bytes, name: str) -> tuple[documents.Policy, dict[str, subjects.Place]]:
    """Read the bytes of a policy file, such as those of another revision.

    Args:
        data: The file's content.
        name: How the file is called in places.

    Raises:
        errors.FileFault: The bytes are not a policy.
    """
    root = nodes.read(data, name)
    content = conforming.conform(root, documents.Policy)
    try:
        policy = msgspec.convert(content, documents.Policy, strict=True)
    except msgspec.ValidationError as error:  # what the walk does not know; it has no better place
        raise errors.FileFault("policy.invalid", place=root.place, reason=str(error)) from error
    places = nodes.places(root)
    rules.check(policy, places, name)
    return policy, places
