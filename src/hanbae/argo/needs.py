"""What has to be in the cluster before a PreSync hook's pod can start: what Argo CD would apply only after it.

On a first install a PreSync hook waits for ever for its Secret and for its ServiceAccount, because both belong to the
Sync phase (proved; ADR 1).
A selective sync of just these, which runs no hooks, is what resolves it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from hanbae import subjects
from hanbae.argo import hooks

Object = Mapping[str, Any]

_BRINGING: Final = frozenset({"SealedSecret", "ExternalSecret"})
"""Kinds of which a controller makes Secrets."""


def of_presync(objects: Sequence[Object], namespace: str) -> tuple[subjects.Ref, ...]:
    """The objects that the PreSync hooks of a release read, as far as the release itself has them.

    Args:
        objects: The rendered objects.
        namespace: Where objects go that name no namespace.

    Returns:
        SealedSecrets and ExternalSecrets (whichever: they say only in the end which Secret they make), and the
        ServiceAccounts and ConfigMaps that the hooks' pods name; in the order of `objects`.
    """
    presync = [manifest for manifest in objects if "PreSync" in hooks.phases(manifest)]
    return of(presync, objects, namespace)


def of(
    readers: Iterable[Object], objects: Sequence[Object], namespace: str
) -> tuple[subjects.Ref, ...]:
    """The objects that some hooks of a release read, as :func:`of_presync`.

    Args:
        readers: The hooks.
        objects: The rendered objects.
        namespace: Where objects go that name no namespace.
    """
    read = {name for manifest in readers for name in _read(manifest)}
    if not read:
        return ()
    refs = []
    for manifest in objects:
        if not hooks.phases(manifest) and (
            manifest["kind"] in _BRINGING or _name(manifest) in read
        ):
            where = manifest["metadata"].get("namespace") or namespace
            refs.append(subjects.Ref(manifest["kind"], where, manifest["metadata"]["name"]))
    return tuple(refs)


def _name(manifest: Object) -> tuple[str, str]:
    return manifest["kind"], manifest["metadata"].get("name") or ""


def _read(hook: Object) -> Iterator[tuple[str, str]]:
    """Kind and name of what a hook and its pods name."""
    yield "Hook", ""  # there is one, even if it reads nothing by name
    spec = hook.get("spec") or {}
    pod = ((spec.get("template") or {}).get("spec") or {}) if hook["kind"] == "Job" else spec
    if hook["kind"] not in {"Job", "Pod"}:
        return
    yield "ServiceAccount", pod.get("serviceAccountName") or ""
    for container in [*(pod.get("initContainers") or []), *(pod.get("containers") or [])]:
        for source in container.get("envFrom") or []:
            yield from _config_map(source.get("configMapRef"))
        for variable in container.get("env") or []:
            yield from _config_map((variable.get("valueFrom") or {}).get("configMapKeyRef"))
    for volume in _volumes(pod.get("volumes") or []):
        yield from _config_map(volume.get("configMap"))


def _volumes(volumes: Iterable[Object]) -> Iterator[Object]:
    """The volumes, those that are projected into one included."""
    for volume in volumes:
        yield volume
        yield from (volume.get("projected") or {}).get("sources") or []


def _config_map(reference: Object | None) -> Iterator[tuple[str, str]]:
    if reference:
        yield "ConfigMap", reference.get("name") or ""
