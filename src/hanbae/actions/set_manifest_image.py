"""Says which image a service without a chart runs: among its overlay's ``images``, or on its manifests' own lines."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Mapping

from msgspec import Struct

from hanbae import errors, subjects
from hanbae.images import references
from hanbae.planning import image_keys, image_lines, kustomize_parameters, manifests
from hanbae.policy import loading, service_paths
from hanbae.repository import trees, writing_files
from hanbae.results import images

Resolve = Callable[[references.Reference], Awaitable[references.Reference]]
"""Gives an image its digest."""


class Request(Struct, frozen=True):
    """Which image is wanted.

    Attributes:
        environment: Where.
        image: As for :func:`hanbae.actions.set_image.set_image`; empty with `from_environment`.
        from_environment: The environment whose image is taken.
        resolved: Gives an image its digest.
        is_named: Whether the command line names the services: one that is not in an environment is then a fault.
    """

    environment: str
    image: str
    from_environment: str
    resolved: Resolve
    is_named: bool


class _Target(Struct, frozen=True):
    """A service in an environment: its objects, and the containers that run its own image."""

    loaded: loading.Loaded
    service: str
    environment: str
    output: manifests.Output
    own: tuple[image_keys.Source, ...]

    @property
    def image(self) -> str:
        """The image that it runs."""
        return self.own[0].reference


async def change(
    loaded: loading.Loaded, service: str, choice: Request
) -> Callable[[], images.ImageSet] | None:
    """What writes an image, once what it makes was looked at; None where there is nothing to do.

    Args:
        loaded: The policy.
        service: The service.
        choice: The image.

    Raises:
        hanbae.errors.FileFault: There is nothing for the environment, or it does not build.
        hanbae.errors.Refused: With what would be written another image is rendered.
    """
    services, environment, image = loaded.policy.services, choice.environment, choice.image
    within = [name for name in (environment, choice.from_environment) if name]
    if not choice.is_named and not all(
        service_paths.is_in(services, service, name) for name in within
    ):
        return None
    tree = trees.WorkingTree(loaded.root)
    target = await _read(loaded, tree, service, environment, image)
    replacement = image
    if choice.from_environment:
        replacement = (await _read(loaded, tree, service, choice.from_environment, "")).image
    if replacement.startswith((":", "@")):
        # What runs now may have a tag that only Argo CD can fill in.
        replacement = f"{kustomize_parameters.split(target.image)[0]}{replacement}"
    reference = references.parse(replacement)
    if not reference.tag and not reference.digest:
        raise errors.WrongUse("image.no-tag", reference=replacement)
    reference = await choice.resolved(reference)
    files = image_lines.written(tree, target.output, target.own, reference)
    await _check(target, trees.Overlaid(tree, files), reference)
    texts = {path: content.decode() for path, content in files.items()}
    return functools.partial(_write, target, texts, reference)


async def _read(
    loaded: loading.Loaded, tree: trees.Tree, service: str, environment: str, image: str
) -> _Target:
    # `origins` has Kustomize say which file an object comes from, where its image's line is looked
    # for.
    release = await manifests.make(loaded.policy, tree, service, environment, origins=True)
    repository = (
        "" if image.startswith((":", "@")) or not image else references.parse(image).repository
    )
    sources = image_lines.of(release)
    own = image_keys.chosen(sources, service, repository)
    return _Target(loaded, service, environment, release, own)


async def _check(target: _Target, tree: trees.Tree, reference: references.Reference) -> None:
    """Refuse what renders another image: a patch, or a file beside the overlay, may win.

    Raises:
        hanbae.errors.Refused: A container runs another one.
    """
    policy, service, environment = target.loaded.policy, target.service, target.environment
    after = await manifests.make(policy, tree, service, environment, origins=True)
    rendered = image_keys.images(after.rendered)
    for source in target.own:
        image = rendered.get(source.container, "")
        if not image_keys.is_image(image, reference, source.keys):
            raise errors.Refused(
                "image.rendered-otherwise",
                place=subjects.Place(target.output.file),
                reference=str(reference),
                image=image or "-",
                keys="images" if after.engine == "kustomize" else "image",
            )


def _write(
    target: _Target, texts: Mapping[str, str], reference: references.Reference
) -> images.ImageSet:
    changes = writing_files.place(target.loaded.root, texts, overwrite=True)
    changed = [entry.path for entry in changes if entry.outcome != "unchanged"]
    # Where the image is there already, nothing is changed: then the files are named that say so.
    return images.ImageSet(
        target.service,
        target.environment,
        ", ".join(changed or texts or [target.output.file]),
        target.image,
        str(reference),
        reference.digest,
        bool(changed),
    )
