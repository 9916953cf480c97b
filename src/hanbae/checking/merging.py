"""Makes one finding of those that say the same, and brings findings into the order of files and lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec

from hanbae.results import findings

_OF_LINKS: Final = frozenset({"repository.link-out", "repository.unreadable"})


def once(found: Sequence[findings.Finding]) -> Iterator[findings.Finding]:
    """Findings without those that say of a link what a rule says in its own words."""
    told = {each.place.file for each in found if each.code == "LAY012"}
    for each in found:
        if each.text.id not in _OF_LINKS or each.place.file not in told:
            yield each


def merged(found: Iterable[findings.Finding]) -> tuple[findings.Finding, ...]:
    """Findings that differ only in the environment as one, in the order of files, lines and codes."""
    by_rest: dict[Any, list[findings.Finding]] = {}
    for each in found:
        ref = each.object.kind if each.object else ""
        key = (each.code, each.place, each.text.id, str(each.text), each.service, ref)
        by_rest.setdefault(key, []).append(each)
    return ordered(_joined(same) for same in by_rest.values())


def ordered(found: Iterable[findings.Finding]) -> tuple[findings.Finding, ...]:
    """Findings in the order of files, lines and codes."""
    return tuple(sorted(found, key=lambda each: (each.place, each.code, str(each.text))))


def _joined(same: list[findings.Finding]) -> findings.Finding:
    names = dict.fromkeys(name for each in same for name in each.environments)
    return msgspec.structs.replace(same[0], environments=tuple(names))
