"""Pods that the namespace's Pod Security Standard refuses, as the admission plugin of the API server decides it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from hanbae.apis import serving
from hanbae.rules import rulebook, views
from hanbae.rules.argo import reading
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


@rulebook.of_release("KUB017", "error", source=_STANDARDS)
def insecure(release: views.Release) -> Iterator[rulebook.Hit]:
    """A pod that the namespace's Pod Security Standard refuses."""
    for each in release.objects:
        if each.pod is None or reading.is_hook_of_no_phase(each):
            continue
        standard = level(release, each)
        if standard == "privileged":
            continue
        found = list(broken(each, restricted=standard == "restricted"))
        if serving.number(release.settings.kubernetes) >= _ASKED_SINCE:
            for pointer, container in each.containers():
                found += _asked_elsewhere(pointer, container)
        for at, fields in _lacking(each, found).items():
            # What one block mends is one finding.
            found = [one for one in found if one not in fields]
            facts = {"object": each.label, "level": standard, "field": shapes.shown(at)}
            facts["wanted"] = ", ".join(
                f"{shapes.shown(pointer[len(at) :])}: {wanted}" for pointer, wanted in fields
            )
            yield rulebook.Hit(views.On(each, at), facts, "several")
        for pointer, wanted in found:
            facts = {"object": each.label, "level": standard, "wanted": wanted}
            facts["field"] = shapes.shown(pointer)
            yield rulebook.Hit(views.On(each, pointer), facts)


def _lacking(each: views.Object, found: list[Broken]) -> dict[views.Pointer, list[Broken]]:
    """Security contexts that lack more than one field, and these."""
    lacking: dict[views.Pointer, list[Broken]] = {}
    for pointer, wanted in found:
        if "securityContext" in pointer and each.get(*pointer) is None:
            cut = pointer.index("securityContext") + 1
            lacking.setdefault(pointer[:cut], []).append((pointer, wanted))
    return {at: fields for at, fields in lacking.items() if len(fields) > 1}


def level(release: views.Release, each: views.Object) -> str:
    """The standard that the policy has for an object's namespace; ``privileged`` for one that is not the policy's."""
    policy, suffix = release.policy, release.settings.namespace_suffix
    if not each.namespace.endswith(suffix):
        return "privileged"
    base = each.namespace[: len(each.namespace) - len(suffix)]
    space = policy.namespaces.get(base)
    if space is not None:
        return space.pod_security
    return "restricted" if base == policy.services.namespace else "privileged"


def broken(each: views.Object, *, restricted: bool) -> Iterator[Broken]:
    """What a standard refuses in an object's pods."""
    assert each.pod is not None  # noqa: S101  the callers looked
    spec = shapes.mapping(each.get(*each.pod))
    yield from _pod(each.pod, spec, restricted=restricted)
    own = shapes.mapping(spec.get("securityContext"))
    for pointer, container in each.containers():
        at = (*pointer, "securityContext")
        context = shapes.mapping(container.get("securityContext"))
        yield from _context(at, context)
        yield from _host(pointer, container)
        if restricted:
            yield from _confined(at, context, own)


def _pod(at: views.Pointer, spec: dict[str, Any], *, restricted: bool) -> Iterator[Broken]:
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(name) is True:
            yield (*at, name), "false"
    for index, volume in shapes.entries(spec.get("volumes")):
        kinds = [name for name, value in volume.items() if name != "name" and value is not None]
        refused = [
            name for name in kinds if (restricted and name not in _VOLUMES) or name == "hostPath"
        ]
        for name in refused:
            yield (*at, "volumes", index, name), "emptyDir, configMap, secret, …"
    context = shapes.mapping(spec.get("securityContext"))
    yield from _context((*at, "securityContext"), context)
    for index, sysctl in shapes.entries(context.get("sysctls")):
        if sysctl.get("name") not in _SYSCTLS:
            yield (
                (*at, "securityContext", "sysctls", index, "name"),
                "net.ipv4.ip_unprivileged_port_start, …",
            )
    if restricted and context.get("runAsUser") == 0:
        yield (*at, "securityContext", "runAsUser"), "> 0"


