"""Images that an Application, or a file beside its folder, gives to Kustomize: they win over the kustomization's.

Argo CD Image Updater writes them there, and people do; so an image that comes from there is changed there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from msgspec import Struct

from hanbae import errors, libyaml, subjects
from hanbae.argo import source_files
from hanbae.images import references
from hanbae.planning import kustomize_parameters, scalar_lines
from hanbae.releases import objects
from hanbae.repository import trees
from hanbae.rules import application_sources

_IMAGES: Final = ("kustomize", "images")
_UNCHANGED: Final = "*"


class ImageList(Struct, frozen=True):
    """A list of images beside the kustomization.

    Attributes:
        place: Where it is: the file beside the folder, or the Application's source.
        application: The Application whose own list it is; empty for a file beside the folder.
        entries: What it says: ``NAME:TAG``, ``NAME=OTHER:TAG``.
    """

    place: subjects.Place
    application: str
    entries: tuple[str, ...]

    def makes(self, name: str) -> str:
        """The entry that makes an image of this name; empty where none does."""
        return next((entry for entry in self.entries if _image(entry) == name), "")


def of(
    patches: Sequence[source_files.SourceFile], written: application_sources.Written
) -> ImageList | None:
    """The list that counts: that of the last file beside the folder that has one, else the Application's.

    Args:
        patches: The files beside the folder, in order.
        written: What the Application says.
    """
    for file in reversed(patches):
        if entries := _entries(file.patch):
            return ImageList(subjects.Place(file.path), "", entries)
    entries = _entries(written.source)
    if not entries or written.place is None:
        return None
    return ImageList(written.place, written.application, entries)


def edited(
    tree: trees.Tree, image_list: ImageList, entry: str, reference: references.Reference
) -> dict[str, bytes]:
    """The file with another image in an entry of the list: path → content.

    Args:
        tree: The files.
        image_list: The list.
        entry: The entry.
        reference: The image.

    Raises:
        hanbae.errors.FileFault: The entry is built so that its line cannot be changed.
        hanbae.errors.Refused: An ApplicationSet makes the Application: what it says of one it says of several.
    """
    path = image_list.place.file
    text = (tree.read(path) or b"").decode("utf-8", "replace")
    nodes = [
        scalar_lines.scalar(node, pointer, path)
        for node, content in libyaml.both(text)
        for pointer in _pointers(content, image_list.application, entry)
    ]
    if not nodes:
        facts = {"application": image_list.application, "entry": entry[:200]}
        raise errors.Refused("image.asked-by-set", place=image_list.place, **facts)
    name, equals, _ = entry.partition("=")
    if not equals:
        name = kustomize_parameters.split(entry)[0]
    same = reference.repository == name
    value = str(reference) if same else f"{name}={reference}"
    return {path: scalar_lines.replaced(text, path, nodes, value).encode()}


def _image(entry: str) -> str:
    """What an entry calls the image."""
    name, equals, value = entry.partition("=")
    image = kustomize_parameters.split(value if equals else entry)[0]
    # `web=*:1.2` leaves the image's name as the kustomization has it.
    return name if image == _UNCHANGED else image


def _entries(source: Any) -> tuple[str, ...]:
    for key in _IMAGES:
        source = source.get(key) if isinstance(source, dict) else None
    return tuple(map(str, source)) if isinstance(source, list) else ()


def _pointers(content: Any, application: str, entry: str) -> Iterator[objects.Pointer]:
    """Where a document has an entry: a file beside the folder, or the Application of that name."""
    bases: list[objects.Pointer] = [()]
    if application:
        metadata = content.get("metadata") if isinstance(content, dict) else None
        name = metadata.get("name") if isinstance(metadata, dict) else None
        if name != application or content.get("kind") != "Application":
            return
        spec = content.get("spec")
        several = spec.get("sources") if isinstance(spec, dict) else None
        count = len(several) if isinstance(several, list) else 0
        bases = [("spec", "source"), *(("spec", "sources", index) for index in range(count))]
    for base in bases:
        source: Any = content
        for key in base:
            source = (
                source.get(key) if isinstance(source, dict) else source[key] if source else None
            )
        for index, own in enumerate(_entries(source)):
            if own == entry:
                yield (*base, *_IMAGES, index)
