"""Says which image an environment runs, in its values file; committing is for whoever owns the branch.

A tag can be moved after it was tested, so a digest is written with it: what was looked at is what runs.
"""

from __future__ import annotations

from pathlib import Path

from hanbae import errors, subjects
from hanbae.charts import values
from hanbae.images import credentials, references, registry
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
    loaded = loading.load(loading.find(directory))
    environments.require(environment, loaded.policy)
    services.check(loaded, service)
    path, file = services.values_file(loaded, service, environment)
    reference = _reference(image, values.read(path, file))
    if resolve and not reference.digest:
        reference = await _resolved(reference, insecure=insecure, login=login)
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
    reference: references.Reference, *, insecure: bool, login: credentials.Credentials | None
) -> references.Reference:
    login = login or credentials.of_docker(reference.host)
    digest = await registry.digest(reference, login, insecure=insecure)
    if digest is None:
        raise errors.Refused("image.not-there", reference=str(reference))
    return reference.at(digest)


def _named(document: values.Values) -> str:
    """The image that a values file names, as the chart puts it together."""
    repository, tag, digest = (document.get(path) or "" for path in (_REPOSITORY, _TAG, _DIGEST))
    if not repository:
        return ""
    return f"{repository}{f':{tag}' if tag else ''}{f'@{digest}' if digest else ''}"
