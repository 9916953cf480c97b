"""Argo CD outside of a deployment: operations that never end, hooks that wait, drift and who made it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from hanbae import subjects
from hanbae.argo import applications, operations
from hanbae.diagnosing import pictures

_STUCK: Final = 1800.0
"""Seconds that an operation may take before it counts as stuck: longer than a policy's deadlines are by default."""
_LEAVING: Final = 300.0
"""Seconds that an Application may take to go."""
_NOT_AUTHORS: Final = frozenset(
    {
        "argocd-controller",
        "argocd-application-controller",
        "kube-controller-manager",
        "kubelet",
        "controller",
    }
)
"""Managers that write what others have asked for."""


def causes(picture: pictures.Picture) -> Iterator[pictures.Cause]:
    """The causes in the Applications of the picture."""
    for ref, application in picture.of("Application"):
        yield from _leaving(picture, ref, application)
        yield from _operation(picture, ref, application)
        yield from _drift(picture, ref, application)
        if applications.health(application)[0] == "Missing":
            facts = {"application": ref.name}
            yield pictures.cause(
                ref, "diagnosis.objects-absent", facts, _describe(ref), fatal=False, is_symptom=True
            )


def _describe(ref: subjects.Ref) -> tuple[str, ...]:
    return ("kubectl", "describe", "application", ref.name, "-n", ref.namespace)


def _leaving(
    picture: pictures.Picture, ref: subjects.Ref, application: pictures.Object
) -> Iterator[pictures.Cause]:
    metadata = application["metadata"]
    late = picture.age(metadata.get("deletionTimestamp"))
    if late > _LEAVING and metadata.get("finalizers"):
        facts = {
            "application": ref.name,
            "finalizers": ", ".join(map(str, metadata["finalizers"])),
            "seconds": f"{late:.0f}",
        }
        yield pictures.cause(
            ref, "diagnosis.application-leaving", facts, _describe(ref), fatal=False
        )


def _operation(
    picture: pictures.Picture, ref: subjects.Ref, application: pictures.Object
) -> Iterator[pictures.Cause]:
    operation = operations.active(application)
    if operation is None or not operation.started:
        return
    lasts = picture.age(operation.started)
    if lasts < _STUCK:
        return
    stop: tuple[str, ...] = _describe(ref)
    if picture.service:
        stop = ("hanbae", "stop", picture.service, "--env", picture.environment)
    facts = {
        "application": ref.name,
        "minutes": f"{lasts / 60:.0f}",
        "message": operation.message,
        "by": operation.by or "Argo CD",
    }
    waiting = [
        result for result in operation.results if result.hook and result.phase in {"Running", ""}
    ]
    if waiting:
        facts |= {"hook": ", ".join(str(result.ref) for result in waiting)}
        yield pictures.cause(
            waiting[0].ref, "diagnosis.hook-waits", facts, stop, fatal=False, owner=ref
        )
        return
    yield pictures.cause(ref, "diagnosis.operation-stuck", facts, stop, fatal=False)


def _drift(
    picture: pictures.Picture, ref: subjects.Ref, application: pictures.Object
) -> Iterator[pictures.Cause]:
    # While an operation runs, objects differ because it has not come to them yet.
    if operations.active(application) is not None:
        return
    for differing in applications.out_of_sync(application):
        live = picture.objects.get(differing)
        author = _author(live) if live is not None else None
        if author is None:
            continue
        command: tuple[str, ...] = _describe(ref)
        if picture.service:
            command = ("hanbae", "plan", picture.service, "--env", picture.environment)
        facts = {
            "object": str(differing),
            "author": str(author.get("manager")),
            "time": str(author.get("time") or "-"),
        }
        yield pictures.cause(
            differing, "diagnosis.drift", facts, command, fatal=False, owner=differing
        )


def _author(live: pictures.Object) -> dict[str, Any] | None:
    """Who has changed an object last, beside those that do what they are told; None where nobody has."""
    entries = [
        entry
        for entry in (live.get("metadata") or {}).get("managedFields") or []
        # A status is written by controllers on their own; it is nobody's edit.
        if entry.get("manager") not in _NOT_AUTHORS and entry.get("subresource") != "status"
    ]
    return max(entries, key=lambda entry: str(entry.get("time") or ""), default=None)
