"""Draws up the files with the SealedSecret of a service without a chart, once it is known what is made of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from hanbae import errors, subjects
from hanbae.charts import values
from hanbae.planning import manifests, sealed_manifests
from hanbae.policy import loading, naming
from hanbae.repository import trees
from hanbae.sealing import objects


async def texts(
    loaded: loading.Loaded,
    service: str,
    environment: str,
    sealed: sealed_manifests.Sealed,
    changes: Mapping[tuple[str, ...], str],
    *,
    removed: Collection[str] = (),
) -> dict[str, str]:
    """The files as they become; a new SealedSecret is named among the overlay's ``resources``.

    Args:
        loaded: The policy.
        service: The service.
        environment: The environment.
        sealed: The SealedSecret as it is.
        changes: What is sealed, and what is to be remembered.
        removed: Keys that are taken out.

    Returns:
        Path from the repository's root → text.

    Raises:
        hanbae.errors.FileFault: A file cannot be changed, or the folder does not build.
        hanbae.errors.Refused: What is made of it has another name or namespace, so that nobody could open it.
    """
    if sealed.there:
        document = values.read(loaded.root / sealed.path, sealed.path)
    else:
        document = values.Values.parse(sealed.text, sealed.path)
    sealed_manifests.remove(document, removed)
    sealed_manifests.update(document, changes)
    contents = {sealed.path: document.text()}
    contents |= dict([sealed.beside] if sealed.beside is not None else [])
    await _check(loaded, service, environment, contents, sealed)
    return contents


async def _check(
    loaded: loading.Loaded,
    service: str,
    environment: str,
    texts: Mapping[str, str],
    sealed: sealed_manifests.Sealed,
) -> None:
    """Refuse a prefix, or another namespace, over the name that the values are bound to."""
    # Built from the files as they would become: whether a prefix or a namespace changes the name
    # shows only in what is made of them.
    contents = {path: text.encode() for path, text in texts.items()}
    tree = trees.Overlaid(trees.WorkingTree(loaded.root), contents)
    release = await manifests.make(loaded.policy, tree, service, environment)
    namespace = naming.namespace(loaded.policy, service, environment)
    bound = f"{namespace}/{naming.secret(loaded.policy, service, environment)}"
    names = [
        f"{metadata.get('namespace') or namespace}/{metadata.get('name')}"
        for manifest in release.rendered.manifests
        if manifest.object["kind"] == objects.KIND
        and isinstance(metadata := manifest.object.get("metadata"), dict)
    ]
    if bound not in names:
        raise errors.Refused(
            "seal.made-otherwise",
            place=subjects.Place(sealed.path),
            secret=bound,
            found=", ".join(names) or "-",
        )
