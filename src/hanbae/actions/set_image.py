"""Says which image an environment runs, in its values file; committing is for whoever owns the branch.

The values that make the image are found by rendering the chart (:mod:`hanbae.planning.image_keys`), and nothing is
written unless the chart then renders that image.

A tag can be moved after it was tested, so a digest is written with it: what was looked at is what runs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from hanbae import errors, subjects
from hanbae.actions import set_manifest_image
from hanbae.charts import pools, rendering, values
from hanbae.images import credentials, references, sources
from hanbae.planning import image_keys, releases
from hanbae.policy import environments, loading, naming, service_paths
from hanbae.repository import services, trees
from hanbae.results import images

_REPOSITORY = ("image", "repository")
_TAG = ("image", "tag")
_DIGEST = ("image", "digest")


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

        choice = set_manifest_image.Wanted(
            environment, image, from_environment, resolved, is_named=bool(names)
        )
        changes = []
        for service in names or services.of_checkout(loaded):
            if service_paths.has_no_chart(loaded.policy.services, service):
                changes.append(await set_manifest_image.change(loaded, service, choice))
            else:
                changes.append(await _change(pool, loaded, service, choice))
    return tuple(write() for write in changes if write is not None)


async def _change(
    pool: pools.Pool, loaded: loading.Loaded, service: str, choice: set_manifest_image.Wanted
) -> Callable[[], images.ImageSet] | None:
    """What writes an image into the values of a service with a chart; None where nothing was begun."""
    target = await _read(pool, loaded, service, choice.environment)
    taken, source = choice.image, target
    if choice.from_environment:
        source = await _read(pool, loaded, service, choice.from_environment)
        taken = _to_take(source)
    if not taken and not choice.is_named:
        return None
    if not taken:
        place = source.document.place(_REPOSITORY)
        raise errors.FileFault("image.none-to-take", place=place, service=service)
    reference = await choice.resolved(_reference(taken, source))
    change = await _changes(pool, loaded, target, reference)
    return functools.partial(_write, target, change)


class _Target(Struct, frozen=True):
    """A service in the environment: its values file, and where its images are from."""

    service: str
    environment: str
    path: Path
    document: values.Values
    request: pools.Wanted
    chart: str
    images: tuple[image_keys.Source, ...] | None  # None where the chart does not render

    @property
    def image(self) -> str:
        """The image that it names now; empty where it names none."""
        named = _named(self.document)
        if named or not self.images:
            return named
        return image_keys.chosen(self.images, self.service, "")[0].reference


class _Change(Struct, frozen=True):
    values: dict[tuple[str, ...], str]
    image: str
    digest: str


def _to_take(source: _Target) -> str:
    """The image that an environment names; empty where nothing was begun there."""
    named = _named(source.document)
    return source.image if not named or _is_begun(source.document) else ""


async def _read(
    pool: pools.Pool, loaded: loading.Loaded, service: str, environment: str
) -> _Target:
    path, file = services.values_file(loaded, service, environment)
    document = values.read(path, file)
    chart = str(naming.chart(loaded.policy, service))
    tree = trees.WorkingTree(loaded.root)
    texts = releases.values(tree, loaded.policy, service, environment).contents
    overrides = releases.overrides(tree, loaded.policy, service, environment, texts)
    request = releases.requested(loaded.policy, service, environment, texts, overrides=overrides)
    read = None
    try:
        read = await image_keys.of(pool, tree, chart, request)
    except errors.FileFault:
        if not document.get(_REPOSITORY):
            raise
    return _Target(service, environment, path, document, request, chart, read)


async def _changes(
    pool: pools.Pool, loaded: loading.Loaded, target: _Target, reference: references.Reference
) -> _Change:
    """What is written so that an image runs, and what runs then: rendered before anything is written.

    Raises:
        errors.Refused: No value makes the image, or the chart renders another one with what would be written.
    """
    if target.images is None:  # nothing can be tried; the values say which image it is
        contract: dict[tuple[str, ...], str] = {
            _REPOSITORY: reference.repository,
            _TAG: reference.tag,
            _DIGEST: reference.digest,
        }
        return _Change(contract, str(reference), reference.digest)
    chosen = image_keys.chosen(target.images, target.service, reference.repository)
    changed: dict[tuple[str, ...], str] = {}
    for source in chosen:
        changed |= image_keys.changes(source.keys, reference)
    edited = values.Values.parse(target.document.text(), target.document.file)
    edited.update(changed)
    own = target.document.text().encode()
    texts = tuple(edited.text().encode() if text == own else text for text in target.request.values)
    request = msgspec.structs.replace(target.request, values=texts)
    tree = trees.WorkingTree(loaded.root)
    (answer,) = await rendering.answers(pool, tree, target.chart, [request])
    after = image_keys.images(
        rendering.rendered(answer, shown=target.chart, values_files=request.values_files)
    )
    for source in chosen:
        image = after.get(source.container, "")
        if not image_keys.is_image(image, reference, source.keys):
            raise errors.Refused(
                "image.rendered-otherwise",
                place=target.document.place(next(iter(changed))),
                reference=str(reference),
                image=image or "-",
                keys=", ".join(".".join(path) for path in changed),
            )
    image = str(reference)
    if reference.digest and not any("@" in after[source.container] for source in chosen):
        return _Change(changed, image.partition("@")[0], "")
    return _Change(changed, image, reference.digest)


def _write(target: _Target, change: _Change) -> images.ImageSet:
    before = target.image
    with values.editing(target.path, target.document.file) as document:
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


def _reference(image: str, target: _Target) -> references.Reference:
    if image.startswith((":", "@")):
        repository = target.document.get(_REPOSITORY)
        if not repository and target.image:
            repository = references.parse(target.image).repository
        if not repository:
            place: subjects.Place = target.document.place(_REPOSITORY)
            raise errors.FileFault("image.no-repository", place=place, reference=image)
        image = f"{repository}{image}"
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
    return reference.at(digest)


def _named(document: values.Values) -> str:
    """The image that a values file names, as the chart puts it together."""
    repository, tag, digest = (document.get(path) or "" for path in (_REPOSITORY, _TAG, _DIGEST))
    if not repository:
        return ""
    return f"{repository}{f':{tag}' if tag else ''}{f'@{digest}' if digest else ''}"


def _is_begun(document: values.Values) -> bool:
    """Whether a values file names an image; a scaffold has only its repository."""
    return bool(document.get(_TAG) or document.get(_DIGEST))
