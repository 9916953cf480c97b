"""Containers: what they may use, their environment, mounts and ports, and how they end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from hanbae.rules import rulebook, views
from hanbae.rules.argo import prerequisites
from hanbae.rules.kubernetes import shapes

_RESOURCES: Final = "https://kubernetes.io/docs/concepts/configuration/manage-resources-containers/"
_LIFECYCLE: Final = (
    "https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination"
)
_GRACE: Final = 30
"""Seconds that a pod has to end where it does not say."""


@rulebook.of_release("KUB011", "warning", source=_RESOURCES, essential=False)
def no_resources(release: views.Release) -> Iterator[rulebook.Hit]:
    """A container that says not what it needs, or may take all the memory of a node."""
    for manifest in release.objects:
        if manifest.pod is not None and prerequisites.is_hook_of_no_phase(manifest):
            continue
        for pointer, container in manifest.containers():
            resources = shapes.mapping(container.get("resources"))
            limits = shapes.mapping(resources.get("limits"))
            requests = shapes.mapping(resources.get("requests"))
            missing = [
                name
                for name, is_set in (
                    # A limit without a request is taken as the request as well.
                    ("requests.cpu", "cpu" in requests or "cpu" in limits),
                    ("requests.memory", "memory" in requests or "memory" in limits),
                    ("limits.memory", "memory" in limits),
                )
                if not is_set
            ]
            if missing:
                facts = {**_about(manifest, container), "missing": ", ".join(missing)}
                yield rulebook.Hit(views.On(manifest, (*pointer, "resources")), facts)


@rulebook.of_release(
    "KUB012",
    "warning",
    source="https://github.com/kubernetes/kubernetes/issues/58477",
    essential=True,
)
def environment_twice(release: views.Release) -> Iterator[rulebook.Hit]:
    """An environment variable that is set twice: the last one wins, and server-side apply refuses it."""
    for manifest in release.objects:
        for pointer, container in manifest.containers():
            earlier = set()
            for position, variable in shapes.entries(container.get("env")):
                name = variable.get("name")
                if isinstance(name, str) and name in earlier:
                    facts = {**_about(manifest, container), "name": name}
                    yield rulebook.Hit(
                        views.On(manifest, (*pointer, "env", position, "name")), facts
                    )
                elif isinstance(name, str):
                    earlier.add(name)


@rulebook.of_release(
    "KUB013", "error", source="https://kubernetes.io/docs/concepts/storage/volumes/", essential=True
)
def mount_without_volume(release: views.Release) -> Iterator[rulebook.Hit]:
    """A mount of a volume that the pod does not have, or two volumes or mounts at one place."""
    for manifest in release.objects:
        if manifest.pod is None:
            continue
        volumes = [
            volume.get("name")
            for _, volume in shapes.entries(manifest.get(*manifest.pod, "volumes"))
        ]
        if manifest.kind == "StatefulSet":
            claims = shapes.entries(manifest.get("spec", "volumeClaimTemplates"))
            volumes += [shapes.mapping(claim.get("metadata")).get("name") for _, claim in claims]
        for pointer, container in manifest.containers():
            paths = set()
            for position, mount in shapes.entries(container.get("volumeMounts")):
                name, path = mount.get("name"), mount.get("mountPath")
                facts = {**_about(manifest, container), "name": str(name)}
                if isinstance(name, str) and name not in volumes:
                    on = views.On(manifest, (*pointer, "volumeMounts", position, "name"))
                    yield rulebook.Hit(on, facts, "volume")
                if isinstance(path, str) and path in paths:
                    on = views.On(manifest, (*pointer, "volumeMounts", position, "mountPath"))
                    yield rulebook.Hit(on, {**facts, "path": path}, "path")
                elif isinstance(path, str):
                    paths.add(path)


@rulebook.of_release(
    "KUB014",
    "error",
    source="https://kubernetes.io/docs/concepts/workloads/pods/#pod-networking",
    essential=True,
)
def same_port(release: views.Release) -> Iterator[rulebook.Hit]:
    """Two containers of a pod that listen on one port, or two names or containers that are the same."""
    for manifest in release.objects:
        ports: set[tuple[Any, Any]] = set()
        names: set[Any] = set()
        called: set[Any] = set()
        for pointer, container in manifest.containers():
            name = container.get("name")
            if isinstance(name, str) and name in called:
                on = views.On(manifest, (*pointer, "name"))
                yield rulebook.Hit(on, _about(manifest, container), "container")
            elif isinstance(name, str):
                called.add(name)
            # Init containers are over when the others listen.
            if "initContainers" not in pointer:
                yield from _ports(manifest, pointer, container, ports, names)


def _ports(
    manifest: views.Object,
    pointer: views.Pointer,
    container: dict[str, Any],
    ports: set[tuple[Any, Any]],
    names: set[Any],
) -> Iterator[rulebook.Hit]:
    own = set()
    for position, port in shapes.entries(container.get("ports")):
        number, name = port.get("containerPort"), port.get("name")
        protocol = port.get("protocol") or "TCP"
        if not isinstance(number, int) or not isinstance(protocol, str):
            continue
        facts = {**_about(manifest, container), "port": f"{number}/{protocol}"}
        if (number, protocol) in ports:
            on = views.On(manifest, (*pointer, "ports", position, "containerPort"))
            # The API server takes it; the second one that listens fails at start.
            yield rulebook.Hit(on, facts, "port", severity="warning")
        ports.add((number, protocol))
        if isinstance(name, str) and name in own:
            on = views.On(manifest, (*pointer, "ports", position, "name"))
            yield rulebook.Hit(on, {**facts, "name": name}, "name")
        # The API server refuses a name twice in one container only.
        elif isinstance(name, str) and name in names:
            on = views.On(manifest, (*pointer, "ports", position, "name"))
            yield rulebook.Hit(on, {**facts, "name": name}, "name", severity="warning")
        if isinstance(name, str):
            own.add(name)
            names.add(name)


@rulebook.of_release("KUB016", "warning", source=_LIFECYCLE, essential=False)
def ends_too_soon(release: views.Release) -> Iterator[rulebook.Hit]:
    """A ``preStop`` that takes as long as the pod has to end: the process is killed in the middle of its work."""
    for manifest in release.objects:
        if manifest.pod is None:
            continue
        grace = shapes.number(manifest.get(*manifest.pod, "terminationGracePeriodSeconds"), _GRACE)
        for pointer, container in manifest.containers(init=False):
            hook = shapes.mapping(shapes.mapping(container.get("lifecycle")).get("preStop"))
            seconds = _sleeps(hook)
            if seconds and seconds >= grace:
                facts = _about(manifest, container) | {
                    "seconds": f"{seconds:g}",
                    "grace": f"{grace:g}",
                }
                yield rulebook.Hit(views.On(manifest, (*pointer, "lifecycle", "preStop")), facts)


def _sleeps(hook: dict[str, Any]) -> float:
    """How long a ``preStop`` sleeps, where it plainly does."""
    if isinstance(hook.get("sleep"), dict):
        return shapes.number(hook["sleep"].get("seconds"), 0)
    # `[sleep, "45"]`, or a shell with it: `[sh, -c, "sleep 45; nginx -s quit"]`.
    command = shapes.mapping(hook.get("exec")).get("command")
    words = " ".join(str(word) for word in command[:4]).split() if isinstance(command, list) else []
    counts = Counter(words)
    if counts["sleep"] == 1 and words.index("sleep") + 1 < len(words):
        after = words[words.index("sleep") + 1].rstrip("s;")
        return float(after) if after.isdecimal() and len(after) < len("100000") else 0
    return 0


def _about(manifest: views.Object, container: dict[str, Any]) -> dict[str, str]:
    return {"object": manifest.label, "container": str(container.get("name"))}
