"""Why a pod does not start, does not stay up or does not become ready."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from hanbae import patterns, subjects
from hanbae.diagnosing import images, pictures

_NOT_BEGUN: Final = frozenset({"", "ContainerCreating", "PodInitializing"})
"""Why a container waits whose pod may not have its volumes and its network yet."""
_NOT_READ_YET: Final = "failed to sync "
_SECRET_MISSING: Final = patterns.lazy(r'secret "(?P<name>[^"]+)" not found')
_KEY_MISSING: Final = patterns.lazy(
    r"couldn't find key (?P<key>\S+) in Secret (?P<namespace>[^/\s]+)/(?P<name>\S+)"
)
_CONFIGMAP_MISSING: Final = patterns.lazy(r'configmap "(?P<name>[^"]+)" not found')
# A container that fails these is killed and started again; a failing readiness probe only takes it out of service.
_KILLING_PROBE: Final = patterns.lazy(
    r"(?P<probe>Liveness|Startup) probe (?:failed|errored)[^:]*: (?P<what>.*)", re.DOTALL
)
_OOM: Final = "OOMKilled"
_KILLED: Final = frozenset({137, 143})
"""Exit codes of a program that was killed; with any other one it has ended by itself."""
_COUNTED: Final = frozenset(
    {
        "diagnosis.crashing",
        "diagnosis.killed",
        "diagnosis.out-of-memory",
        "diagnosis.probe-kills",
    }
)
_SIGKILL: Final = 137
"""The exit code of a program that SIGKILL has ended: 128 + 9."""
_NO_LIMIT: Final = "-"
_TOO_OFTEN: Final = 3
"""Failed readiness probes in a row before it is called a trouble: slow starts fail one or two."""


def causes(picture: pictures.Picture) -> Iterator[pictures.Cause]:
    """The causes in all pods of the picture."""
    for ref, pod in picture.of("Pod"):
        if pod["metadata"].get("deletionTimestamp"):
            continue
        yield from _scheduling(ref, pod)
        yield from _volumes(picture, ref, pod)
        for status in _statuses(pod):
            yield from _container(picture, ref, pod, status)


def has_begun(pod: pictures.Object) -> bool:
    """Whether a pod has its volumes and its network: the kubelet gets them before it begins the first container.

    Kubernetes keeps the Events of a try that failed for an hour, also after the next try has worked.
    """
    status = pod.get("status") or {}
    ready = pictures.condition(pod, "PodReadyToStartContainers").get("status")
    # A pod that has ended has given its network back.
    if ready is None or status.get("phase") in {"Succeeded", "Failed"}:
        states = [container.get("state") or {} for container in _statuses(pod)]
        return any(
            "running" in state
            or "terminated" in state
            or ((state.get("waiting") or {}).get("reason") or "") not in _NOT_BEGUN
            for state in states
        )
    return bool(ready == "True")


def describe(ref: subjects.Ref) -> tuple[str, ...]:
    """The policy's command for a pod that does not start."""
    return ("kubectl", "describe", "pod", ref.name, "-n", ref.namespace)


def logs(ref: subjects.Ref, container: str, *, previous: bool = False) -> tuple[str, ...]:
    """The command for a container's log."""
    command = ("kubectl", "logs", ref.name, "-n", ref.namespace, "-c", container)
    return (*command, "--previous") if previous else command


def _statuses(pod: pictures.Object) -> list[Mapping[str, Any]]:
    status = pod.get("status") or {}
    return [*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])]


def _scheduling(ref: subjects.Ref, pod: pictures.Object) -> Iterator[pictures.Cause]:
    scheduled = pictures.condition(pod, "PodScheduled")
    if scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable":
        facts = {"pod": ref.name, "message": scheduled.get("message") or ""}
        yield _cause(ref, pod, "diagnosis.unschedulable", facts, describe(ref), fatal=False)


def _volumes(
    picture: pictures.Picture, ref: subjects.Ref, pod: pictures.Object
) -> Iterator[pictures.Cause]:
    if has_begun(pod):
        return
    for event in picture.events(ref, "FailedMount")[-1:]:
        message = event.get("message") or ""
        missing = _SECRET_MISSING.search(message)
        if missing:
            yield _secret_missing(picture, ref, pod, missing["name"], "")
        else:
            facts = {"pod": ref.name, "message": message}
            yield _cause(ref, pod, "diagnosis.volume", facts, describe(ref), fatal=False)


