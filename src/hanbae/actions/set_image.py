"""Says which image an environment runs, in its values file; committing is for whoever owns the branch.

The values that make the image are found by rendering the chart (:mod:`hanbae.planning.image_keys`), and nothing is
written unless the chart then renders that image (:mod:`hanbae.planning.image_values`).

A tag can be moved after it was tested, so a digest is written with it: what was looked at is what runs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path

from hanbae import errors
from hanbae.actions import set_manifest_image
from hanbae.charts import pools, values
from hanbae.images import credentials, references, sources
from hanbae.planning import image_values
from hanbae.policy import environments, loading, service_paths
from hanbae.repository import services, trees
from hanbae.results import images


async def set_image(
    directory: Path,
    service: str,
    environment: str,
    image: str,
    *,
    resolve: bool = True,
    insecure: bool = False,
    login: credentials.Credentials | None = None,
) -> images.ImageSet:
    """Write an image into the values file of a service in one environment; nothing is committed.

    Args:
        directory: The repository or a folder in it.
        service: The service.
        environment: The environment.
        image: ``registry/path:tag@digest``; ``:tag`` or ``@digest`` alone keep the repository that is there.
        resolve: Whether the digest of a tag is asked of the registry; without it only the tag is written.
        insecure: Speak plain HTTP to the registry.
        login: Credentials of the registry; by default those of ``docker login``.

    Raises:
        errors.WrongUse: An unknown service or environment, or not an image's name.
        errors.FileFault: The policy or the values file has a fault.
        errors.Refused: The registry does not have the image.
        errors.Unreachable: The registry did not say; `resolve` can be left out.
    """
    (change,) = await set_images(
        directory,
        (service,),
        environment,
        image=image,
        resolve=resolve,
        insecure=insecure,
        login=login,
    )
    return change


async def set_images(
    directory: Path,
    names: Sequence[str],
    environment: str,
    *,
    image: str = "",
    from_environment: str = "",
    resolve: bool = True,
    insecure: bool = False,
    login: credentials.Credentials | None = None,
) -> tuple[images.ImageSet, ...]:
    """Write the images of several services in one environment; no file changes unless every image is known.

    Args:
        directory: The repository or a folder in it.
        names: The services; empty for all that name an image in `from_environment`.
        environment: The environment.
        image: As for :func:`set_image`; for several services ``:tag`` or ``@digest``.
        from_environment: Take the image that this environment names, tag and digest, instead of `image`.
        resolve: Whether digests of tags are asked of the registry.
        insecure: Speak plain HTTP to registries.
        login: Credentials of the registry; by default those of ``docker login``.

    Raises:
        errors.WrongUse: An unknown service or environment, or not an image's name.
        errors.FileFault: The policy or a values file has a fault, or names no image that could be taken.
        errors.Refused: The registry does not have an image.
        errors.Unreachable: The registry did not say; `resolve` can be left out.
    """
    loaded = services.opened(directory)
    for name in (environment, from_environment):
        if name:
            environments.require(name, loaded.policy)
    for service in names:
        services.check(loaded, service)
    if len(names) > 1 and image and not image.startswith((":", "@")):
        raise errors.WrongUse("image.one-for-several", reference=image)
    async with pools.opened(1) as pool:
        registries = sources.of(loaded.policy, insecure=insecure)

        async def resolved(reference: references.Reference) -> references.Reference:
            if not resolve or reference.digest:
                return reference
            return await _resolved(reference, registries, login=login)

        choice = set_manifest_image.Request(
            environment, image, from_environment, resolved, is_named=bool(names)
        )
        changes = []
        for service in names or services.of_checkout(loaded):
            if service_paths.has_no_chart(loaded.policy.services, service):
                changes.append(await set_manifest_image.change(loaded, service, choice))
            else:
                changes.append(await _change(pool, loaded, service, choice))
    # Written only now, when every image of every service is known and was looked at.
    return tuple(write() for write in changes if write is not None)


async def _change(
    pool: pools.Pool, loaded: loading.Loaded, service: str, choice: set_manifest_image.Request
) -> Callable[[], images.ImageSet] | None:
    """What writes an image into the values of a service with a chart; None where nothing was begun."""
    target = await _read(pool, loaded, service, choice.environment)
    image, source = choice.image, target
    if choice.from_environment:
        source = await _read(pool, loaded, service, choice.from_environment)
        image = source.begun
    if not image and not choice.is_named:
        return None
    if not image:
        raise errors.FileFault("image.none-to-take", place=source.place, service=service)
    reference = await choice.resolved(_reference(image, source))
    tree = trees.WorkingTree(loaded.root)
    change = await image_values.changes(pool, tree, target, reference)
    path, _ = services.values_file(loaded, service, choice.environment)
    return functools.partial(_write, path, target, change)


async def _read(
    pool: pools.Pool, loaded: loading.Loaded, service: str, environment: str
) -> image_values.Target:
    path, file = services.values_file(loaded, service, environment)
    tree = trees.WorkingTree(loaded.root)
    document = values.read(path, file)
    return await image_values.read(
        pool, tree, loaded.policy, service, environment, document=document
    )


def _write(path: Path, target: image_values.Target, change: image_values.Change) -> images.ImageSet:
    before = target.image
    # Read once more under the file's lock, so that what somebody else has written meanwhile stays.
    with values.editing(path, target.document.file) as document:
        text = document.text()
        document.update(change.values)
        changed = document.text() != text
    return images.ImageSet(
        target.service,
        target.environment,
        target.document.file,
        before,
        change.image,
        change.digest,
        changed,
    )


def _reference(image: str, target: image_values.Target) -> references.Reference:
    if image.startswith((":", "@")):
        if not target.repository:
            raise errors.FileFault("image.no-repository", place=target.place, reference=image)
        image = f"{target.repository}{image}"
    reference = references.parse(image)
    if not reference.tag and not reference.digest:
        raise errors.WrongUse("image.no-tag", reference=image)
    return reference


async def _resolved(
    reference: references.Reference,
    registries: sources.Sources,
    *,
    login: credentials.Credentials | None,
) -> references.Reference:
    digest = await registries.digest(reference, login)
    if digest is None:
        raise errors.Refused("image.not-there", reference=str(reference))
    return reference.with_digest(digest)
