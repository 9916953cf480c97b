"""Looks at what an Application has in the cluster now, without changing anything, and how Argo CD compares it.

Through Argo CD's API its own comparison is read, which is a dry-run on the server for Applications of hanbae's; a
token that may ``get`` is enough.
Through Kubernetes the objects are read one by one with the ``read`` Role, and compared by
:mod:`hanbae.planning.predicting`; Argo CD's verdict about each object stands in the Application, and where it is about
the very revision it decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from msgspec import Struct, structs

from hanbae import object_shapes, subjects, wording, workspaces
from hanbae.argo import applications, operations
from hanbae.argocd_api import comparing
from hanbae.clusters import kinds, reading
from hanbae.deploying import helm_drift, live_objects
from hanbae.engines import owning_releases
from hanbae.engines.helm import program
from hanbae.planning import deployments, forecasting, scheduling
from hanbae.policy import environments, naming
from hanbae.results import drifts, plans

Object = Mapping[str, Any]


class Observed(Struct, frozen=True):
    """What was seen of one service.

    Attributes:
        forecast: What becomes of each object.
        compared: Who compared.
        notes: What a person should know about it.
    """

    forecast: tuple[plans.Change, ...]
    compared: Literal["argocd", "hanbae"]
    notes: tuple[wording.Text, ...] = ()


async def observe(
    space: workspaces.Workspace, clusters: workspaces.Clusters, source: deployments.Source
) -> Observed:
    """What a deployment of a source would make of the cluster.

    Raises:
        hanbae.errors.Forbidden: The Application may not be read.
        hanbae.errors.Unreachable: Argo CD or a cluster did not answer.
    """
    if environments.by_helm(source.policy, source.environment):
        return await _of_release(space, clusters, source)
    if clusters.argocd is not None:
        return await _through_api(space, clusters, source)
    return await _through_objects(space, clusters, source)


async def _of_release(
    space: workspaces.Workspace, clusters: workspaces.Clusters, source: deployments.Source
) -> Observed:
    """Under Helm: the objects of the commit against those that are there, and what Helm has and the commit has not."""
    installed = await helm_drift.of_service(
        space, clusters.workload, source.service, source.environment
    )
    api_versions = _api_versions(source, _objects(source))
    live = await live_objects.read(clusters.workload, api_versions)
    others = {ref: live_object for ref, live_object in installed.present.items() if ref not in live}
    release = naming.release(source.policy, source.service, source.environment)
    targets = [
        owning_releases.owned(target, release=release, namespace=source.namespace)
        for target in _objects(source)
    ]
    forecast = forecasting.live(others | live, targets, source.namespace, manager=program.MANAGER)
    listed = (
        structs.replace(
            change,
            fields=tuple(map(_without_helm, change.fields)),
            kept=change.object in installed.kept,
        )
        for change in forecast
    )
    return Observed(tuple(listed), "hanbae", tuple(drifts.sentences(installed.drifts)))


def _without_helm(field: plans.Field) -> plans.Field:
    """A field with who manages it besides Helm, whose fields they are."""
    others = tuple(name for name in field.managers if name != program.MANAGER)
    return structs.replace(field, managers=others)


def _api_versions(source: deployments.Source, targets: Iterable[Object]) -> dict[subjects.Ref, str]:
    """Object → apiVersion, for those of a source that are applied."""
    return {
        scheduling.reference(target, source.namespace): str(target.get("apiVersion"))
        for target in targets
        if not scheduling.phases(target) and not scheduling.is_ignored(target)
    }


async def _through_api(
    space: workspaces.Workspace, clusters: workspaces.Clusters, source: deployments.Source
) -> Observed:
    server = clusters.argocd
    assert server is not None  # noqa: S101  the caller has looked
    name = naming.application(source.policy, source.service, source.environment)
    where = name, naming.project(space.policy, source.environment), space.policy.argocd.namespace
    application = await comparing.application(server, *where)
    if application is None:
        return _nothing(source, name)
    commit = source.revision.commit
    if applications.sync(application)[1] != commit and not applications.is_automated(application):
        # What is automated would be synced for it, so there Argo CD is left to look when it does.
        # A hard request that somebody has made would be replaced by a normal one.
        is_hard = applications.is_refreshing(application, "hard")
        how: object_shapes.RefreshKind = "hard" if is_hard else "normal"
        application = await comparing.application(server, *where, refresh=how) or application
    items = await comparing.managed(server, *where)
    prunes = operations.prunes(application)
    compared = applications.sync(application)[1] == commit
    live = {}
    for item in items:
        ref = subjects.Ref(item.kind, item.namespace, item.name)
        both = (item.before, item.after) if compared else (None, None)
        live[ref] = forecasting.Live(item.live, *both)
    if not compared:
        forecast = forecasting.live(live, _objects(source), source.namespace, prunes=prunes)
        return Observed(forecast, "hanbae", (_not_compared(name, source),))
    targets = [item.target for item in items if item.target is not None]
    forecast = forecasting.live(live, targets, source.namespace, prunes=prunes)
    return Observed(forecast, "argocd")


async def _through_objects(
    space: workspaces.Workspace, clusters: workspaces.Clusters, source: deployments.Source
) -> Observed:
    name = naming.application(source.policy, source.service, source.environment)
    where = space.policy.argocd.namespace
    application = await reading.get(clusters.control, kinds.APPLICATION, where, name)
    targets = _objects(source)
    api_versions = _api_versions(source, targets)
    entries = ((application or {}).get("status") or {}).get("resources") or []
    for entry in entries:
        if not entry.get("hook"):
            group, version = entry.get("group"), entry.get("version") or "v1"
            api_version = f"{group}/{version}" if group else str(version)
            # Also objects that the commit no longer has: they may be deleted.
            api_versions.setdefault(_entry(entry), api_version)
    live = await live_objects.read(clusters.workload, api_versions)
    forecast = forecasting.live(
        live, targets, source.namespace, prunes=operations.prunes(application or {})
    )
    notes = (
        [_unreadable(forecast)] if any(not observed.readable for observed in live.values()) else []
    )
    if application is None:
        return Observed(forecast, "hanbae", (*_nothing(source, name).notes, *notes))
    if applications.sync(application)[1] != source.revision.commit:
        return Observed(forecast, "hanbae", tuple(notes))
    verdicts = {_entry(entry): entry.get("status") for entry in entries if not entry.get("hook")}
    settled = tuple(_settled(change, verdicts, live, application) for change in forecast)
    return Observed(forecasting.in_order(settled), "argocd", tuple(notes))


def _settled(
    change: plans.Change,
    verdicts: Mapping[subjects.Ref, str],
    live: Mapping[subjects.Ref, forecasting.Live],
    application: Object,
) -> plans.Change:
    """A change with Argo CD's verdict over ours, unless the object has changed since Argo CD looked."""
    verdict = verdicts.get(change.object)
    looked = str((application.get("status") or {}).get("reconciledAt") or "")
    live_object = live[change.object].object if change.object in live else None
    # Both have whole seconds: Argo CD may not have seen a write in the second of its look.
    if verdict is None or _touched(live_object) >= looked:
        return change
    if change.outcome == "changed" and verdict == "Synced":
        return plans.Change(change.object, "unchanged")
    if change.outcome in {"unchanged", "unknown"} and verdict == "OutOfSync":
        return plans.Change(change.object, "changed")
    if change.outcome == "unknown" and verdict == "Synced":
        return plans.Change(change.object, "unchanged")
    return change


