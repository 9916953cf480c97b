"""Templates such as ``{service}-{environment}``, worked out from names that are there."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Final

from msgspec import Struct

from hanbae import patterns

_SERVICE: Final = patterns.lazy(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")


class Sample(Struct, frozen=True):
    """A name that something has.

    Attributes:
        service: The service that has it.
        environment: The environment that it has it in.
        name: The name.
    """

    service: str
    environment: str
    name: str


class Pattern(Struct, frozen=True):
    """A template, and the services that it is not true of.

    Attributes:
        template: The template.
        named: Service → its own template.
    """

    template: str
    named: dict[str, str]


def of(samples: Iterable[Sample], default: str) -> Pattern:
    """The template that most names follow, and that of each service which follows another one.

    Args:
        samples: The names.
        default: The template where there are none.
    """
    by_service: dict[str, Counter[str]] = {}
    for sample in samples:
        template = _template(sample)
        by_service.setdefault(sample.service, Counter())[template] += 1
    usual = Counter(template for counts in by_service.values() for template in [_first(counts)])
    general = {template: count for template, count in usual.items() if "{service}" in template}
    if not usual:
        return Pattern(default, {})
    common = max(general or usual, key=lambda template: (usual[template], -len(template)))
    named = {
        service: _first(counts)
        for service, counts in sorted(by_service.items())
        if _first(counts) != common
    }
    return Pattern(common, named)


def is_service(text: str) -> bool:
    """Whether a service may be called so."""
    return bool(_SERVICE.fullmatch(text))


def _first(counts: Counter[str]) -> str:
    return counts.most_common(1)[0][0]


def _template(sample: Sample) -> str:
    """A name with the service and the environment in it as placeholders, where they stand between hyphens."""
    text = _replaced(sample.name, sample.service, "{service}")
    return _replaced(text, sample.environment, "{environment}")


def _replaced(text: str, part: str, placeholder: str) -> str:
    if not part:
        return text
    return re.sub(rf"(?<![a-z0-9{{]){re.escape(part)}(?![a-z0-9}}])", placeholder, text, count=1)