def _container(
    picture: pictures.Picture, ref: subjects.Ref, pod: pictures.Object, status: Mapping[str, Any]
) -> Iterator[pictures.Cause]:
    name, state = status["name"], status.get("state") or {}
    waiting = state.get("waiting") or {}
    reason, message = waiting.get("reason") or "", waiting.get("message") or ""
    if reason in images.REASONS:
        yield _image(picture, ref, pod, status, message)
    elif reason == "CreateContainerConfigError":
        yield _config(picture, ref, pod, name, message)
    elif reason in {"CreateContainerError", "RunContainerError"}:
        facts = {"container": name, "reason": reason, "message": message}
        yield _cause(ref, pod, "diagnosis.container-not-created", facts, describe(ref), fatal=True)
    elif reason == "CrashLoopBackOff" or (status.get("restartCount") and not status.get("ready")):
        yield _crashing(picture, ref, pod, status)
    elif cause := _memory(picture, ref, pod, status, state.get("terminated") or {}):
        # A hook's container is not started again; its Job makes another pod, which meets the same limit.
        yield cause
    elif state.get("running") and not status.get("ready"):
        yield from _unready(picture, ref, pod, name)


def _image(
    picture: pictures.Picture,
    ref: subjects.Ref,
    pod: pictures.Object,
    status: Mapping[str, Any],
    message: str,
) -> pictures.Cause:
    messages = [message, *(e.get("message") or "" for e in picture.events(ref, "Failed"))]
    telling = next((text for text in messages if images.kind(text) != "unknown"), message)
    kind = images.kind(telling)
    reason = status["state"]["waiting"].get("reason")
    if reason == "InvalidImageName":
        kind = "not-found"
    command = describe(ref)
    if kind == "unauthorised":
        where = "jsonpath={.spec.imagePullSecrets}"
        command = ("kubectl", "get", "pod", ref.name, "-n", ref.namespace, "-o", where)
    facts = {
        "container": status["name"],
        "image": status.get("image") or "",
        "message": telling,
        "secrets": ", ".join(s["name"] for s in pod["spec"].get("imagePullSecrets") or []) or "-",
    }
    if kind == "not-found" and picture.service:
        # A `:` behind the last `/` begins a tag; one before it is that of a registry's port.
        repository = facts["image"].partition("@")[0]
        repository = (
            repository.rpartition(":")[0] if ":" in repository.rpartition("/")[2] else repository
        )
        command = (
            "hanbae",
            "image",
            "set",
            picture.service,
            f"{repository}:TAG",
            "--env",
            picture.environment,
        )
    unread = picture.events(ref, "FailedToRetrieveImagePullSecret")
    # A registry may hide from who asks without credentials that there is such an image; no secret mends a wrong name.
    fatal = kind in {"unauthorised", "not-found"} and (
        reason not in images.PULLED or images.is_settled(unread, picture.events(ref, "Failed"))
    )
    return _cause(ref, pod, f"diagnosis.image-{kind}", facts, command, fatal=fatal)


def _config(
    picture: pictures.Picture,
    ref: subjects.Ref,
    pod: pictures.Object,
    container: str,
    message: str,
) -> pictures.Cause:
    missing = _SECRET_MISSING.search(message)
    if missing:
        return _secret_missing(picture, ref, pod, missing["name"], container)
    key = _KEY_MISSING.search(message)
    if key:
        facts = {"container": container, "secret": key["name"], "key": key["key"]}
        describes = ("kubectl", "describe", "secret", key["name"], "-n", key["namespace"])
        command = picture.seals(key["name"], (key["key"],)) or describes
        return _cause(ref, pod, "diagnosis.secret-key-missing", facts, command, fatal=True)
    configmap = _CONFIGMAP_MISSING.search(message)
    if configmap:
        facts = {"container": container, "configmap": configmap["name"]}
        command = ("kubectl", "get", "configmap", configmap["name"], "-n", ref.namespace)
        return _cause(ref, pod, "diagnosis.configmap-missing", facts, command, fatal=True)
    facts = {"container": container, "reason": "CreateContainerConfigError", "message": message}
    # A kubelet that is busy has not read a Secret yet that is there, and tries again by itself.
    fatal = not message.startswith(_NOT_READ_YET)
    return _cause(ref, pod, "diagnosis.container-not-created", facts, describe(ref), fatal=fatal)


