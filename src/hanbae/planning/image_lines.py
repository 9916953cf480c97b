"""Where the image of a service without a chart is written, and the files in which another one is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from hanbae import libyaml
from hanbae.charts import block_lists, splicing
from hanbae.images import references
from hanbae.planning import (
    image_keys,
    image_lists,
    kustomize_parameters,
    manifests,
    scalar_lines,
)
from hanbae.releases import objects
from hanbae.repository import trees
from hanbae.rules.kustomize import scanning

_KEY: Final = "images"
_FIELDS: Final = ("newName", "newTag", "digest")


def of(release: manifests.Output) -> tuple[image_keys.Source, ...]:
    """The images of a release, those of one repository made by one key.

    Args:
        release: Its objects.
    """
    return tuple(
        image_keys.Source(
            container,
            reference,
            image_keys.Keys(whole=(_KEY, kustomize_parameters.split(reference)[0])),
            container[0] in ("Job", "CronJob"),
        )
        for container, reference in image_keys.images(release.rendered).items()
        if reference
    )


def written(
    tree: trees.Tree,
    release: manifests.Output,
    sources: Sequence[image_keys.Source],
    reference: references.Reference,
) -> dict[str, bytes]:
    """The files with another image: path → content.

    An overlay names it among its ``images``, unless the Application, or a file beside the overlay, does; of plain
    manifests it is on the line of each container.

    Args:
        tree: The files.
        release: The objects, with the files that they are from.
        sources: The containers, as of :func:`of`.
        reference: The image.

    Raises:
        hanbae.errors.FileFault: A file is built so that no line of it can be changed.
        hanbae.errors.Refused: An ApplicationSet names the image.
    """
    if release.engine == "kustomize":
        named = sorted({kustomize_parameters.split(source.reference)[0] for source in sources})
        return _overlaid(tree, release, named, reference)
    changed: dict[str, bytes] = {}
    for path in dict.fromkeys(manifest.template for manifest in release.rendered.manifests):
        text = (tree.read(path) or b"").decode("utf-8", "replace")
        edited = _edited(text, path, {source.container for source in sources}, str(reference))
        if edited != text:
            changed[path] = edited.encode()
    return changed


def _overlaid(
    tree: trees.Tree,
    release: manifests.Output,
    names: Sequence[str],
    reference: references.Reference,
) -> dict[str, bytes]:
    """What names an overlay's images: the list that makes each."""
    # The list of the Application, or of a file beside the overlay, wins over the kustomization:
    # what it makes is changed there, and the rest in the overlay.
    image_list, rest = release.image_list, list(names)
    changed: dict[str, bytes] = {}
    for name in names if image_list is not None else ():
        if image_list is not None and (entry := image_list.makes(name)):
            changed |= image_lists.edited(
                trees.Overlaid(tree, changed), image_list, entry, reference
            )
            rest.remove(name)
    if rest:
        changed[release.file] = _kustomization(tree, release, rest, reference)
    return changed


def _kustomization(
    tree: trees.Tree,
    release: manifests.Output,
    names: Iterable[str],
    reference: references.Reference,
) -> bytes:
    """The overlay's own kustomization with an entry for each name, which is what the image is called below it."""
    file = scanning.named(tree, release.folder) or release.file
    text = (tree.read(file) or b"").decode("utf-8", "replace")
    items = block_lists.read(text, _KEY, file)
    replaced: dict[int, Sequence[str] | None] = {}
    added: list[list[str]] = []
    for name in names:
        index = next((n for n, item in enumerate(items) if _makes(item.data, name)), None)
        entry: dict[str, Any] = dict(items[index].data) if index is not None else {"name": name}
        own = {key: value for key, value in entry.items() if key not in _FIELDS}
        if reference.repository != str(own["name"]):
            own["newName"] = reference.repository
        own |= {"newTag": reference.tag, "digest": reference.digest}
        lines = [f"{key}: {splicing.token(str(item))}" for key, item in own.items() if item]
        if index is None:
            added.append(lines)
        else:
            replaced[index] = lines
    return block_lists.edited(text, _KEY, file, replaced=replaced, added=added).encode()


def _makes(entry: Any, name: str) -> bool:
    """Whether an entry of ``images`` is what makes an image of this name."""
    if not isinstance(entry, Mapping) or "name" not in entry:
        return False
    return str(entry.get("newName") or entry["name"]) == name


def _edited(text: str, path: str, containers: set[image_keys.Container], image: str) -> str:
    """A file of manifests with the image on the lines of some containers."""
    nodes = [
        scalar_lines.scalar(node, pointer, path)
        for node, content in libyaml.both(text)
        for pointer, container in _containers(content)
        if container in containers
    ]
    return scalar_lines.replaced(text, path, nodes, image)


def _containers(content: Any) -> Iterator[tuple[objects.Pointer, image_keys.Container]]:
    """Where the images in a document are, and of which containers they are; those in a list as well."""
    if not isinstance(content, dict):
        return
    items = content.get("items")
    inside = enumerate(items) if isinstance(items, list) else [(None, content)]
    for index, item in inside:
        if not isinstance(item, dict):
            continue
        before = () if index is None else ("items", index)
        whole = objects.Object(item, "", 0, "")
        for pointer, container in whole.containers():
            key = (whole.kind, whole.name, str(container.get("name") or ""))
            yield (*before, *pointer, "image"), key
