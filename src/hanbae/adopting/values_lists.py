"""The values files of services, as their Applications list them."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import Final

from msgspec import Struct

from hanbae.adopting.uses import Use
from hanbae.policy import folders

_BASE: Final = "values.yaml"

Entries = tuple[str, ...]


class Lists(Struct, frozen=True):
    """The values files of services.

    Attributes:
        common: Those of most services, as a policy lists them; None where no Application deploys a chart, or none of
            those lists what a policy can hold.
        named: Service → its own, where they are others; empty for one that is rendered with no file.
    """

    common: Entries | None
    named: dict[str, Entries]


def of(uses: Iterable[Use], charts: Mapping[str, str], bases: Collection[str]) -> Lists:
    """The lists that the Applications of charts suggest.

    Args:
        uses: The Applications.
        charts: Service → its chart's folder; services without a chart are not among them.
        bases: The charts that have values of their own.
    """
    by_service: dict[str, Counter[Entries]] = {}
    for use in uses:
        folder = charts.get(use.service)
        entries = None if folder is None else _entries(use, folder, base=folder in bases)
        if entries is not None:
            by_service.setdefault(use.service, Counter())[entries] += 1
    lists = {service: counts.most_common(1)[0][0] for service, counts in by_service.items()}
    usual = Counter(lists.values())
    # What some services are rendered with says more of the next one than that others are rendered with nothing.
    often = [entries for entries, _ in usual.most_common()]
    common = next((entries for entries in often if entries), next(iter(often), None))
    return Lists(common, {name: own for name, own in sorted(lists.items()) if own != common})


def _entries(use: Use, folder: str, *, base: bool) -> Entries | None:
    """The values files of one Application; None where it lists such as no policy can hold, and no other."""
    listed = use.application.value_files
    own = [entry for file in listed if (entry := _entry(use, folder, file))]
    if base and _BASE not in own:
        own.insert(0, _BASE)
    return tuple(dict.fromkeys(own)) if own or not listed else None


def _entry(use: Use, folder: str, file: str) -> str:
    """A values file as a policy lists it; empty for one that no policy can hold."""
    if "://" in file:
        return ""
    if file.startswith("$"):
        path = posixpath.normpath(file.partition("/")[2])
    elif file.startswith("/"):
        path = posixpath.normpath(file.lstrip("/"))
    else:
        path = posixpath.normpath(folders.path(folder, file))
    if path.startswith(".."):
        return ""
    if folders.holds(folder, path):
        name = _template(use, folders.name(folder, path))
        # As a policy writes it: `./` for a path in the chart's folder, `/` for a name at the
        # repository's root.
        return f"./{name}" if "/" in name else name
    name = _template(use, path)
    return name if "/" in name else f"/{name}"


def _template(use: Use, path: str) -> str:
    """A path with the environment and the service as placeholders, where they are words of it."""
    for part, placeholder in ((use.environment, "{environment}"), (use.service, "{service}")):
        path = _replaced(path, part, placeholder)
    return path


def _replaced(path: str, part: str, placeholder: str) -> str:
    """A path with each whole part, or word between hyphens, dots and underscores, replaced."""
    steps = path.split("/")
    if part in steps:
        return "/".join(placeholder if step == part else step for step in steps)
    for separator in (".", "-", "_"):
        for index, step in enumerate(steps):
            if step.startswith(f"{part}{separator}"):
                steps[index] = placeholder + step.removeprefix(part)
                return "/".join(steps)
            head, dot, end = step.rpartition(".")
            if dot and head.endswith(f"{separator}{part}"):
                steps[index] = f"{head.removesuffix(part)}{placeholder}.{end}"
                return "/".join(steps)
    return path
