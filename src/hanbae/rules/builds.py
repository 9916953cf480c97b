"""Kustomize overlays as rules see them: what was built, what was refused, and what the kustomizations say."""

from __future__ import annotations

from msgspec import Struct

from hanbae import errors, subjects
from hanbae.releases import objects as rendered


class Refusal(Struct, frozen=True):
    """Why an overlay is not built.

    Attributes:
        place: The line that is at fault.
        variant: ``remote``, ``outside``, ``plugin`` or ``missing``.
        value: What it says.
    """

    place: subjects.Place
    variant: str
    value: str


class Pinned(Struct, frozen=True):
    """An image that a kustomization names another tag for.

    Attributes:
        place: The line.
        image: The image.
        tag: The tag; empty where there is none.
        digest: The digest; empty where there is none.
    """

    place: subjects.Place
    image: str
    tag: str
    digest: str


class Built(Struct, frozen=True):
    """An overlay, built or not.

    Attributes:
        environment: Whose overlay it is.
        folder: The overlay's folder, relative to the repository's root.
        service: The service without a chart that it belongs to; empty for the environment's own.
        there: Whether the folder has a kustomization.
        objects: What was built, with the files that the objects come from.
        refusals: Why it was not built, or should not have been written so.
        images: The tags that it sets.
        error: What the program said, where it failed.
        program: What built it; empty where there was nothing to build with.
        plain: Whether it is a folder of plain manifests, which nothing has to build.
        fault: Why such a folder cannot be read.
    """

    environment: str
    folder: str
    service: str = ""
    there: bool = True
    objects: tuple[rendered.Object, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    images: tuple[Pinned, ...] = ()
    error: str = ""
    program: str = ""
    plain: bool = False
    fault: errors.FileFault | None = None
