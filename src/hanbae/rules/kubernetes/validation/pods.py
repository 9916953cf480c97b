"""Pods: containers, volumes, probes and scheduling (``pkg/apis/core/validation`` of Kubernetes)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from hanbae.apis import quantities
from hanbae.rules.kubernetes import shapes
from hanbae.rules.kubernetes.validation import refusals

_PROBES: Final = ("livenessProbe", "startupProbe", "readinessProbe")
_ONE_SUCCESS: Final = ("livenessProbe", "startupProbe")
_NO_LIFECYCLE: Final = ("lifecycle", *_PROBES)
_RESOURCES: Final = frozenset({"cpu", "ephemeral-storage", "memory"})


def pod(spec: Mapping[str, Any], pointer: refusals.Pointer) -> refusals.Refusals:
    """The spec of a pod."""
    yield from refusals.unique(spec.get("volumes"), (*pointer, "volumes"), "name")
    for index, volume in shapes.entries(spec.get("volumes")):
        yield from _volume(volume, (*pointer, "volumes", index))
    for kind in ("initContainers", "containers"):
        for index, container in shapes.entries(spec.get(kind)):
            place = (*pointer, kind, index)
            yield from _container(container, place)
            if spec.get("hostNetwork") is True:
                yield from _host_ports(container, place)
            if kind == "initContainers" and container.get("restartPolicy") != "Always":
                for name in _NO_LIFECYCLE:
                    if container.get(name):
                        yield refusals.beside((*place, name), "an init container that ends")
    yield from _scheduling(spec, pointer)
    yield from _of_pod(spec, pointer)


def _of_pod(spec: Mapping[str, Any], pointer: refusals.Pointer) -> refusals.Refusals:
    """What is said of a pod as a whole."""
    if spec.get("shareProcessNamespace") is True and spec.get("hostPID") is True:
        yield refusals.beside((*pointer, "shareProcessNamespace"), "hostPID: true")
    nameservers = shapes.mapping(spec.get("dnsConfig")).get("nameservers")
    if spec.get("dnsPolicy") == "None" and not nameservers:
        yield refusals.missing((*pointer, "dnsConfig"), "nameservers", "dnsPolicy: None")
    context = shapes.mapping(spec.get("securityContext"))
    yield from _profiles(context, (*pointer, "securityContext"))
    yield from refusals.unique(
        context.get("sysctls"), (*pointer, "securityContext", "sysctls"), "name"
    )
    grace = spec.get("terminationGracePeriodSeconds")
    grace = grace if isinstance(grace, int) else 30
    for index, container in shapes.entries(spec.get("containers")):
        place = (*pointer, "containers", index, "lifecycle", "preStop", "sleep")
        seconds = shapes.mapping(
            shapes.mapping(shapes.mapping(container.get("lifecycle")).get("preStop")).get("sleep")
        ).get("seconds")
        if isinstance(seconds, int) and not 0 <= seconds <= grace:
            expected = f"terminationGracePeriodSeconds ({grace})"
            yield refusals.invalid((*place, "seconds"), seconds, expected)


def _profiles(context: Mapping[str, Any], pointer: refusals.Pointer) -> refusals.Refusals:
    for name in ("seccompProfile", "appArmorProfile"):
        if name not in context:
            continue
        profile = shapes.mapping(context[name])
        place = (*pointer, name)
        if profile.get("type") == "Localhost" and not profile.get("localhostProfile"):
            yield refusals.missing(place, "localhostProfile", "type: Localhost")
        elif profile.get("type") != "Localhost" and profile.get("localhostProfile"):
            yield refusals.beside((*place, "localhostProfile"), f"type: {profile.get('type')}")


def _container(container: Mapping[str, Any], pointer: refusals.Pointer) -> refusals.Refusals:
    if "resources" in container:
        yield from _resources(shapes.mapping(container["resources"]), (*pointer, "resources"))
    for index, variable in shapes.entries(container.get("env")):
        # The API server takes an empty `value` for none.
        if variable.get("value") and variable.get("valueFrom"):
            yield refusals.beside((*pointer, "env", index, "valueFrom"), "value")
    for name in _PROBES:
        if name in container:
            yield from _probe(name, shapes.mapping(container[name]), (*pointer, name))
    for index, mount in shapes.entries(container.get("volumeMounts")):
        yield from _mount(mount, (*pointer, "volumeMounts", index))
    context = shapes.mapping(container.get("securityContext"))
    yield from _security(context, (*pointer, "securityContext"))
    yield from _profiles(context, (*pointer, "securityContext"))
    ports = ("hostPort", "protocol", "hostIP")
    yield from refusals.unique(container.get("ports"), (*pointer, "ports"), *ports)


def _resources(resources: Mapping[str, Any], pointer: refusals.Pointer) -> refusals.Refusals:
    limits, requests = (
        {str(name): amount for name, amount in shapes.mapping(resources.get(kind)).items()}
        for kind in ("limits", "requests")
    )
    for kind, amounts in (("limits", limits), ("requests", requests)):
        for name, amount in amounts.items():
            number = quantities.quantity(amount)
            if number is not None and number < 0:
                yield refusals.invalid((*pointer, kind, name), amount, "0 or more")
        yield from _kinds(amounts, (*pointer, kind))
    for name, amount in requests.items():
        if _is_whole(name) and quantities.quantity(limits.get(name)) != quantities.quantity(amount):
            limit = str(limits.get(name, "-"))
            yield refusals.invalid((*pointer, "requests", name), amount, f"limits ({limit})")
        elif name in limits and refusals.exceeds(amount, limits[name]):
            facts = {"resource": name, "request": str(amount), "limit": str(limits[name])}
            yield refusals.Refusal((*pointer, "requests", name), "over-limit", facts)


def _is_whole(name: str) -> bool:
    """Whether a resource is not shared: a device, a huge page. Its request is its limit."""
    return name.startswith("hugepages-") or ("/" in name and "kubernetes.io/" not in name)


def _kinds(amounts: Mapping[str, Any], pointer: refusals.Pointer) -> refusals.Refusals:
    for name, amount in amounts.items():
        if "/" not in name and name not in _RESOURCES and not name.startswith("hugepages-"):
            yield refusals.invalid((*pointer, name), name, ", ".join(sorted(_RESOURCES)))
        number = quantities.quantity(amount)
        if "/" in name and number is not None and number != int(number):
            yield refusals.invalid((*pointer, name), amount, "1")


def _probe(name: str, probe: Mapping[str, Any], pointer: refusals.Pointer) -> refusals.Refusals:
    successes = probe.get("successThreshold")
    if name in _ONE_SUCCESS and isinstance(successes, int) and successes > 1:
        yield refusals.invalid((*pointer, "successThreshold"), successes, "1")
    grace = probe.get("terminationGracePeriodSeconds")
    if grace is None:
        return
    if name == "readinessProbe":
        yield refusals.beside((*pointer, "terminationGracePeriodSeconds"), name)
    elif isinstance(grace, int) and grace < 1:
        yield refusals.invalid((*pointer, "terminationGracePeriodSeconds"), grace, "1 or more")


def _mount(mount: Mapping[str, Any], pointer: refusals.Pointer) -> refusals.Refusals:
    yield from refusals.exclusive(mount, pointer, "subPath", "subPathExpr")
    for name in ("subPath", "subPathExpr"):
        path = mount.get(name)
        if isinstance(path, str) and (path.startswith("/") or ".." in path.split("/")):
            yield refusals.invalid((*pointer, name), path, "a relative path without ..")


def _security(context: Mapping[str, Any], pointer: refusals.Pointer) -> refusals.Refusals:
    if context.get("allowPrivilegeEscalation") is not False:
        return
    place = (*pointer, "allowPrivilegeEscalation")
    if context.get("privileged") is True:
        yield refusals.beside(place, "privileged: true")
    added = shapes.mapping(context.get("capabilities")).get("add")
    for capability in added if isinstance(added, list) else ():
        # Kubernetes compares with CAP_SYS_ADMIN alone; the runtime takes SYS_ADMIN for the same.
        if capability == "CAP_SYS_ADMIN":
            yield refusals.beside(place, f"capabilities.add: {capability}")


def _host_ports(container: Mapping[str, Any], pointer: refusals.Pointer) -> refusals.Refusals:
    for index, port in shapes.entries(container.get("ports")):
        on_host, inside = port.get("hostPort"), port.get("containerPort")
        if on_host and on_host != inside:
            place = (*pointer, "ports", index, "hostPort")
            yield refusals.invalid(place, on_host, f"{inside} (hostNetwork)")


def _volume(volume: Mapping[str, Any], pointer: refusals.Pointer) -> refusals.Refusals:
    sources = [name for name, source in volume.items() if name != "name" and source is not None]
    for name in sources[1:]:
        yield refusals.beside((*pointer, name), sources[0])


def _scheduling(spec: Mapping[str, Any], pointer: refusals.Pointer) -> refusals.Refusals:
    for index, toleration in shapes.entries(spec.get("tolerations")):
        place = (*pointer, "tolerations", index)
        operator = toleration.get("operator") or "Equal"
        if operator == "Exists" and toleration.get("value"):
            yield refusals.beside((*place, "value"), "operator: Exists")
        if not toleration.get("key") and operator != "Exists":
            yield refusals.missing(place, "key", f"operator: {operator}")
        if (
            toleration.get("tolerationSeconds") is not None
            and toleration.get("effect") != "NoExecute"
        ):
            yield refusals.missing(place, "effect", "tolerationSeconds (NoExecute)")
    spreads = spec.get("topologySpreadConstraints")
    place = (*pointer, "topologySpreadConstraints")
    yield from refusals.unique(spreads, place, "topologyKey", "whenUnsatisfiable")
    for index, spread in shapes.entries(spreads):
        skew = spread.get("maxSkew")
        if isinstance(skew, int) and skew < 1:
            yield refusals.invalid((*place, index, "maxSkew"), skew, "1 or more")
        if spread.get("minDomains") and spread.get("whenUnsatisfiable") != "DoNotSchedule":
            yield refusals.beside(
                (*place, index, "minDomains"), "whenUnsatisfiable: ScheduleAnyway"
            )
