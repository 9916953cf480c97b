"""Pods that the namespace's Pod Security Standard refuses, as the admission plugin of the API server decides it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from hanbae.apis import serving
from hanbae.policy import naming
from hanbae.rules import rulebook, views
from hanbae.rules.argo import prerequisites
from hanbae.rules.kubernetes import shapes

_STANDARDS: Final = "https://kubernetes.io/docs/concepts/security/pod-security-standards/"
_BASELINE_CAPABILITIES: Final = frozenset(
    {
        "AUDIT_WRITE",
        "CHOWN",
        "DAC_OVERRIDE",
        "FOWNER",
        "FSETID",
        "KILL",
        "MKNOD",
        "NET_BIND_SERVICE",
        "SETFCAP",
        "SETGID",
        "SETPCAP",
        "SETUID",
        "SYS_CHROOT",
    }
)
_VOLUMES: Final = frozenset(
    {
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "image",
        "persistentVolumeClaim",
        "projected",
        "secret",
    }
)
_SYSCTLS: Final = frozenset(
    {
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ping_group_range",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_rmem",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.tcp_wmem",
    }
)
_SELINUX: Final = frozenset(
    {"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}
)

_ASKED_SINCE: Final = (1, 34)

Broken = tuple[views.Pointer, str]
"""What is at fault, and what the standard wants there."""


@rulebook.of_release("KUB017", "error", source=_STANDARDS, essential=True)
def insecure(release: views.Release) -> Iterator[rulebook.Hit]:
    """A pod that the namespace's Pod Security Standard refuses."""
    for manifest in release.objects:
        if manifest.pod is None or prerequisites.is_hook_of_no_phase(manifest):
            continue
        standard = level(release, manifest)
        if standard == "privileged":
            continue
        results = list(manifest.once(_broken, standard == "restricted"))
        if serving.number(release.settings.kubernetes) >= _ASKED_SINCE:
            results += manifest.once(_all_asked_elsewhere)
        for location, fields in _lacking(manifest, results).items():
            # What one block mends is one finding.
            results = [field for field in results if field not in fields]
            facts = {"object": manifest.label, "level": standard, "field": shapes.shown(location)}
            facts["wanted"] = ", ".join(
                f"{shapes.shown(pointer[len(location) :])}: {required}"
                for pointer, required in fields
            )
            yield rulebook.Hit(views.On(manifest, location), facts, "several")
        for pointer, required in results:
            facts = {"object": manifest.label, "level": standard, "wanted": required}
            facts["field"] = shapes.shown(pointer)
            yield rulebook.Hit(views.On(manifest, pointer), facts)


def _lacking(manifest: views.Object, results: list[Broken]) -> dict[views.Pointer, list[Broken]]:
    """Security contexts that lack more than one field, and these."""
    lacking: dict[views.Pointer, list[Broken]] = {}
    for pointer, required in results:
        if "securityContext" in pointer and manifest.get(*pointer) is None:
            cut = pointer.index("securityContext") + 1
            lacking.setdefault(pointer[:cut], []).append((pointer, required))
    return {context: fields for context, fields in lacking.items() if len(fields) > 1}


def level(release: views.Release, manifest: views.Object) -> str:
    """The standard that the policy has for an object's namespace; ``privileged`` for one that is not the policy's."""
    policy, suffix = release.policy, release.settings.namespace_suffix
    if not manifest.namespace.endswith(suffix):
        return "privileged"
    base = manifest.namespace[: len(manifest.namespace) - len(suffix)]
    space = policy.namespaces.get(base)
    if space is not None:
        return space.pod_security
    if (
        policy.profile == "essential"
    ):  # hanbae has not labelled these namespaces, and an unlabelled one enforces nothing
        return "privileged"
    own = naming.namespaces_of_services(policy, release.environment)
    return "restricted" if manifest.namespace in own else "privileged"


def _broken(manifest: views.Object, restricted: bool) -> tuple[Broken, ...]:
    return tuple(broken(manifest, restricted=restricted))


def broken(manifest: views.Object, *, restricted: bool) -> Iterator[Broken]:
    """What a standard refuses in an object's pods."""
    assert manifest.pod is not None  # noqa: S101  the callers looked
    spec = shapes.mapping(manifest.get(*manifest.pod))
    yield from _pod(manifest.pod, spec, restricted=restricted)
    own = shapes.mapping(spec.get("securityContext"))
    for pointer, container in manifest.containers():
        location = (*pointer, "securityContext")
        context = shapes.mapping(container.get("securityContext"))
        yield from _context(location, context)
        yield from _host(pointer, container)
        if restricted:
            yield from _confined(location, context, own)


