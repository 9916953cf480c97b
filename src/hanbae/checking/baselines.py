"""``hanbae-baseline.json``: the findings that a repository had before anybody checked it.

They are counted by fingerprint and environment, without lines, so that moving code needs no new baseline, and one more
of a kind, or the same in one more environment, is a finding.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from hanbae import errors, foreign_json, subjects
from hanbae.checking import acceptance
from hanbae.repository import trees
from hanbae.results import findings, fingerprints

NAME: Final = "hanbae-baseline.json"
"""The file's name, beside ``hanbae.yaml``."""


class Entry(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Findings of one fingerprint.

    Attributes:
        file: Where they are.
        code: Their code.
        fingerprint: What they have in common.
        service: The service that they belong to; empty for the whole repository.
        object: The rendered object, for readers.
        environments: The environments in which they were accepted; empty where it depends on none.
        count: How many there are.
    """

    file: str
    code: str
    fingerprint: str
    service: str = ""
    object: str = ""
    environments: tuple[str, ...] = ()
    count: Annotated[int, Meta(ge=1)] = 1


class Baseline(Struct, frozen=True, forbid_unknown_fields=True):
    """The file."""

    version: Literal[1]
    findings: tuple[Entry, ...]


def read(tree: trees.Tree) -> Baseline | None:
    """The baseline of a tree; None where there is none.

    Raises:
        hanbae.errors.FileFault: It is no baseline.
    """
    data = tree.read(NAME)
    if data is None:
        return None
    try:
        return foreign_json.decode(data, Baseline)
    except foreign_json.Fault as error:
        place = subjects.Place(NAME)
        raise errors.FileFault("check.bad-baseline", place=place, error=str(error)) from error


def of(collected: Iterable[findings.Finding]) -> Baseline:
    """The baseline that accepts just these findings."""
    grouped: dict[str, list[findings.Finding]] = {}
    for item in collected:
        grouped.setdefault(fingerprints.of(item), []).append(item)
    entries = []
    for mark, same in grouped.items():
        names = tuple(sorted({name for item in same for name in item.environments}))
        first = same[0]
        label = f"{first.object.kind}/{first.object.name}" if first.object else ""
        entries.append(
            Entry(first.place.file, first.code, mark, first.service, label, names, len(same))
        )
    entries.sort(key=lambda item: (item.file, item.code, item.fingerprint))
    return Baseline(1, tuple(entries))


def text(baseline: Baseline) -> bytes:
    """The file's content: sorted, and a line for each field, so that differences can be read."""
    return msgspec.json.format(msgspec.json.encode(baseline), indent=2) + b"\n"


def applied(
    settled: acceptance.Settled,
    baseline: Baseline,
    *,
    source: bytes,
    services: Collection[str] | None,
    unsought: Collection[str] = (),
) -> acceptance.Settled:
    """Take out what a baseline accepts, and find entries that nothing needs any more.

    Args:
        settled: What is left after comments.
        baseline: The baseline.
        source: Its text, for the lines of its entries.
        services: The services that were checked; None for all, of which only then every entry should be found.
        unsought: Codes that were not looked for, or not everywhere.
    """
    entries = {entry.fingerprint: entry for entry in baseline.findings}
    used: Counter[str] = Counter()
    open_findings, accepted = [], list(settled.accepted)
    for finding in settled.findings:
        entry = entries.get(fingerprints.of(finding))
        if (
            entry is None
            or finding.code in acceptance.OWN[1:]
            or used[entry.fingerprint] >= entry.count
        ):
            open_findings.append(finding)
            continue
        used[entry.fingerprint] += 1
        for covered, part in _split(finding, entry.environments):
            if covered:
                accepted.append(findings.Accepted(part, "baseline"))
            else:
                open_findings.append(part)
    lines = source.decode("utf-8", "replace").split("\n")
    sought = [entry for entry in baseline.findings if entry.code not in unsought]
    open_findings += _stale(sought, used, lines, services)
    return acceptance.Settled(tuple(open_findings), tuple(accepted))


def _split(
    finding: findings.Finding, environments: Sequence[str]
) -> Iterator[tuple[bool, findings.Finding]]:
    """A finding in the environments that were accepted, and in those that were not."""
    if not finding.environments:
        yield True, finding
        return
    for covered in (True, False):
        names = tuple(name for name in finding.environments if (name in environments) is covered)
        if names:
            yield covered, msgspec.structs.replace(finding, environments=names)


def _stale(
    entries: Iterable[Entry],
    used: Counter[str],
    lines: list[str],
    services: Collection[str] | None,
) -> Iterator[findings.Finding]:
    # msgspec tells no places, so the lines are looked for in the text: `text` writes the
    # fingerprint, 32 characters in quotes, at the end of a line of its own.
    lines_by_fingerprint = {
        line.strip().rstrip(",")[-33:-1]: number for number, line in enumerate(lines, 1)
    }
    for entry in entries:
        if services is not None and entry.service and entry.service not in services:
            continue
        if used[entry.fingerprint] < entry.count:
            place = subjects.Place(NAME, lines_by_fingerprint.get(entry.fingerprint, 0))
            facts = {"code": entry.code, "file": entry.file}
            facts |= {"count": str(entry.count), "found": str(used[entry.fingerprint])}
            yield acceptance.own("INP005", place, **facts)
