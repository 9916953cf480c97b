"""Services that lead nowhere, and Ingresses that lead to no Service."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from hanbae import subjects
from hanbae.diagnosing import pictures

_DEFAULT_CLASS: Final = "ingressclass.kubernetes.io/is-default-class"


def causes(picture: pictures.Picture) -> Iterator[pictures.Cause]:
    """The causes in all Services and Ingresses of the picture."""
    home = picture.controller.partition("/")[0]
    for ref, service in picture.of("Service"):
        # Of the controller's namespace pods are not read (`actions.doctor`), so that every Service
        # there would seem to select nothing.
        if ref.namespace == home and not any(pod.namespace == home for pod, _ in picture.of("Pod")):
            continue
        yield from _service(picture, ref, service)
    for ref, ingress in picture.of("Ingress"):
        yield from _ingress(picture, ref, ingress)


def _service(
    picture: pictures.Picture, ref: subjects.Ref, service: pictures.Object
) -> Iterator[pictures.Cause]:
    spec = service.get("spec") or {}
    selector = spec.get("selector") or {}
    # Without a selector somebody else writes its endpoints; an ExternalName is a name in DNS.
    if not selector or spec.get("type") == "ExternalName":
        return
    selected = [
        (pod_ref, pod)
        for pod_ref, pod in picture.of("Pod")
        if pod_ref.namespace == ref.namespace
        and not _has_ended(pod)
        and selector.items() <= (pod["metadata"].get("labels") or {}).items()
    ]
    labels = ",".join(f"{key}={value}" for key, value in sorted(selector.items()))
    facts: dict[str, object] = {"service": ref.name, "namespace": ref.namespace, "selector": labels}
    if not selected:
        # A snapshot names pods as unseen as well where only their logs may not be read.
        if ("Pod", ref.namespace) in picture.unseen and not any(
            pod.namespace == ref.namespace for pod, _ in picture.of("Pod")
        ):
            return
        command: tuple[str, ...] = ("kubectl", "get", "pods", "-n", ref.namespace, "--show-labels")
        yield pictures.cause(ref, "diagnosis.selects-nothing", facts, command, fatal=False)
        return
    ports = _ports(pod for _, pod in selected)
    for port in spec.get("ports") or []:
        target = port.get("targetPort", port.get("port"))
        # A number is dialled whether a container declares it or not; only a name has to be
        # declared.
        if isinstance(target, str) and target not in ports:
            facts |= {"port": str(target), "ports": ", ".join(sorted(ports)) or "-"}
            command = ("kubectl", "describe", "service", ref.name, "-n", ref.namespace)
            yield pictures.cause(ref, "diagnosis.port-unknown", facts, command, fatal=True)
            return
    if not any(pictures.condition(pod, "Ready").get("status") == "True" for _, pod in selected):
        facts |= {"pods": str(len(selected))}
        command = ("kubectl", "get", "pods", "-n", ref.namespace, "-l", labels)
        owner = pictures.owner(selected[0][1])
        # A symptom: what keeps the pods from being ready explains it, where that is known.
        yield pictures.cause(
            ref, "diagnosis.none-ready", facts, command, fatal=False, owner=owner, is_symptom=True
        )


def _has_ended(pod: pictures.Object) -> bool:
    return (pod.get("status") or {}).get("phase") in {"Succeeded", "Failed"}


def _ports(pods: Iterator[pictures.Object]) -> set[str]:
    return {
        str(port["name"])
        for pod in pods
        for container in _lasting(pod.get("spec") or {})
        for port in container.get("ports") or []
        if port.get("name")
    }


def _lasting(spec: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The containers that stay: an init container that is always restarted runs beside the others, as a sidecar."""
    yield from spec.get("containers") or []
    for container in spec.get("initContainers") or []:
        if container.get("restartPolicy") == "Always":
            yield container


def _ingress(
    picture: pictures.Picture, ref: subjects.Ref, ingress: pictures.Object
) -> Iterator[pictures.Cause]:
    spec = ingress.get("spec") or {}
    classes = dict(picture.of("IngressClass"))
    facts: dict[str, object] = {"ingress": ref.name, "namespace": ref.namespace}
    name = spec.get("ingressClassName")
    names = {entry.name for entry in classes}
    defaults = [
        entry
        for entry, item in classes.items()
        if (item["metadata"].get("annotations") or {}).get(_DEFAULT_CLASS) == "true"
    ]
    is_taken = name in names if name else bool(defaults)
    # Classes are in no namespace: who may look into one only does not see them.
    if not is_taken and ("IngressClass", "") not in picture.unseen:
        facts |= {"class": name or "-", "classes": ", ".join(sorted(names)) or "-"}
        command: tuple[str, ...] = ("kubectl", "get", "ingressclass")
        yield pictures.cause(ref, "diagnosis.ingress-class", facts, command, fatal=False)
    for backend in _backends(spec):
        yield from _backend(picture, ref, backend)


def _backends(spec: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    places = [
        spec.get("defaultBackend") or {},
        *(
            path.get("backend") or {}
            for rule in spec.get("rules") or []
            for path in (rule.get("http") or {}).get("paths") or []
        ),
    ]
    listed = [place["service"] for place in places if isinstance(place.get("service"), dict)]
    return (backend for index, backend in enumerate(listed) if backend not in listed[:index])


def _backend(
    picture: pictures.Picture, ref: subjects.Ref, backend: Mapping[str, Any]
) -> Iterator[pictures.Cause]:
    name = str(backend.get("name") or "")
    service = picture.objects.get(subjects.Ref("Service", ref.namespace, name))
    facts = {"ingress": ref.name, "namespace": ref.namespace, "service": name}
    if service is None:
        if ("Service", ref.namespace) in picture.unseen:
            return
        command: tuple[str, ...] = ("kubectl", "get", "services", "-n", ref.namespace)
        yield pictures.cause(ref, "diagnosis.backend-absent", facts, command, fatal=True)
        return
    port = backend.get("port") or {}
    ports = (service.get("spec") or {}).get("ports") or []
    wanted_port = port.get("name") or port.get("number")
    if wanted_port and not any(
        wanted_port in (entry.get("name"), entry.get("port")) for entry in ports
    ):
        facts |= {"port": str(wanted_port)}
        command = ("kubectl", "describe", "service", name, "-n", ref.namespace)
        yield pictures.cause(ref, "diagnosis.backend-port", facts, command, fatal=True)