def _pod(pointer: views.Pointer, spec: dict[str, Any], *, restricted: bool) -> Iterator[Broken]:
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(name) is True:
            yield (*pointer, name), "false"
    for index, volume in shapes.entries(spec.get("volumes")):
        kinds = [name for name, value in volume.items() if name != "name" and value is not None]
        refused = [
            name for name in kinds if (restricted and name not in _VOLUMES) or name == "hostPath"
        ]
        for name in refused:
            yield (*pointer, "volumes", index, name), "emptyDir, configMap, secret, …"
    context = shapes.mapping(spec.get("securityContext"))
    yield from _context((*pointer, "securityContext"), context)
    for index, sysctl in shapes.entries(context.get("sysctls")):
        if str(sysctl.get("name")) not in _SYSCTLS:
            yield (
                (*pointer, "securityContext", "sysctls", index, "name"),
                "net.ipv4.ip_unprivileged_port_start, …",
            )
    if restricted and context.get("runAsUser") == 0:
        yield (*pointer, "securityContext", "runAsUser"), "> 0"


def _context(pointer: views.Pointer, context: dict[str, Any]) -> Iterator[Broken]:
    """What both standards refuse in the security context of a pod or a container."""
    if context.get("privileged") is True:
        yield (*pointer, "privileged"), "false"
    if context.get("procMount") not in (None, "", "Default"):
        yield (*pointer, "procMount"), "Default"
    seccomp = shapes.mapping(context.get("seccompProfile"))
    if seccomp.get("type") == "Unconfined":
        yield (*pointer, "seccompProfile", "type"), "RuntimeDefault"
    if shapes.mapping(context.get("appArmorProfile")).get("type") == "Unconfined":
        yield (*pointer, "appArmorProfile", "type"), "RuntimeDefault"
    if shapes.mapping(context.get("windowsOptions")).get("hostProcess") is True:
        yield (*pointer, "windowsOptions", "hostProcess"), "false"
    selinux = shapes.mapping(context.get("seLinuxOptions"))
    if str(selinux.get("type", "")) not in _SELINUX or selinux.get("user") or selinux.get("role"):
        yield (*pointer, "seLinuxOptions"), "container_t"
    added = shapes.mapping(context.get("capabilities")).get("add")
    for index, name in enumerate(added if isinstance(added, list) else ()):
        if str(name) not in _BASELINE_CAPABILITIES:
            yield (*pointer, "capabilities", "add", index), "NET_BIND_SERVICE, CHOWN, …"


def _host(pointer: views.Pointer, container: dict[str, Any]) -> Iterator[Broken]:
    for index, port in shapes.entries(container.get("ports")):
        if port.get("hostPort"):
            yield (*pointer, "ports", index, "hostPort"), "0"


def _all_asked_elsewhere(manifest: views.Object) -> tuple[Broken, ...]:
    return tuple(
        result
        for pointer, container in manifest.containers()
        for result in _asked_elsewhere(pointer, container)
    )


def _asked_elsewhere(location: views.Pointer, container: dict[str, Any]) -> Iterator[Broken]:
    """Probes and lifecycle hooks that go to another host, which the standards refuse since 1.34."""
    asking: list[views.Pointer] = [("livenessProbe",), ("readinessProbe",), ("startupProbe",)]
    asking += [("lifecycle", "postStart"), ("lifecycle", "preStop")]
    for pointer in asking:
        node: dict[str, Any] = container
        for name in pointer:
            node = shapes.mapping(node.get(str(name)))
        for handler in ("httpGet", "tcpSocket"):
            if shapes.mapping(node.get(handler)).get("host"):
                yield (*location, *pointer, handler, "host"), '""'


def _confined(
    pointer: views.Pointer, context: dict[str, Any], pod: dict[str, Any]
) -> Iterator[Broken]:
    """What only ``restricted`` refuses in a container."""
    if context.get("allowPrivilegeEscalation") is not False:
        yield (*pointer, "allowPrivilegeEscalation"), "false"
    capabilities = shapes.mapping(context.get("capabilities"))
    dropped, added = capabilities.get("drop"), capabilities.get("add")
    if not isinstance(dropped, list) or "ALL" not in dropped:
        yield (*pointer, "capabilities", "drop"), "[ALL]"
    for index, name in enumerate(added if isinstance(added, list) else ()):
        # Those beyond the baseline's are told by _context, which both standards go by.
        if name != "NET_BIND_SERVICE" and str(name) in _BASELINE_CAPABILITIES:
            yield (*pointer, "capabilities", "add", index), "NET_BIND_SERVICE"
    # The container's own word counts before the pod's.
    non_root = context.get("runAsNonRoot")
    if (pod.get("runAsNonRoot") if non_root is None else non_root) is not True:
        yield (*pointer, "runAsNonRoot"), "true"
    if context.get("runAsUser") == 0:
        yield (*pointer, "runAsUser"), "> 0"
    profile = context.get("seccompProfile") or pod.get("seccompProfile")
    # _context tells of Unconfined.
    if shapes.mapping(profile).get("type") not in ("RuntimeDefault", "Localhost", "Unconfined"):
        yield (*pointer, "seccompProfile"), "{type: RuntimeDefault}"