def _secret_missing(
    picture: pictures.Picture,
    ref: subjects.Ref,
    pod: pictures.Object,
    secret: str,
    container: str,
) -> pictures.Cause:
    keys = keys_read(pod, secret)
    gets = ("kubectl", "get", picture.maker.lower(), secret, "-n", ref.namespace)
    command = (picture.seals(secret, keys) if keys else ()) or gets
    facts = {"container": container or "-", "secret": secret, "namespace": ref.namespace}
    return _cause(ref, pod, "diagnosis.secret-missing", facts, command, fatal=True)


def keys_read(pod: pictures.Object, secret: str) -> tuple[str, ...]:
    """The keys of a Secret that the containers of a pod read as variables, each once."""
    spec = pod.get("spec") or {}
    references = (
        (variable.get("valueFrom") or {}).get("secretKeyRef") or {}
        for container in [*(spec.get("initContainers") or []), *(spec.get("containers") or [])]
        for variable in container.get("env") or []
    )
    return tuple(
        dict.fromkeys(
            str(reference["key"])
            for reference in references
            if reference.get("name") == secret and reference.get("key")
        )
    )


def crashes(status: Mapping[str, Any]) -> int:
    """How often a container has ended, by its status."""
    restarts = int(status.get("restartCount") or 0)
    state = status.get("state") or {}
    # `restartCount` grows when the next run begins; until then the last end is not in it.
    has_ended = "terminated" in state or bool((status.get("lastState") or {}).get("terminated"))
    return restarts + 1 if has_ended and "running" not in state else restarts


def was_ready(pod: pictures.Object) -> bool:
    """Whether a pod was ready once.

    Without a probe, ready means only that a container runs, so there it says nothing. The kubelet writes the first
    conditions of a pod together; ``Ready`` changes later than ``Initialized`` only once it has become true.
    """
    containers = (pod.get("spec") or {}).get("containers") or []
    if not any(
        container.get("readinessProbe") or container.get("startupProbe") for container in containers
    ):
        return False
    ready, initialized = pictures.condition(pod, "Ready"), pictures.condition(pod, "Initialized")
    if ready.get("status") == "True":
        return True
    times = [_time(condition.get("lastTransitionTime")) for condition in (ready, initialized)]
    if times[0] is None or times[1] is None:
        return False
    return (times[0] - times[1]).total_seconds() > 1


