"""Which image a service runs in an environment."""

from __future__ import annotations

from msgspec import Struct


class ImageSet(Struct, frozen=True):
    """What a values file says now.

    Attributes:
        service: The service.
        environment: The environment.
        file: The values file, relative to the repository.
        before: The image that it named before; empty if none.
        image: The image that it names now.
        digest: Its digest; empty when only a tag was written.
        changed: Whether the file had to be changed.
    """

    service: str
    environment: str
    file: str
    before: str
    image: str
    digest: str
    changed: bool
