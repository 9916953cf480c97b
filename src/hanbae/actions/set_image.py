"""Says which image an environment runs, in its values file; committing is for whoever owns the branch.

A tag can be moved after it was tested, so a digest is written with it: what was looked at is what runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hanbae import errors, subjects
from hanbae.charts import values
from hanbae.images import credentials, references, sources
from hanbae.policy import environments, loading
from hanbae.repository import services
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
    references_: dict[str, references.Reference] = {}
    for service in names or services.of_checkout(loaded):
        path, file = services.values_file(loaded, service, from_environment or environment)
        document = values.read(path, file)
        named = image or (_named(document) if _is_begun(document) else "")
        if not named and not names:
            continue  # not begun there
        if not named:
            raise errors.FileFault(
                "image.none-to-take", place=document.place(_REPOSITORY), service=service
            )
        reference = _reference(named, document)
        if resolve and not reference.digest:
            registries = sources.of(loaded.policy, insecure=insecure)
            reference = await _resolved(reference, registries, login=login)
        references_[service] = reference
    return tuple(
        _write(loaded, service, environment, reference)
        for service, reference in references_.items()
    )


def _write(
    loaded: loading.Loaded, service: str, environment: str, reference: references.Reference
) -> images.ImageSet:
    path, file = services.values_file(loaded, service, environment)
    with values.editing(path, file) as document:
        before, text = _named(document), document.text()
        document.update(
            {_REPOSITORY: reference.repository, _TAG: reference.tag, _DIGEST: reference.digest}
        )
        changed = document.text() != text
    return images.ImageSet(
        service, environment, file, before, str(reference), reference.digest, changed
    )


def _reference(image: str, document: values.Values) -> references.Reference:
    if image.startswith((":", "@")):
        repository = document.get(_REPOSITORY)
        if not repository:
            place: subjects.Place = document.place(_REPOSITORY)
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
