"""Which version of a service runs, by the tags of its images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hanbae import errors
from hanbae.images import references


def of(images: Iterable[str], service: str) -> str:
    """The tag of a service's own image: the one whose repository ends in the service's name, else the first.

    Args:
        images: The images that run.
        service: The service.

    Returns:
        The tag; empty where the images have none.
    """
    parsed = list(_parsed(images))
    own = [image for image in parsed if image.path.rpartition("/")[2] == service]
    return next((image.tag for image in own or parsed), "")


def _parsed(images: Iterable[str]) -> Iterator[references.Reference]:
    """Those that are names of images: what a server lists is foreign."""
    for image in images:
        try:
            yield references.parse(image)
        except errors.WrongUse:
            continue
