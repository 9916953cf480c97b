"""The version of a service is the tag of its own image."""

from __future__ import annotations

import pytest

from hanbae.images import versions

DIGEST = f"sha256:{'a' * 64}"


@pytest.mark.parametrize(
    ("images", "version"),
    [
        (["registry.example.com/shop/auth:1.4.2"], "1.4.2"),
        ([f"registry.example.com/shop/auth:1.4.2@{DIGEST}"], "1.4.2"),
        (["docker.io/envoy:v1", "registry.example.com/shop/auth:1.4.2"], "1.4.2"),
        (["docker.io/envoy:v1", f"registry.example.com/shop/auth@{DIGEST}"], ""),
        (["registry.example.com/shop/backend:7"], "7"),
        ([f"registry.example.com/shop/auth@{DIGEST}"], ""),
        (["UPPER:1", "a b", "", "registry.example.com/auth:2"], "2"),
        ([], ""),
    ],
)
def test_the_tag_of_the_services_own_image_is_its_version(images: list[str], version: str) -> None:
    assert versions.of(images, "auth") == version
