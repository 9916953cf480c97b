"""Services that name no image yet: their charts render no pods and no Jobs, which rules are to look at all the same.

Whoever has just scaffolded a service and edits its templates must not learn of a mistake in them only once an image is
there. So for the rules, and for nothing else, such a release is rendered with the version that its chart has as tag.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from hanbae import libyaml
from hanbae.charts import pools
from hanbae.releases import objects
from hanbae.rules import views

_NO_VERSION: Final = "0.0.0"


def layer(release: views.Release, chart: bytes | None) -> bytes:
    """Values that name an image; empty for a release that names one, runs one all the same, or says nowhere which.

    Args:
        release: The release as its values render it.
        chart: The content of its ``Chart.yaml``.
    """
    image = release.value("image", default={})
    repository = image.get("repository") if isinstance(image, Mapping) else None
    if not repository or image.get("tag") or image.get("digest"):
        return b""
    if any(_runs(manifest, str(repository)) for manifest in release.objects):
        return b""  # a chart with a default of its own for the tag
    return msgspec.json.encode({"image": {"tag": _version(chart)}})


def with_layer(request: pools.Release, layer: bytes) -> pools.Release:
    """A request with values over those that it has; as it is where there are none."""
    if not layer:
        return request
    return msgspec.structs.replace(request, values=(*request.values, layer))


def _runs(manifest: objects.Object, repository: str) -> bool:
    """Whether an object makes pods with an image of the repository; pods of others say nothing about its own."""
    images = (str(container.get("image", "")) for _, container in manifest.containers())
    # `r/auth-proxy` is another repository than `r/auth`.
    return any(
        image.startswith(repository) and image[len(repository) :][:1] in ("", ":", "@")
        for image in images
    )


def _version(chart: bytes | None) -> str:
    """The ``appVersion`` of a chart, as its own default for a tag; a fixed one where it has none that can be read."""
    version = (libyaml.mapping(chart or b"") or {}).get("appVersion")
    return str(version or _NO_VERSION)
