"""Services, the pods behind them, and the routes in front of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from hanbae.rules import rulebook, views
from hanbae.rules.kubernetes import shapes

_SERVICE: Final = "https://kubernetes.io/docs/concepts/services-networking/service/"
_SERVING: Final = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Pod")
_ENDING: Final = ("Job", "CronJob")
_ROUTES: Final = ("HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute")


def _behind(release: views.Release, service: views.Object, *kinds: str) -> list[views.Object]:
    """What makes pods that a Service selects; nothing for a Service without a selector."""
    selector = shapes.mapping(service.get("spec", "selector"))
    return [
        each
        for each in release.of_kind(*kinds)
        if selector
        and each.namespace == service.namespace
        and shapes.contains(shapes.pod_labels(each), selector)
    ]


@rulebook.of_release("KUB026", "error", source=_SERVICE)
def selects_nothing(release: views.Release) -> Iterator[rulebook.Hit]:
    """A Service that selects no pod of the release: whoever calls it is refused."""
    for each in release.of_kind("Service"):
        selector = shapes.mapping(each.get("spec", "selector"))
        if not selector or each.get("spec", "type") == "ExternalName":
            continue
        if not _behind(release, each, *_SERVING, *_ENDING):
            facts = {"object": each.label}
            yield rulebook.Hit(views.On(each, ("spec", "selector"), key=True), facts)


@rulebook.of_release("KUB027", "error", source=f"{_SERVICE}#field-spec-ports")
def no_such_port(release: views.Release) -> Iterator[rulebook.Hit]:
    """A Service's port that leads to a port which the pods do not have."""
    for each in release.of_kind("Service"):
        behind = _behind(release, each, *_SERVING)
        if not behind:
            continue
        names, numbers = _listening(behind)
        for at, port in shapes.entries(each.get("spec", "ports")):
            # Without a target, and with one of 0 or "", the port's own number is meant.
            target = port.get("targetPort") or port.get("port")
            facts = {"object": each.label, "target": str(target), "pods": behind[0].label}
            field = "targetPort" if port.get("targetPort") else "port"
            on = views.On(each, ("spec", "ports", at, field))
            if isinstance(target, str) and not target.isdecimal() and target not in names:
                facts["known"] = ", ".join(sorted(names)) or "-"
                yield rulebook.Hit(on, facts, "name")
            elif isinstance(target, int) and numbers and target not in numbers:
                facts["known"] = ", ".join(str(number) for number in sorted(numbers))
                # Ports of a container are only information; it may listen on others.
                yield rulebook.Hit(on, facts, "number", severity="warning")


def _listening(workloads: list[views.Object]) -> tuple[set[str], set[int]]:
    names, numbers = set(), set()
    for each in workloads:
        for _, container in each.containers():
            for _, port in shapes.entries(container.get("ports")):
                if isinstance(port.get("name"), str):
                    names.add(port["name"])
                if isinstance(port.get("containerPort"), int):
                    numbers.add(port["containerPort"])
    return names, numbers


@rulebook.of_release("KUB028", "error", source=_SERVICE)
def selects_migrations(release: views.Release) -> Iterator[rulebook.Hit]:
    """A Service that selects the pods of a Job: requests go to a migration."""
    for each in release.of_kind("Service"):
        for job in _behind(release, each, *_ENDING):
            facts = {"object": each.label, "job": job.label}
            yield rulebook.Hit(views.On(each, ("spec", "selector"), key=True), facts)


@rulebook.of_release(
    "KUB029", "error", source="https://kubernetes.io/docs/concepts/services-networking/ingress/"
)
def leads_nowhere(release: views.Release) -> Iterator[rulebook.Hit]:
    """An Ingress or a route to a Service, or a port of one, that the release does not have."""
    services = {(each.namespace, each.name): each for each in release.of_kind("Service")}
    for each in release.of_kind("Ingress"):
        for pointer, backend in _backends(each):
            service = shapes.mapping(backend.get("service"))
            port = shapes.mapping(service.get("port"))
            at = (*pointer, "service")
            if isinstance(service.get("name"), str):
                on = views.On(each, (*at, "name"))
                there = services.get((each.namespace, service["name"]))
                wanted = port.get("name") or port.get("number")
                on_port = views.On(each, (*at, "port", "name" if port.get("name") else "number"))
                yield from _led(on, on_port, there, service["name"], wanted)
    for each in release.of_kind(*_ROUTES):
        for pointer, ref in _references(each):
            name = ref.get("name")
            if ref.get("kind", "Service") != "Service" or not isinstance(name, str):
                continue
            there = services.get((str(ref.get("namespace") or each.namespace), name))
            on = views.On(each, (*pointer, "name"))
            yield from _led(on, views.On(each, (*pointer, "port")), there, name, ref.get("port"))


def _led(
    on: views.On, on_port: views.On, service: views.Object | None, name: str, port: Any
) -> Iterator[rulebook.Hit]:
    facts = {"object": on.object.label, "service": name}
    if service is None:
        # Another release may have it.
        yield rulebook.Hit(on, facts, "service", severity="warning")
        return
    ports = [each for _, each in shapes.entries(service.get("spec", "ports"))]
    known = [each.get("name") for each in ports] + [each.get("port") for each in ports]
    if port is not None and port not in known:
        facts |= {"port": str(port), "known": ", ".join(str(each) for each in known if each)}
        yield rulebook.Hit(on_port, facts, "port")


def _backends(ingress: views.Object) -> Iterator[tuple[views.Pointer, dict[str, Any]]]:
    default = ingress.get("spec", "defaultBackend")
    if isinstance(default, dict):
        yield ("spec", "defaultBackend"), default
    for at, rule in shapes.entries(ingress.get("spec", "rules")):
        paths = shapes.mapping(rule.get("http")).get("paths")
        for index, path in shapes.entries(paths):
            pointer = ("spec", "rules", at, "http", "paths", index, "backend")
            yield pointer, shapes.mapping(path.get("backend"))


def _references(route: views.Object) -> Iterator[tuple[views.Pointer, dict[str, Any]]]:
    for at, rule in shapes.entries(route.get("spec", "rules")):
        for index, ref in shapes.entries(rule.get("backendRefs")):
            yield ("spec", "rules", at, "backendRefs", index), ref
