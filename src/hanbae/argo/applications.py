"""What an Application says about itself, and what automation will make of it.

Whether Argo CD's automation is going to start a sync is decided here from the object alone.
It is sure only when a refresh has been worked off: the controller starts an automated sync *before* it removes
the refresh annotation, so an Application without the annotation, at the wanted revision and without an
operation, will not be synced by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal

from msgspec import Struct

from hanbae import object_shapes, patterns, subjects, wording
from hanbae.argo import operations

REFRESH: Final = "argocd.argoproj.io/refresh"
SET_REFRESH: Final = "argocd.argoproj.io/application-set-refresh"
_COMMIT: Final = patterns.lazy(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SCHEME: Final = "ssh://"
_SSH: Final = patterns.lazy(r"(?:ssh://)?[^/:@]*@[^@]+")
_UNCOMPARED: Final = frozenset({"ComparisonError", "InvalidSpecError"})

Application = Mapping[str, Any]


class Condition(Struct, frozen=True):
    """One condition of an Application, such as ``ComparisonError`` or ``SyncError``."""

    type: str
    message: str


class Owned(Struct, frozen=True):
    """What an Application must be to be deployed by hanbae: the one that its own ApplicationSet makes.

    Attributes:
        repository: URL of its repository.
        path: The chart's folder, or that of the overlay or the manifests.
        release: The Helm release; None without a chart.
        namespace: Where it deploys to.
        labels: Labels that it carries.
    """

    repository: str
    path: str
    release: str | None
    namespace: str
    labels: Mapping[str, str]


class Next(Struct, frozen=True):
    """What to do about an Application whose automation is waited for.

    Attributes:
        does: ``wait`` for what it is doing, ``follow`` the operation, ``push`` a full sync, or notice that it
            has ``moved`` to another revision.
        why: The reason, for people.
        operation: The operation to follow.
    """

    does: Literal["wait", "follow", "push", "moved"]
    why: wording.Text
    operation: operations.Operation | None = None


def sync(application: Application) -> tuple[str, str]:
    """Sync status (``Synced``, ``OutOfSync``, ``Unknown`` or empty) and the revision that it was compared with.

    The revision is empty where Argo CD could not find it out: it then writes the branch's name in its place.
    """
    status = (application.get("status") or {}).get("sync") or {}
    revision = operations.revision_of(status)
    return status.get("status") or "", revision if _COMMIT.fullmatch(revision) else ""


def health(application: Application) -> tuple[str, str]:
    """Health (``Healthy``, ``Progressing``, ``Degraded`` …, or empty) and its message."""
    status = (application.get("status") or {}).get("health") or {}
    return status.get("status") or "", status.get("message") or ""


def conditions(application: Application) -> tuple[Condition, ...]:
    """The conditions that tell of an error."""
    entries = (application.get("status") or {}).get("conditions") or []
    return tuple(
        Condition(entry["type"], entry.get("message") or "")
        for entry in entries
        if str(entry.get("type", "")).endswith("Error")
    )


def is_automated(application: Application) -> bool:
    """Whether Argo CD starts syncs of it itself."""
    automated = ((application.get("spec") or {}).get("syncPolicy") or {}).get("automated")
    # An empty mapping is on (argoproj/argo-cd#19726); `enabled` is there from 3.1 on.
    return automated is not None and automated.get("enabled") is not False


def heals(application: Application) -> bool:
    """Whether Argo CD puts back by itself what differs from git in the cluster."""
    automated = ((application.get("spec") or {}).get("syncPolicy") or {}).get("automated") or {}
    return is_automated(application) and automated.get("selfHeal") is True


def is_refreshing(application: Application, how: object_shapes.RefreshKind | None = None) -> bool:
    """Whether a refresh was asked for, in whichever way or in this one, that the controller has not worked off."""
    annotations = (application.get("metadata") or {}).get("annotations") or {}
    return REFRESH in annotations and how in {None, annotations[REFRESH]}


def destination(application: Application) -> str:
    """The namespace that it deploys to."""
    return ((application.get("spec") or {}).get("destination") or {}).get("namespace") or ""


def has_one_commit(application: Application) -> bool:
    """Whether one commit names what is deployed: it has one source, or several of one branch of one repository."""
    spec = application.get("spec") or {}
    sources = spec.get("sources") or []
    if not sources:
        return bool(spec.get("source"))
    branches = {
        (repository_key(source.get("repoURL")), source.get("targetRevision") or "")
        for source in sources
    }
    # A chart of a Helm repository has a version and no commit.
    return len(branches) == 1 and not any(source.get("chart") for source in sources)


def chart_source(application: Application) -> Mapping[str, Any]:
    """The source that holds what is deployed, beside those of values files that there may be; empty for none."""
    spec = application.get("spec") or {}
    sources: Sequence[Mapping[str, Any]] = spec.get("sources") or [spec.get("source") or {}]
    # A source with a `ref` only lends its files to the others.
    return next((source for source in sources if not source.get("ref")), sources[0])


def foreign(application: Application, owned: Owned) -> wording.Text | None:
    """Why an Application is not the service's, although it has the name; None when it is.

    Another tool, or another repository's hanbae, owns it then: syncing it would deploy their chart.
    """
    metadata = application.get("metadata") or {}
    name, labels = metadata.get("name") or "", metadata.get("labels") or {}
    for label, value in sorted(owned.labels.items()):
        if labels.get(label) != value:
            facts = {"application": name, "label": label, "wanted": value}
            return wording.Text("argo.not-ours", facts | {"found": labels.get(label) or "-"})
    source = chart_source(application)
    parts = (
        ("source.repoURL", repository_key(source.get("repoURL")), repository_key(owned.repository)),
        ("source.path", str(source.get("path") or "").strip("/"), owned.path.strip("/")),
        ("source.helm.releaseName", (source.get("helm") or {}).get("releaseName"), owned.release),
        ("destination.namespace", destination(application), owned.namespace),
    )
    for field, actual, expected in parts:
        if actual != expected:
            facts = {
                "application": name,
                "field": field,
                "found": actual or "-",
                "wanted": expected or "-",
            }
            return wording.Text("argo.other-application", facts)
    return None


def was_deployed(application: Application) -> bool:
    """Whether Argo CD has deployed an Application before."""
    return bool((application.get("status") or {}).get("history"))


def unpruned(application: Application) -> tuple[subjects.Ref, ...]:
    """Objects that are no longer in the chart and that nobody allowed Argo CD to delete."""
    resources = (application.get("status") or {}).get("resources") or []
    return tuple(_ref(entry) for entry in resources if entry.get("requiresPruning"))


def out_of_sync(application: Application) -> tuple[subjects.Ref, ...]:
    """Objects that differ from the chart, those that need pruning left out."""
    resources = (application.get("status") or {}).get("resources") or []
    return tuple(
        _ref(entry)
        for entry in resources
        if entry.get("status") == "OutOfSync" and not entry.get("requiresPruning")
    )


def has_deployed(application: Application, started: str, revision: str) -> bool:
    """Whether the history knows a successful full sync of a revision that started then.

    A selective sync leaves no entry, and an entry is written only for success: it outlives the record of the
    operation, which the next self-heal overwrites.
    """
    entries: Sequence[Mapping[str, Any]] = (application.get("status") or {}).get("history") or []
    return any(
        operations.revision_of(entry) == revision and entry.get("deployStartedAt") == started
        for entry in entries
    )


def deployed_since(application: Application, former: str, revision: str) -> str:
    """When the last successful full sync of a revision began that is newer than a known operation, or empty.

    Both times are the application controller's own.

    Args:
        application: The object.
        former: ``started`` of the operation that had ended before, or empty.
        revision: The commit.
    """
    entries: Sequence[Mapping[str, Any]] = (application.get("status") or {}).get("history") or []
    started = [
        str(entry.get("deployStartedAt") or "")
        for entry in entries
        if operations.revision_of(entry) == revision
    ]
    # As texts: both are in UTC and in whole seconds, so their order is that of the times.
    return max((time for time in started if time > former), default="")


def awaiting(
    application: Application, *, revision: str, hooks: Iterable[subjects.Ref], former: str
) -> Next:
    """What automation makes of a revision that was pushed.

    Args:
        application: The object, read after a refresh was asked for.
        revision: The wanted commit.
        hooks: Hooks that a full sync of it must show.
        former: ``started`` of the operation that had already ended when the deployment began, or empty: an
            automated sync that failed before is a reason to start one, one that fails now is the outcome.
    """
    operation = operations.current(application)
    if operation is not None and operation.active:
        if operations.is_automated(operation, revision):
            return Next("follow", wording.Text("argo.automation-runs"), operation)
        facts = {"revision": operation.revision[:12], "by": operation.by or "Argo CD"}
        return Next("wait", wording.Text("argo.other-operation", facts))
    status, compared = sync(application)
    broken = [condition for condition in conditions(application) if condition.type in _UNCOMPARED]
    if is_refreshing(application) or not status or not compared or broken:
        return Next("wait", wording.Text("argo.not-compared" if broken else "argo.refreshing"))
    if compared != revision:
        return Next("moved", wording.Text("argo.other-revision", {"revision": compared}))
    if operation is not None and operations.is_automated(operation, revision):
        return _ended(operation, tuple(hooks), former)
    return _not_started(application, revision, status)


def _ended(operation: operations.Operation, hooks: tuple[subjects.Ref, ...], former: str) -> Next:
    """About an automated full sync of the wanted revision that has ended."""
    if operation.phase != "Succeeded":
        if operation.started != former:
            return Next("follow", wording.Text("argo.automation-ran"), operation)
        facts = {"message": operation.message}
        return Next("push", wording.Text("argo.failed-before", facts))
    missing = operations.without(operation, hooks)
    if missing:
        facts = {"hooks": ", ".join(ref.name for ref in missing)}
        return Next("push", wording.Text("argo.without-hooks", facts))
    return Next("follow", wording.Text("argo.automation-ran"), operation)


def _not_started(application: Application, revision: str, status: str) -> Next:
    """About a revision that Argo CD knows, with no full automated sync of it."""
    if not is_automated(application):
        return Next("push", wording.Text("argo.automation-off"))
    if any(condition.type == "SyncError" for condition in conditions(application)):
        message = next(e.message for e in conditions(application) if e.type == "SyncError")
        return Next("push", wording.Text("argo.failed-before", {"message": message}))
    if status == "Synced":
        return Next("push", wording.Text("argo.nothing-to-do", {"revision": revision[:12]}))
    return Next("push", wording.Text("argo.not-started", {"status": status}))


def is_same_repository(url: Any, other: str) -> bool:
    """Whether two URLs are spellings of one repository."""
    return isinstance(url, str) and bool(url) and repository_key(url) == repository_key(other)


def repository_key(url: Any) -> str:
    """By this two spellings of a repository are the same one, as for Argo CD (``git.NormalizeGitURL``).

    Args:
        url: As it is written: ``https://git.example.com/shop.git``, ``git@host:shop.git``, ``ssh://git@host/shop``.
    """
    text = str(url or "").strip().lower()
    if _SSH.fullmatch(text) and not text.startswith(_SCHEME):
        text = text.replace(":", "/", 1)
    return text.removeprefix(_SCHEME).removesuffix("/").removesuffix(".git")


def _ref(entry: Mapping[str, Any]) -> subjects.Ref:
    return subjects.Ref(entry.get("kind", ""), entry.get("namespace", ""), entry.get("name", ""))
