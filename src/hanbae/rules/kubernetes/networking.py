"""Services, the pods behind them, and the routes in front of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from hanbae.results import findings
from hanbae.rules import rulebook, views
from hanbae.rules.kubernetes import shapes

_SERVICE: Final = "https://kubernetes.io/docs/concepts/services-networking/service/"
_SERVING: Final = ("Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Rollout", "Pod")
_BY_ANNOTATION: Final = "use-annotation"
"""Port of a backend that the AWS load balancer controller reads from an annotation: it is no Service's."""
_MAKES_NO_PODS: Final = frozenset(
    {
        *(
            "SealedSecret",
            "ExternalSecret",
            "SecretStore",
            "SecretProviderClass",
            "Certificate",
            "Issuer",
        ),
        *(
            "ServiceMonitor",
            "PodMonitor",
            "PrometheusRule",
            "Probe",
            "ScaledObject",
            "VerticalPodAutoscaler",
        ),
        *(
            "HTTPRoute",
            "GRPCRoute",
            "TLSRoute",
            "TCPRoute",
            "UDPRoute",
            "Gateway",
            "ReferenceGrant",
        ),
        *(
            "VirtualService",
            "DestinationRule",
            "AuthorizationPolicy",
            "PeerAuthentication",
            "IngressRoute",
        ),
        *(
            "Middleware",
            "BackendConfig",
            "ManagedCertificate",
            "FrontendConfig",
            "Application",
            "AppProject",
        ),
        *("CiliumNetworkPolicy", "AnalysisTemplate", "TargetGroupBinding", "Mapping", "Rollout"),
    }
)
"""Kinds of operators whose objects are no workloads; of all others an operator may make pods."""
_ENDING: Final = ("Job", "CronJob")
_BY_CONTROLLERS: Final = frozenset(
    {
        "apps.kubernetes.io/pod-index", "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name",
        "controller-revision-hash", "controller-uid", "job-name", "pod-template-generation", "pod-template-hash",
        "statefulset.kubernetes.io/pod-name", "vault-active", "vault-initialized", "vault-perf-standby",
        "vault-sealed", "openbao-active", "openbao-initialized", "openbao-perf-standby", "openbao-sealed",
    }
)  # fmt: skip
"""Labels that controllers, or the programs themselves, put on pods that are there."""
_ROLES: Final = frozenset(
    {"active", "follower", "leader", "main", "master", "primary", "replica", "secondary", "standby"}
)
"""Values of labels with which programs tell which of their pods leads."""
_ROUTES: Final = ("HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute")


def _behind(release: views.Release, service: views.Object, *kinds: str) -> list[views.Object]:
    """What makes pods that a Service selects; nothing for a Service without a selector."""
    selector = shapes.mapping(service.get("spec", "selector"))
    return [
        manifest
        for manifest in release.of_kind(*kinds)
        if selector
        and manifest.namespace == service.namespace
        and shapes.contains(shapes.pod_labels(manifest), selector)
    ]


@rulebook.of_release("KUB026", "error", source=_SERVICE, essential=True)
def selects_nothing(release: views.Release) -> Iterator[rulebook.Hit]:
    """A Service that selects no pod of the release: whoever calls it is refused."""
    for manifest in release.of_kind("Service"):
        selector = shapes.mapping(manifest.get("spec", "selector"))
        if not selector or manifest.get("spec", "type") == "ExternalName":
            continue
        if _has_operators(release):
            continue
        if not _behind(release, manifest, *_SERVING, *_ENDING) and not _chosen_later(
            release, manifest, selector
        ):
            facts = {"object": manifest.label}
            yield rulebook.Hit(views.On(manifest, ("spec", "selector"), key=True), facts)


def _chosen_later(
    release: views.Release, service: views.Object, selector: Mapping[str, Any]
) -> bool:
    """Whether pods of the release are selected once they run and have the labels that are given then."""
    later = {
        key for key, value in selector.items() if key in _BY_CONTROLLERS or str(value) in _ROLES
    }
    if not later:
        return False
    rest = {key: value for key, value in selector.items() if key not in later}
    return any(
        manifest.namespace == service.namespace
        and shapes.contains(shapes.pod_labels(manifest), rest)
        and later.isdisjoint(shapes.pod_labels(manifest))
        for manifest in release.of_kind(*_SERVING)
    )


def _has_operators(release: views.Release) -> bool:
    """Whether an operator may make pods for an object of the release, with labels of its own."""
    return any(
        "." in manifest.api_version.partition("/")[0]
        and not manifest.api_version.partition("/")[0].endswith(".k8s.io")
        and manifest.kind not in _MAKES_NO_PODS
        for manifest in release.objects
    )


@rulebook.of_release("KUB027", "error", source=f"{_SERVICE}#field-spec-ports", essential=True)
def no_such_port(release: views.Release) -> Iterator[rulebook.Hit]:
    """A Service's port that leads to a port which the pods do not have.

    Whoever calls a headless Service gets the pods' addresses and takes the port himself: only its SRV record lacks.
    """
    for manifest in release.of_kind("Service"):
        grave: findings.Severity | None = "warning" if _is_headless(manifest) else None
        behind = _behind(release, manifest, *_SERVING)
        if not behind:
            continue
        names, numbers = _listening(behind)
        for index, port in shapes.entries(manifest.get("spec", "ports")):
            # Without a target, and with one of 0 or "", the port's own number is meant.
            target = port.get("targetPort") or port.get("port")
            facts = {"object": manifest.label, "target": str(target), "pods": behind[0].label}
            field = "targetPort" if port.get("targetPort") else "port"
            on = views.On(manifest, ("spec", "ports", index, field))
            if isinstance(target, str) and not target.isdecimal() and target not in names:
                facts["known"] = ", ".join(sorted(names)) or "-"
                yield rulebook.Hit(on, facts, "name", severity=grave)
            elif isinstance(target, int) and numbers and target not in numbers:
                facts["known"] = ", ".join(str(number) for number in sorted(numbers))
                # Ports of a container are only information; it may listen on others.
                yield rulebook.Hit(on, facts, "number", severity="warning")


