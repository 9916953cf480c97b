"""The forms of single texts in ``hanbae.yaml``: what a pattern can say of them."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

Suffix = Annotated[str, Meta(pattern=r"^(-[a-z0-9]([a-z0-9-]*[a-z0-9])?)?$", max_length=20)]
"""What may follow a namespace's name: empty, or a hyphen and an RFC 1123 label."""

KubernetesVersion = Annotated[str, Meta(pattern=r"^1\.[0-9]{1,3}$")]
"""A minor version of Kubernetes such as ``1.35``; in YAML it needs quotes, or 1.30 would be 1.3."""

ObjectKind = Annotated[
    str, Meta(pattern=r"^([a-z0-9]([a-z0-9.-]*[a-z0-9])?/)?[A-Z][A-Za-z0-9]*$", max_length=317)
]
"""A kind of object with its API group, such as ``monitoring.coreos.com/ServiceMonitor``; ``Service`` has none."""

RegistryHost = Annotated[
    str,
    Meta(
        pattern=r"^([a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(:[0-9]{1,5})?$", max_length=255
    ),
]
"""A registry as images name it, with its port if it has one: ``registry.example.com:5000``."""

Mirror = Annotated[
    str,
    Meta(
        pattern=r"^([a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(:[0-9]{1,5})?(/[a-z0-9]+([._-][a-z0-9]+)*)*$",
        max_length=255,
    ),
]
"""A registry, and the folder in it below which it has the images: ``mirror.example.com/hub``."""
