"""The forms of single texts in ``hanbae.yaml``: what a pattern can say of them."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

Suffix = Annotated[str, Meta(pattern=r"^(-[a-z0-9]([a-z0-9-]*[a-z0-9])?)?$", max_length=20)]
"""What may follow a namespace's name: empty, or a hyphen and an RFC 1123 label."""

KubernetesVersion = Annotated[str, Meta(pattern=r"^1\.[0-9]{1,3}$")]
"""A minor version of Kubernetes such as ``1.35``; in YAML it needs quotes, or 1.30 would be 1.3."""

# A group, a version and a kind have at most 253, 63 and 63 characters, and slashes between them.
ApiVersion = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?/[a-z0-9]([a-z0-9-]*[a-z0-9])?(/[A-Z][A-Za-z0-9]*)?$",
        max_length=381,
    ),
]
"""An API version as charts ask for it: ``monitoring.coreos.com/v1``, or with a kind behind another slash."""

# At most 253 characters of a group, a slash, and 63 of a kind.
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

# No process can be started with a NUL in one of its arguments.
Word = Annotated[str, Meta(pattern=r"^[^\x00]*$", max_length=1000)]
"""A word of a command."""

Domain = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$", max_length=200
    ),
]
"""A name of DNS such as ``staging.example.com``, without an asterisk."""

Port = Annotated[int, Meta(ge=1, le=65535)]
"""Number of a port."""

NameTemplate = Annotated[
    str, Meta(pattern=r"^([a-z0-9.-]|\{service\}|\{environment\})+$", max_length=100)
]
"""An object's name, in which ``{service}`` and ``{environment}`` may be."""

Store = Annotated[
    str, Meta(pattern=r"^(Cluster)?SecretStore/([a-z0-9.-]|\{environment\})+$", max_length=120)
]
"""Kind and name of a store of External Secrets, in whose name ``{environment}`` may be."""

Entry = Annotated[
    str, Meta(pattern=r"^([A-Za-z0-9_./:-]|\{service\}|\{environment\})+$", max_length=200)
]
"""The name of an entry in a store, in which ``{service}`` and ``{environment}`` may be."""

ServiceTemplate = Annotated[
    str, Meta(pattern=r"^([A-Za-z0-9_.-]|\{service\}|\{environment\})+$", max_length=100)
]
"""A section of ``pg_service.conf``, in which ``{service}`` and ``{environment}`` may be."""

Statement = Annotated[str, Meta(pattern=r"^[^\x00\\]*$", min_length=1, max_length=2000)]
"""A statement of SQL; without a backslash, with which psql's own commands begin, and those start programs."""

Day = Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$")]
"""A day such as ``2026-12-24``."""

Cron = Annotated[
    str,
    Meta(
        pattern=r"^[0-9*/,-]+ [0-9*/,-]+ (\* [0-9A-Z*/,-]+ [0-6ADEFHIMNORSTUW*/,-]+|[0-9*/,-]+ [0-9A-Z*/,-]+ \*)$",
        max_length=100,
    ),
]
"""Minute, hour, day of the month, month and day of the week as for cron: ``0 18 * * FRI``.

One of the two days is ``*``: what both together mean differs from cron to cron. So does what else only some of them
know: ``L``, ``#``, and 7 for Sunday, which Argo CD refuses.
"""

Zone = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$", max_length=64)]
"""A time zone of the IANA's, such as ``Asia/Seoul``."""

Holiday = Literal[
    "all",
    "new-year",
    "seollal",
    "independence-movement-day",
    "childrens-day",
    "labour-day",
    "buddhas-birthday",
    "memorial-day",
    "constitution-day",
    "liberation-day",
    "chuseok",
    "national-foundation-day",
    "hangul-day",
    "christmas",
    "election-day",
    "신정",
    "설날",
    "삼일절",
    "어린이날",
    "노동절",
    "부처님오신날",
    "현충일",
    "제헌절",
    "광복절",
    "추석",
    "개천절",
    "한글날",
    "성탄절",
    "선거일",
]
"""A public holiday of Korea with the days around it and its substitute days; ``all`` is each of them."""