def _time(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(str(text))
    except ValueError:
        return None


def _crashing(
    picture: pictures.Picture, ref: subjects.Ref, pod: pictures.Object, status: Mapping[str, Any]
) -> pictures.Cause:
    name = status["name"]
    ended = (status.get("state") or {}).get("terminated") or {}
    ended = ended or (status.get("lastState") or {}).get("terminated") or {}
    if ended.get("reason") == _OOM:
        return _out_of_memory(picture, ref, pod, status, ended)
    facts = _end(picture, ref, status, ended)
    hopeless = _is_hopeless(picture, ref, pod, status)
    for event in picture.events(ref, "Unhealthy")[::-1]:
        failed = _KILLING_PROBE.match(event.get("message") or "")
        # A probe's kill ends a program by SIGTERM (143) or SIGKILL (137); another code is the
        # program's own.
        if failed and ended.get("exitCode", 137) in _KILLED:
            facts |= {"probe": failed["probe"].lower(), "message": failed["what"]}
            return _cause(ref, pod, "diagnosis.probe-kills", facts, describe(ref), fatal=hopeless)
    command = logs(ref, name, previous=True)
    return _memory(picture, ref, pod, status, ended) or _cause(
        ref, pod, "diagnosis.crashing", facts, command, fatal=hopeless
    )


def _memory(
    picture: pictures.Picture,
    ref: subjects.Ref,
    pod: pictures.Object,
    status: Mapping[str, Any],
    ended: Mapping[str, Any],
) -> pictures.Cause | None:
    """What a container's end has to do with its memory limit, if anything.

    On a busy node containerd misses the kernel's message about an out-of-memory kill, and reports "Error" with the
    exit code of a killed process. Where the pod says why it was ended (evicted, its deadline), that is the reason.
    """
    limit = limit_that_killed(pod, status["name"], ended)
    if not limit:
        return None
    if ended.get("reason") == _OOM:
        return _out_of_memory(picture, ref, pod, status, ended)
    facts = _end(picture, ref, status, ended) | {"limit": limit}
    command = logs(ref, status["name"], previous=bool(status.get("restartCount")))
    hopeless = _is_hopeless(picture, ref, pod, status)
    return _cause(ref, pod, "diagnosis.killed", facts, command, fatal=hopeless)


def limit_that_killed(pod: pictures.Object, container: str, ended: Mapping[str, Any]) -> str:
    """The memory limit for which a container was killed, or most likely was; empty where that is not why it ended."""
    limit = _memory_limit(pod, container)
    if ended.get("reason") == _OOM:
        return limit
    killed = ended.get("exitCode") == _SIGKILL and not (pod.get("status") or {}).get("reason")
    return limit if killed and limit != _NO_LIMIT else ""


def _is_hopeless(
    picture: pictures.Picture, ref: subjects.Ref, pod: pictures.Object, status: Mapping[str, Any]
) -> bool:
    """Whether a container has ended so often, without ever being ready, that the next time ends as well.

    A pod that was there before has its earlier ends counted once it ends again: by then it is in a back-off of
    minutes, and as many ends as a new pod is given would outlast the rollout's deadline.
    """
    total = crashes(status)
    has_ended_since = total > picture.crashes_before.get((ref, status["name"]), 0)
    return (
        bool(picture.crashes)
        and total >= picture.crashes
        and has_ended_since
        and not was_ready(pod)
    )


def _out_of_memory(
    picture: pictures.Picture,
    ref: subjects.Ref,
    pod: pictures.Object,
    status: Mapping[str, Any],
    ended: Mapping[str, Any],
) -> pictures.Cause:
    name = status["name"]
    facts = _end(picture, ref, status, ended) | {"limit": _memory_limit(pod, name)}
    command = logs(ref, name, previous=bool(status.get("restartCount")))
    hopeless = _is_hopeless(picture, ref, pod, status)
    return _cause(ref, pod, "diagnosis.out-of-memory", facts, command, fatal=hopeless)


def _end(
    picture: pictures.Picture,
    ref: subjects.Ref,
    status: Mapping[str, Any],
    ended: Mapping[str, Any],
) -> dict[str, object]:
    """How a container's last run has ended."""
    return {
        "container": status["name"],
        "reason": ended.get("reason") or "",
        "exit": ended.get("exitCode", "?"),
        "restarts": status.get("restartCount") or 0,
        "log": picture.tail(ref, status["name"]),
    }


def _unready(
    picture: pictures.Picture, ref: subjects.Ref, pod: pictures.Object, container: str
) -> Iterator[pictures.Cause]:
    failing = [
        event
        for event in picture.events(ref, "Unhealthy")
        if int(event.get("count") or 1) >= _TOO_OFTEN
    ]
    for event in failing[-1:]:
        facts = {
            "container": container,
            "message": event.get("message") or "",
            "log": picture.tail(ref, container),
        }
        yield _cause(ref, pod, "diagnosis.not-ready", facts, logs(ref, container), fatal=False)


def _memory_limit(pod: pictures.Object, container: str) -> str:
    for spec in [*(pod["spec"].get("initContainers") or []), *pod["spec"]["containers"]]:
        if spec["name"] == container:
            limits = (spec.get("resources") or {}).get("limits") or {}
            return str(limits.get("memory") or _NO_LIMIT)
    return _NO_LIMIT


def _cause(
    ref: subjects.Ref,
    pod: pictures.Object,
    text_id: str,
    facts: Mapping[str, object],
    command: tuple[str, ...],
    *,
    fatal: bool,
) -> pictures.Cause:
    facts = {"pod": ref.name, "namespace": ref.namespace, **facts}
    # What is fatal because it has ended so often has had its time.
    is_settled = fatal and text_id in _COUNTED
    return pictures.cause(
        ref, text_id, facts, command, fatal=fatal, owner=pictures.owner(pod), is_settled=is_settled
    )
