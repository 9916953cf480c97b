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

UrlPath = Annotated[
    str,
    Meta(pattern=r"^((/\.?[A-Za-z0-9~_-][A-Za-z0-9~_.-]*)+/?|/)$", max_length=200),
]
"""A path of a URL, without a query, an escape or a part that is ``.`` or ``..``."""

PortName = Annotated[str, Meta(pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", max_length=15)]
"""A port of a Service, by its name or, in quotes, its number."""

Status = Annotated[int, Meta(ge=100, le=599)]
"""A status of HTTP."""

Excerpt = Annotated[str, Meta(min_length=1, max_length=200)]
"""Some text that something else contains."""

Kinds = Annotated[str, Meta(pattern=r"^([a-z0-9.-]+/)?[A-Z][A-Za-z0-9]*$", max_length=120)]
"""A kind, with its API group in front unless it is in the core group: ``apps/Deployment``, ``Service``."""

Expression = Annotated[str, Meta(min_length=1, max_length=4096)]
"""An expression in CEL."""

Image = Annotated[str, Meta(pattern=r"^[a-z0-9][A-Za-z0-9._:/@-]*$", max_length=400)]
"""An image as Docker names it."""


RuleCode = Annotated[str, Meta(pattern=r"^[A-Z]{3}[0-9]{3}$|^OWN-[A-Za-z0-9-]+$", max_length=60)]
"""The code of a rule: ``KUB011``, or ``OWN-`` and the id of a rule of the team's."""

Reason = Annotated[str, Meta(pattern=r"\S", min_length=1, max_length=400)]
"""Why something is meant: never empty."""

Pattern = Annotated[
    str,
    Meta(pattern=r"^(?!/)(?!(?:.*/)?\.\.?(?:/|$))[^\\]+$", min_length=1, max_length=255),
]
"""A path of the repository, where ``*`` is any text in a part, ``?`` one letter and ``**`` any number of parts."""