def _context(at: views.Pointer, context: dict[str, Any]) -> Iterator[Broken]:
    """What both standards refuse in the security context of a pod or a container."""
    if context.get("privileged") is True:
        yield (*at, "privileged"), "false"
    if context.get("procMount") not in {None, "", "Default"}:
        yield (*at, "procMount"), "Default"
    seccomp = shapes.mapping(context.get("seccompProfile"))
    if seccomp.get("type") == "Unconfined":
        yield (*at, "seccompProfile", "type"), "RuntimeDefault"
    if shapes.mapping(context.get("appArmorProfile")).get("type") == "Unconfined":
        yield (*at, "appArmorProfile", "type"), "RuntimeDefault"
    if shapes.mapping(context.get("windowsOptions")).get("hostProcess") is True:
        yield (*at, "windowsOptions", "hostProcess"), "false"
    selinux = shapes.mapping(context.get("seLinuxOptions"))
    if selinux.get("type", "") not in _SELINUX or selinux.get("user") or selinux.get("role"):
        yield (*at, "seLinuxOptions"), "container_t"
    added = shapes.mapping(context.get("capabilities")).get("add")
    for index, name in enumerate(added if isinstance(added, list) else ()):
        if str(name) not in _BASELINE_CAPABILITIES:
            yield (*at, "capabilities", "add", index), "NET_BIND_SERVICE, CHOWN, …"


def _host(at: views.Pointer, container: dict[str, Any]) -> Iterator[Broken]:
    for index, port in shapes.entries(container.get("ports")):
        if port.get("hostPort"):
            yield (*at, "ports", index, "hostPort"), "0"


def _asked_elsewhere(at: views.Pointer, container: dict[str, Any]) -> Iterator[Broken]:
    """Probes and lifecycle hooks that go to another host, which the standards refuse since 1.34."""
    asking: list[views.Pointer] = [("livenessProbe",), ("readinessProbe",), ("startupProbe",)]
    asking += [("lifecycle", "postStart"), ("lifecycle", "preStop")]
    for pointer in asking:
        found: dict[str, Any] = container
        for name in pointer:
            found = shapes.mapping(found.get(str(name)))
        for handler in ("httpGet", "tcpSocket"):
            if shapes.mapping(found.get(handler)).get("host"):
                yield (*at, *pointer, handler, "host"), '""'


def _confined(at: views.Pointer, context: dict[str, Any], pod: dict[str, Any]) -> Iterator[Broken]:
    """What only ``restricted`` refuses in a container."""
    if context.get("allowPrivilegeEscalation") is not False:
        yield (*at, "allowPrivilegeEscalation"), "false"
    capabilities = shapes.mapping(context.get("capabilities"))
    dropped, added = capabilities.get("drop"), capabilities.get("add")
    if not isinstance(dropped, list) or "ALL" not in dropped:
        yield (*at, "capabilities", "drop"), "[ALL]"
    for index, name in enumerate(added if isinstance(added, list) else ()):
        if name != "NET_BIND_SERVICE" and str(name) in _BASELINE_CAPABILITIES:
            yield (*at, "capabilities", "add", index), "NET_BIND_SERVICE"
    # The container's own word counts before the pod's.
    non_root = context.get("runAsNonRoot")
    if (pod.get("runAsNonRoot") if non_root is None else non_root) is not True:
        yield (*at, "runAsNonRoot"), "true"
    if context.get("runAsUser") == 0:
        yield (*at, "runAsUser"), "> 0"
    profile = context.get("seccompProfile") or pod.get("seccompProfile")
    if shapes.mapping(profile).get("type") not in {"RuntimeDefault", "Localhost", "Unconfined"}:
        yield (*at, "seccompProfile"), "{type: RuntimeDefault}"