def _listening(workloads: list[views.Object]) -> tuple[set[str], set[int]]:
    names, numbers = set(), set()
    for workload in workloads:
        for _, container in workload.containers():
            for _, port in shapes.entries(container.get("ports")):
                if isinstance(port.get("name"), str):
                    names.add(port["name"])
                if isinstance(port.get("containerPort"), int):
                    numbers.add(port["containerPort"])
    return names, numbers


def _is_headless(service: views.Object) -> bool:
    return bool(service.get("spec", "clusterIP") == "None")


def _is_called(service: views.Object, workload: views.Object) -> bool:
    """Whether requests go to the pods: a pod without a port of the name that a Service leads to is left out."""
    names, _ = _listening([workload])
    ports = [port for _, port in shapes.entries(service.get("spec", "ports"))]
    targets = [port.get("targetPort") or port.get("port") for port in ports]
    return (
        _is_headless(service)
        or not targets
        or any(
            not isinstance(target, str) or target.isdecimal() or target in names
            for target in targets
        )
    )


@rulebook.of_release("KUB028", "error", source=_SERVICE, essential=True)
def selects_migrations(release: views.Release) -> Iterator[rulebook.Hit]:
    """A Service that selects the pods of a Job: requests go to a migration."""
    for manifest in release.of_kind("Service"):
        for job in _behind(release, manifest, *_ENDING):
            if not _is_called(manifest, job):
                continue
            facts = {"object": manifest.label, "job": job.label}
            yield rulebook.Hit(views.On(manifest, ("spec", "selector"), key=True), facts)


@rulebook.of_release(
    "KUB029",
    "error",
    source="https://kubernetes.io/docs/concepts/services-networking/ingress/",
    essential=True,
)
def leads_nowhere(release: views.Release) -> Iterator[rulebook.Hit]:
    """An Ingress or a route to a Service, or a port of one, that the release does not have."""
    services = {
        (manifest.namespace, manifest.name): manifest for manifest in release.of_kind("Service")
    }
    for manifest in release.of_kind("Ingress"):
        for pointer, backend in _backends(manifest):
            service = shapes.mapping(backend.get("service"))
            port = shapes.mapping(service.get("port"))
            location = (*pointer, "service")
            if isinstance(service.get("name"), str) and port.get("name") != _BY_ANNOTATION:
                on = views.On(manifest, (*location, "name"))
                target = services.get((manifest.namespace, service["name"]))
                number = port.get("name") or port.get("number")
                on_port = views.On(
                    manifest, (*location, "port", "name" if port.get("name") else "number")
                )
                if target is None:
                    yield _missing(on, service["name"], services)
                else:
                    yield from _led(on, on_port, target, number)
    for manifest in release.of_kind(*_ROUTES):
        for pointer, ref in _references(manifest):
            name = ref.get("name")
            if ref.get("kind", "Service") != "Service" or not isinstance(name, str):
                continue
            target = services.get((str(ref.get("namespace") or manifest.namespace), name))
            on = views.On(manifest, (*pointer, "name"))
            if target is None:
                # A namespace that is named is meant: a Service of that name in another one is no
                # hint.
                yield _missing(on, name, {} if ref.get("namespace") else services)
            else:
                on_port = views.On(manifest, (*pointer, "port"))
                yield from _led(on, on_port, target, ref.get("port"))


def _missing(
    on: views.On, name: str, services: Mapping[tuple[str, str], views.Object]
) -> rulebook.Hit:
    facts = {"object": on.object.label, "service": name}
    other = next((space for space, own in services if own == name), "")
    if other:
        more = {**facts, "namespace": on.object.namespace, "other": other}
        return rulebook.Hit(on, more, "namespace")
    # Another release may have it.
    return rulebook.Hit(on, facts, "service", severity="warning")


def _led(
    on: views.On, on_port: views.On, service: views.Object, port: Any
) -> Iterator[rulebook.Hit]:
    facts = {"object": on.object.label, "service": service.name}
    ports = [entry for _, entry in shapes.entries(service.get("spec", "ports"))]
    listening = [entry.get("name") for entry in ports] + [entry.get("port") for entry in ports]
    if port is not None and port not in listening:
        facts |= {
            "port": str(port),
            "known": ", ".join(str(number) for number in listening if number),
        }
        yield rulebook.Hit(on_port, facts, "port")


def _backends(ingress: views.Object) -> Iterator[tuple[views.Pointer, dict[str, Any]]]:
    default = ingress.get("spec", "defaultBackend")
    if isinstance(default, dict):
        yield ("spec", "defaultBackend"), default
    for position, rule in shapes.entries(ingress.get("spec", "rules")):
        paths = shapes.mapping(rule.get("http")).get("paths")
        for index, path in shapes.entries(paths):
            pointer = ("spec", "rules", position, "http", "paths", index, "backend")
            yield pointer, shapes.mapping(path.get("backend"))


def _references(route: views.Object) -> Iterator[tuple[views.Pointer, dict[str, Any]]]:
    for position, rule in shapes.entries(route.get("spec", "rules")):
        for index, ref in shapes.entries(rule.get("backendRefs")):
            yield ("spec", "rules", position, "backendRefs", index), ref
