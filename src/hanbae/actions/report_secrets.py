"""Says which values are due: too old by the policy, sealed for a key that has leaked, or known to who has left.

Without a cluster and without a key: git's history says when a value came, by whom and for which certificate.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from hanbae import errors, wording
from hanbae.actions import broken_files
from hanbae.planning import sealed_files
from hanbae.policy import documents, environments, loading
from hanbae.repository import histories, services
from hanbae.results import secrets
from hanbae.sealing import pasts, pins

_EVERY: Final = "*"
_SHORTEST: Final = len("sha256:") + 8
"""Letters of a fingerprint that may stand for all of it."""


def are_external(directory: Path) -> bool:
    """Whether the policy says that values are in a store, so that git knows where, and not since when.

    Raises:
        errors.WrongUse: There is no policy.
        errors.FileFault: It has a fault.
    """
    return loading.load(loading.find(directory)).policy.secrets.are_external


def report(
    directory: Path,
    names: Sequence[str] = (),
    *,
    environment: str | None = None,
    leaked: Sequence[str] = (),
    departed: Sequence[str] = (),
    now: datetime | None = None,
    broken: list[errors.FileFault] | None = None,
) -> tuple[secrets.DatedKey, ...]:
    """Each sealed value with its past, by service, environment and key.

    Args:
        directory: The repository or a folder in it.
        names: Services; by default all of the repository.
        environment: Only this environment.
        leaked: Fingerprints of certificates whose keys somebody else may have, or how they begin.
        departed: Addresses of people who may no longer know a value, as their commits have them.
        now: The time; by default the clock's.
        broken: Takes the faults of files that cannot be read, so that the rest is reported; None to raise the first.

    Raises:
        errors.WrongUse: An unknown service or environment; no clone; a fingerprint that is none.
        errors.FileFault: A values file has a fault.
    """
    loaded = services.opened(directory)
    every = services.check(loaded, *names)
    if environment is not None:
        environments.require(environment, loaded.policy)
    for fingerprint in leaked:
        if not fingerprint.startswith("sha256:") or len(fingerprint) < _SHORTEST:
            raise errors.WrongUse("report.not-a-fingerprint", fingerprint=fingerprint[:80])
    now = now or datetime.now(UTC)
    places = [
        place for place in environments.on_kubernetes(loaded.policy) if environment in (None, place)
    ]
    files = list(_files(loaded, names or every, places, broken))
    states = _states(loaded, files, now)
    return tuple(
        _due(row, loaded.policy, leaked, departed, now)
        for file in files
        for row in _rows(file, pasts.of(states[file.path]))
    )


def _files(
    loaded: loading.Loaded,
    names: Sequence[str],
    places: Sequence[str],
    broken: list[errors.FileFault] | None,
) -> Iterator[sealed_files.SealedFile]:
    for name in names:
        for place in places:
            try:
                file = sealed_files.find(loaded, name, place)
            except errors.FileFault as fault:
                broken_files.take(fault, broken)
                continue
            if file is not None:
                yield file


def _states(
    loaded: loading.Loaded, files: Sequence[sealed_files.SealedFile], now: datetime
) -> dict[str, list[pasts.State]]:
    """What each file has had sealed, the oldest first; the last is what it has now."""
    by_path = {file.path: file for file in files}
    states: dict[str, list[pasts.State]] = {path: [] for path in by_path}
    history = histories.History(loaded.root)
    for added in history.added(lambda path: path if path in by_path else None):
        if added.data is None:
            facts = {"file": added.path, "commit": added.commit[:12]}
            wording.warn(wording.Text("report.too-large", facts))
            continue
        section = sealed_files.section_of(added.data, chartless=by_path[added.path].chartless)
        states[added.path].append(pasts.State(section, added.commit, added.time, added.author))
    # The working tree comes last, as if it were committed now: a value that is not committed is
    # new.
    for path, file in by_path.items():
        states[path].append(pasts.State(file.section, "", now, ""))
    return states


def _rows(
    file: sealed_files.SealedFile, values: dict[str, pasts.Past]
) -> Iterator[secrets.DatedKey]:
    for key, past in sorted(values.items()):
        yield secrets.DatedKey(
            file.service,
            file.environment,
            key,
            past.since,
            past.commit,
            past.author,
            pins.of(file.section, key),
            past.certificates,
            past.former,
        )


def _due(
    row: secrets.DatedKey,
    policy: documents.Policy,
    leaked: Sequence[str],
    departed: Sequence[str],
    now: datetime,
) -> secrets.DatedKey:
    ages = policy.secrets.max_age
    most = ages.get(row.key, ages.get(_EVERY))
    days = (now - row.since).days
    reasons: list[secrets.Due] = []
    if most is not None and days > int(most.removesuffix("d")):
        reasons.append("age")
    if leaked and any(pin.startswith(tuple(leaked)) for pin in row.certificates):
        reasons.append("leaked")
    # Addresses are compared without case, as people write them.
    people = {person.casefold() for person in departed}
    if row.author.casefold() in people or people & {name.casefold() for name in row.former}:
        reasons.append("departed")
    return msgspec.structs.replace(row, days=days, max_age=most or "", due=tuple(reasons))