def _touched(live_object: Object | None) -> str:
    """When an object was last written, its status left out, as RFC 3339 in UTC."""
    entries = ((live_object or {}).get("metadata") or {}).get("managedFields") or []
    times = [
        str(entry.get("time") or "") for entry in entries if entry.get("subresource") != "status"
    ]
    return max(times, default="")


def _objects(source: deployments.Source) -> list[dict[str, Any]]:
    return [manifest.object for manifest in source.rendered.manifests]


def _entry(entry: Object) -> subjects.Ref:
    return subjects.Ref(
        str(entry.get("kind")), str(entry.get("namespace") or ""), str(entry.get("name"))
    )


def _nothing(source: deployments.Source, name: str) -> Observed:
    """There is no Application yet: everything is new."""
    forecast = forecasting.live({}, _objects(source), source.namespace)
    return Observed(
        forecast, "hanbae", (wording.Text("plan.no-application", {"application": name}),)
    )


def _not_compared(name: str, source: deployments.Source) -> wording.Text:
    facts = {"application": name, "revision": source.revision.commit[:12]}
    return wording.Text("plan.not-compared", facts)


def _unreadable(forecast: Iterable[plans.Change]) -> wording.Text:
    names = [str(change.object) for change in forecast if change.outcome == "unknown"]
    return wording.Text("plan.unreadable", {"objects": ", ".join(names) or "-"})
