"""Which controllers can be made to tell what they open, by the image that they run.

Below 0.36.0 ``/v1/rotate`` widens a value's scope (CVE-2026-22728), below 0.39.0 ``/v1/verify`` and below 0.40.0
``/v1/rotate`` fill in a template that whoever asks has written, and say whether it could be filled in.
"""

from __future__ import annotations

from typing import Final

from hanbae import patterns

SAFE: Final = "0.40.0"
"""The first version with which asking the controller tells nothing of what a secret holds."""
NAME: Final = "sealed-secrets-controller"
"""How the images are called, whoever builds them."""

_VERSION: Final = patterns.lazy(r":v?(?P<major>[0-9]{1,4})\.(?P<minor>[0-9]{1,4})(?:\.|-|@|$)")


def is_old(image: str) -> bool:
    """Whether an image is of a version below `SAFE`; one whose tag is no version is not known to be.

    Args:
        image: The image's reference.
    """
    version = _VERSION.search(image)
    if version is None:
        return False
    major, minor, _ = (int(part) for part in SAFE.split("."))
    return (int(version["major"]), int(version["minor"])) < (major, minor)
