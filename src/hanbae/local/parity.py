"""Compares a Compose file, whoever wrote it, with what the charts ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal

from hanbae import wording
from hanbae.local import components, compose_document, limits, pods, secret_values
from hanbae.local.composition import DATABASES, TOOLS, Composition, Service
from hanbae.results import compositions
from hanbae.results.compositions import Aspect, Difference

_COMPARED: Final = frozenset({"workload", "sidecar", "init", "migration", "job"})
_ENDED: Final = "service_completed_successfully"

Variant = Literal[
    "cpus",
    "image",
    "major",
    "memory",
    "missing",
    "order",
    "ports",
    "probe",
    "probe-missing",
    "secret",
    "variable-extra",
    "variable-missing",
]
"""The sentences that say what differs."""
Entry = Mapping[str, Any]
EnvNames = Callable[[str], frozenset[str] | None]
"""A file of variables → the names in it; None where it is not there."""


def compare(
    composition: Composition, document: Any, *, names_in: EnvNames = lambda _: None
) -> tuple[Difference, ...]:
    """The differences between the charts and a Compose file.

    A service of a file that somebody wrote by hand is known by the name of the workload, the service or its image.

    Args:
        composition: What the charts ask for.
        document: The Compose file, as it was read.
        names_in: Reads the names of variables in a file.
    """
    entries = compose_document.services(document)
    matched = _matched(composition, entries)
    return tuple(_differences(composition, entries, matched, names_in))


def _matched(composition: Composition, entries: Mapping[str, Entry]) -> dict[str, str]:
    """Service of the charts → service of the file."""
    matched: dict[str, str] = {}
    for service in composition.services:
        if service.name in entries:
            matched[service.name] = service.name
    free = [name for name in entries if name not in matched.values()]
    for service in composition.services:
        if service.name in matched or service.role != "workload":
            continue
        own = pods.repository(service.image)
        for name in free:
            if name == service.owner or pods.repository(str(entries[name].get("image"))) == own:
                matched[service.name] = name
                free.remove(name)
                break
    return matched


def _differences(
    composition: Composition,
    entries: Mapping[str, Entry],
    matched: Mapping[str, str],
    names_in: EnvNames,
) -> Iterator[Difference]:
    for service in composition.services:
        if service.role not in _COMPARED:
            continue
        name = matched.get(service.name)
        if name is None:
            yield _difference(service.name, "service", service.role, "", "missing")
            continue
        entry = entries[name]
        yield from _image(service, entry)
        yield from _variables(composition, service, entry, names_in)
        yield from _ports(service, entry)
        yield from _probe(service, entry)
        yield from _limits(service, entry)
        yield from _order(service, composition, entries, matched)
    yield from _servers(composition, entries)


def _difference(
    service: str, aspect: Aspect, chart: str, compose: str, variant: Variant
) -> Difference:
    facts = {"service": service, "chart": chart or "-", "compose": compose or "-"}
    text = wording.Text(f"local.differs-{variant}", facts)
    return Difference(service, aspect, chart, compose, text)


def _image(service: Service, entry: Entry) -> Iterator[Difference]:
    image = str(entry.get("image") or "")
    is_built = entry.get("build") is not None or (
        service.build is not None and image == service.build.image
    )
    if image != service.image and not is_built:
        yield _difference(service.name, "image", service.image, image, "image")


def _variables(
    composition: Composition, service: Service, entry: Entry, names_in: EnvNames
) -> Iterator[Difference]:
    written = compose_document.environment(entry)
    present = set(written)
    for file in compose_document.env_files(entry):
        present |= names_in(file) or frozenset()
    secret = secret_values.names(service, composition.keys)
    own_file = pods.env_file(service) in compose_document.env_files(entry)
    # hanbae writes its own file with all names before each start, so it need not be there now.
    expected = set(service.environment) | (set() if own_file else secret)
    for name in sorted(expected - present):
        yield _difference(service.name, "environment", name, "", "variable-missing")
    declared = set(service.environment) | secret
    extra = [name for name in sorted(written) if name not in declared]
    # Of a whole Secret nobody knows here which variables it brings.
    if not service.whole:
        for name in extra:
            yield _difference(service.name, "environment", "", name, "variable-extra")
    for name in sorted(secret):
        if compose_document.is_literal(written.get(name)):
            yield _difference(service.name, "secret", name, "", "secret")


def _ports(service: Service, entry: Entry) -> Iterator[Difference]:
    expected = {port.container for port in service.ports}
    present = compose_document.ports(entry)
    if missing := sorted(expected - present):
        yield _difference(
            service.name, "ports", _numbers(missing), _numbers(sorted(present)), "ports"
        )


def _numbers(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


def _probe(service: Service, entry: Entry) -> Iterator[Difference]:
    expected, present = service.healthcheck, compose_document.healthcheck(entry)
    if expected is None:
        return
    command = " ".join(expected.test[1:])
    if present is None:
        yield _difference(service.name, "probe", command, "", "probe-missing")
        return
    words = compose_document.test_words(present).replace("$$", "$")
    if any(text not in words for text in expected.shows):
        yield _difference(service.name, "probe", " ".join(expected.shows), words, "probe")
    for key, number in (("interval", expected.interval), ("timeout", expected.timeout)):
        own = compose_document.seconds(present.get(key))
        if own is not None and own != number:
            facts = f"{key} {number}s", f"{key} {present.get(key)}"
            yield _difference(service.name, "probe", *facts, "probe")
    retries = present.get("retries")
    if retries is not None and str(retries) != str(expected.retries):
        facts = f"retries {expected.retries}", f"retries {retries}"
        yield _difference(service.name, "probe", *facts, "probe")


def _limits(service: Service, entry: Entry) -> Iterator[Difference]:
    size, text = compose_document.memory(entry)
    if size != service.memory:
        expected = limits.written(service.memory) if service.memory is not None else ""
        yield _difference(service.name, "limits", expected, text, "memory")
    cpus = compose_document.cpus(entry)
    if cpus != service.cpus:
        yield _difference(service.name, "limits", service.cpus, cpus, "cpus")


def _order(
    service: Service,
    composition: Composition,
    entries: Mapping[str, Entry],
    matched: Mapping[str, str],
) -> Iterator[Difference]:
    """Whether what must have ended before a service begins is waited for, directly or through others."""
    waited = _waited(matched[service.name], entries)
    for name, condition in service.depends_on.items():
        other = composition.service(name)
        if condition != _ENDED or other is None or other.role == "component":
            continue
        if matched.get(name) not in waited:
            yield _difference(service.name, "order", name, ", ".join(sorted(waited)), "order")


def _waited(name: str, entries: Mapping[str, Entry]) -> set[str]:
    """What has ended successfully when a service begins."""
    ended: set[str] = set()
    visited: set[str] = set()
    waiting = [name]
    while waiting:
        current = waiting.pop()
        if current in visited or current not in entries:
            continue
        visited.add(current)
        for other, condition in compose_document.depends_on(entries[current]).items():
            # Under whatever condition: before `other` has started, what it waits for has ended.
            waiting.append(other)
            if condition == _ENDED:
                ended.add(other)
    return ended


def _servers(composition: Composition, entries: Mapping[str, Entry]) -> Iterator[Difference]:
    """The servers, and whether their major version is that of the charts."""
    for service in composition.services:
        if service.role != "component" or service.name in {TOOLS, DATABASES}:
            continue
        if service.settings.get("profiles"):
            continue
        own = _server(service, entries)
        if own is None:
            yield _difference(service.name, "service", service.image, "", "missing")
            continue
        image = str(entries[own].get("image") or "")
        expected, present = components.major(service.image), components.major(image)
        if expected is not None and expected != present:
            yield _difference(service.name, "database", service.image, image, "major")
        if service.name == "postgresql":
            for reference, major in composition.majors.items():
                if major != present:
                    yield _difference(service.name, "database", reference, image, "major")


def _server(service: Service, entries: Mapping[str, Entry]) -> str | None:
    if service.name in entries:
        return service.name
    repository = pods.repository(service.image).rpartition("/")[2]
    names = {repository, service.name} | ({"redis"} if service.name == "valkey" else set())
    for name, entry in entries.items():
        own = pods.repository(str(entry.get("image") or "")).rpartition("/")[2]
        # What depends on something is a client in the server's image, such as the one that makes databases.
        if own in names and compose_document.depends_on(entry) == {}:
            return name
    return None


def of(
    composition: Composition,
    document: Any,
    files: Sequence[str],
    *,
    names_in: EnvNames = lambda _: None,
    unread: str = "",
) -> compositions.Parity:
    """The comparison as it is shown.

    Args:
        composition: What the charts ask for.
        document: The Compose file.
        files: The files that it was read from.
        names_in: Reads the names of variables in a file.
        unread: A file that only Compose could have merged.
    """
    return compositions.Parity(
        composition.environment,
        tuple(files),
        tuple(service.name for service in composition.services if service.role in _COMPARED),
        compare(composition, document, names_in=names_in),
        composition.gaps,
        unread,
    )
