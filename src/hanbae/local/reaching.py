"""How services are reached: by the names that Kubernetes' Services have, and by ports of the machine."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
from msgspec import Struct

from hanbae import patterns, wording
from hanbae.local import healthchecks
from hanbae.local.composition import Port, Service
from hanbae.releases import parts
from hanbae.releases.objects import Object
from hanbae.results import compositions

_ODD: Final = patterns.lazy(r"[^A-Za-z0-9]+")
_FIRST: Final = 8080
_PRIVILEGED: Final = 1024
_LAST: Final = 65_535


class Reached(Struct, frozen=True):
    """A workload that Kubernetes' Services lead to.

    Attributes:
        aliases: The names of these Services, in the forms that cluster DNS knows.
        ports: Port in the container → its name.
        gaps: What of them Compose cannot do.
    """

    aliases: tuple[str, ...] = ()
    ports: Mapping[int, str] = {}
    gaps: tuple[wording.Text, ...] = ()


def of(release: parts.Release, manifest: Object) -> Reached:
    """The Services of a release that lead to the pods of one of its objects."""
    labels = manifest.get(*manifest.template_metadata, "labels")
    labels = labels if isinstance(labels, Mapping) else {}
    names = _port_names(manifest)
    aliases: list[str] = []
    ports: dict[int, str] = {}
    gaps: list[wording.Text] = []
    for service in release.objects:
        selector = service.get("spec", "selector")
        if service.kind != "Service" or not isinstance(selector, Mapping) or not selector:
            continue
        if any(labels.get(key) != value for key, value in selector.items()):
            continue
        aliases += _aliases(service)
        for entry in _mappings(service.get("spec", "ports")):
            if str(entry.get("protocol") or "TCP") != "TCP":
                continue
            own = healthchecks.number(entry.get("port"))
            named = entry.get("targetPort") or own
            target = names.get(str(named)) or healthchecks.number(named)
            if target is None:
                continue
            ports.setdefault(target, str(entry.get("name") or ""))
            if own != target:
                facts = {"name": service.name, "port": str(own), "target": str(target)}
                gaps.append(wording.Text("local.gap-service-port", facts))
    return Reached(tuple(dict.fromkeys(aliases)), ports, tuple(gaps))


def published(
    services: Sequence[Service], reached: Mapping[str, Reached]
) -> tuple[tuple[Service, ...], tuple[compositions.Gap, ...]]:
    """The services with their names and ports; each port of the machine is given once, in the order of names.

    Args:
        services: The services.
        reached: Name of a service → what leads to it.

    Returns:
        The services, and the names that two of them would have.
    """
    ports_taken = {port.host for service in services for port in service.ports}
    names: dict[str, list[str]] = {}
    for name, entry in reached.items():
        for alias in entry.aliases:
            names.setdefault(alias, []).append(name)
    own = {service.name for service in services}
    gaps = [
        compositions.Gap(holder, wording.Text("local.gap-name", {"name": alias}))
        for alias, holders in sorted(names.items())
        if len(holders) > 1
        for holder in holders
    ]
    ports: dict[str, tuple[Port, ...]] = {}
    for name in sorted(reached):
        ports[name] = tuple(_ports(name, reached[name], ports_taken))
    result = []
    for service in services:
        if service.name not in reached:
            result.append(service)
            continue
        entry = reached[service.name]
        # Of those that share an alias Docker answers with any, so a name of two leads to neither.
        aliases = tuple(
            alias
            for alias in entry.aliases
            if len(names[alias]) == 1 and (alias == service.name or alias not in own)
        )
        result.append(
            msgspec.structs.replace(
                service,
                ports=ports[service.name],
                aliases=tuple(alias for alias in aliases if alias != service.name),
            )
        )
    return tuple(result), tuple(gaps)


def variable(*words: str) -> str:
    """The name of a variable made of words: ``AUTH_SERVICE_PORT``."""
    name = "_".join(_ODD.sub("_", word).strip("_") for word in words if word).upper()
    return f"P_{name}" if name[:1].isdigit() else name


def _ports(name: str, reached: Reached, ports_taken: set[int]) -> Iterator[Port]:
    several = len(reached.ports) > 1
    for container, label in sorted(reached.ports.items()):
        host = container if container >= _PRIVILEGED else _FIRST
        while host in ports_taken:
            host = host + 1 if host < _LAST else _PRIVILEGED
        ports_taken.add(host)
        word = (label or str(container)) if several else ""
        yield Port(container, host, variable(name, word, "PORT"), label)


def _aliases(service: Object) -> Iterator[str]:
    name, namespace = service.name, service.namespace
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", name):
        return
    yield name
    if re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", namespace):
        for end in (namespace, f"{namespace}.svc", f"{namespace}.svc.cluster.local"):
            yield f"{name}.{end}"


def _port_names(manifest: Object) -> dict[str, int]:
    return {
        str(port["name"]): number
        for _, container in manifest.containers()
        for port in _mappings(container.get("ports"))
        if "name" in port and (number := healthchecks.number(port.get("containerPort")))
    }


def _mappings(entries: Any) -> Iterable[Mapping[str, Any]]:
    return [
        entry
        for entry in (entries if isinstance(entries, list) else ())
        if isinstance(entry, Mapping)
    ]
