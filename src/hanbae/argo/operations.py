"""Argo CD's operation: how one is asked for through the Application, and how its record is read.

hanbae writes exactly what Argo CD's own API server writes (``util/argo.SetAppOperation``, 3.x), from an object
that was just read, with its resourceVersion:

- ``operation`` with the explicit revision, and
- no ``status.operationState``, because controllers up to 3.5.2 merge the new record into the old one, and a full
  sync silently became a selective one.

An operation of one's own is recognised by the key in ``operation.info``, an automated one by its revision,
``initiatedBy.automated`` and the absence of selected resources; never by time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct

from hanbae import excerpts, subjects
from hanbae.argo import hooks

Application = Mapping[str, Any]

KEY: Final = "hanbae"
"""Name of the entry in ``operation.info`` that carries the intent's key."""
ABOUT: Final = f"{KEY}."
"""How the names of the entries begin that say of which deployment it is: id, service, environment, commit, by whom."""

TERMINATING: Final = "Terminating"
"""The phase of an operation that is told to end and has not ended yet."""
_MOST: Final = 50
"""Sync options that are read; Argo CD knows about twenty."""
_RUNNING: Final = frozenset({"Running", TERMINATING})
_ENDED: Final = frozenset({"Succeeded", "Failed", "Error"})


class Result(Struct, frozen=True):
    """What an operation did with one object.

    Attributes:
        ref: The object.
        status: ``Synced``, ``SyncFailed``, ``Pruned`` or ``PruneSkipped``; empty while it is not known.
        message: Argo CD's sentence.
        hook: The hook's type, empty for ordinary objects.
        phase: ``Running``, ``Succeeded``, ``Failed``, ``Error`` or ``Terminating``; given for ordinary objects too.
    """

    ref: subjects.Ref
    status: str
    message: str
    hook: str
    phase: str

    @property
    def ended(self) -> bool:
        """Whether what it did is over, such as a hook that has run."""
        return self.phase in _ENDED


class Operation(Struct, frozen=True):
    """One operation as Argo CD records it.

    Attributes:
        phase: ``Requested`` while the controller has not begun, then Argo CD's own word.
        message: Argo CD's sentence.
        revision: The commit that it deploys: the resolved one once it is known, else the requested one.
        key: The key in ``operation.info``, or empty for somebody else's.
        by: Who started it, empty for Argo CD itself.
        automated: Argo CD started it.
        full: It runs hooks: nothing is selected, nothing local, not a dry run.
        started: Argo CD's timestamp, or empty.
        finished: The same; set between two tries as well, so it does not mean that it has ended.
        retries: How many times it was tried again.
        results: What it did, in Argo CD's order.
        about: What else ``operation.info`` says of hanbae's deployment.
        options: Its sync options.
        prunes: Whether it deletes what is no longer among the manifests.
    """

    phase: str
    message: str
    revision: str
    key: str
    by: str
    automated: bool
    full: bool
    started: str
    finished: str
    retries: int
    results: tuple[Result, ...]
    about: Mapping[str, str] = {}
    options: tuple[str, ...] = ()
    prunes: bool = False

    @property
    def active(self) -> bool:
        """It may still change something; between two tries as well, where ``finished`` is already set."""
        return not self.ended

    @property
    def ended(self) -> bool:
        """It will not change anything any more."""
        return self.phase in _ENDED

    def result(self, ref: subjects.Ref) -> Result | None:
        """What it did with one object, or None."""
        return next((result for result in self.results if result.ref == ref), None)


def requested(application: Application) -> Operation | None:
    """The operation that is asked for in the object; Argo CD removes it when it has ended."""
    operation = application.get("operation")
    return _read(operation, {"phase": "Requested"}) if operation else None


def recorded(application: Application) -> Operation | None:
    """The operation in the status: the one that runs, or the last one that ended."""
    state = (application.get("status") or {}).get("operationState")
    return _read(state.get("operation") or {}, state) if state and state.get("phase") else None


def current(application: Application) -> Operation | None:
    """The operation that is asked for or runs, else the last one.

    While one is asked for, the record may still be that of the operation before; the two belong together only
    when the record is active or carries the same key.
    """
    pending, record = requested(application), recorded(application)
    if pending is None:
        return record
    if record is not None and (record.active or (pending.key and pending.key == record.key)):
        # The field is still there for a moment after the end; until it is gone, nothing has ended.
        return record if record.active else _still(record)
    return pending


def active(application: Application) -> Operation | None:
    """The operation that is asked for or runs, or None."""
    operation = current(application)
    return operation if operation is not None and operation.active else None


def applied(application: Application) -> frozenset[subjects.Ref]:
    """The objects that the operation in the status has applied, however it has ended; none of a dry run."""
    record = recorded(application)
    if record is None:
        return frozenset()
    state = application["status"]["operationState"]
    if ((state.get("operation") or {}).get("sync") or {}).get("dryRun"):
        return frozenset()
    return frozenset(result.ref for result in record.results if result.status == "Synced")


def is_automated(operation: Operation, revision: str) -> bool:
    """Whether this is Argo CD's own full sync of a revision."""
    return operation.automated and operation.full and operation.revision == revision


def without(operation: Operation, expected: Iterable[subjects.Ref]) -> tuple[subjects.Ref, ...]:
    """The expected hooks that the operation does not show as succeeded."""
    # A hook of two phases has two results, and all of them must have succeeded.
    ran = [result for result in operation.results if result.hook]
    return tuple(
        hook
        for hook in expected
        if not any(
            hooks.is_same(hook, result.ref) and result.phase == "Succeeded" for result in ran
        )
        or any(hooks.is_same(hook, result.ref) and result.phase != "Succeeded" for result in ran)
    )


def asking(
    application: Application,
    *,
    revision: str,
    key: str,
    by: str,
    only: Sequence[tuple[str, subjects.Ref]] = (),
    about: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The Application with an operation in it, to be written back with the resourceVersion that was read.

    Prunes only where the Application's own ``automated.prune`` says so: deleting what is no longer in the
    chart is as much a decision of the people who wrote the Application as in an automated sync, and
    ``argocd app sync`` does not prune unasked either.
    Sync options are copied, because an operation that is written does not inherit them; it is never tried
    again by itself, because each try would run the migrations again.

    Args:
        application: The object as it was just read.
        revision: Full commit id.
        key: The intent's key.
        by: Who starts it.
        only: API group and object of a selective sync; empty for a full one, hooks included.
        about: What ``operation.info`` says besides, by which people and other machines know what this is.
    """
    policy = (application.get("spec") or {}).get("syncPolicy") or {}
    sync: dict[str, Any] = {
        **_revisions(application, revision),
        "prune": prunes(application),
        "syncStrategy": {"hook": {}},
    }
    if policy.get("syncOptions"):
        sync["syncOptions"] = list(policy["syncOptions"])
    if only:
        sync["resources"] = _selected(only)
    operation = {
        "sync": sync,
        "initiatedBy": {"username": by},
        "info": _info(key, about),
        "retry": {"limit": 0},
    }
    status = dict(application.get("status") or {})
    status.pop("operationState", None)
    return {**application, "operation": operation, "status": status}


def request(
    application: Application,
    *,
    revision: str,
    key: str,
    only: Sequence[tuple[str, subjects.Ref]] = (),
    about: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The same operation as a request to Argo CD's API (``ApplicationSyncRequest``).

    The API server copies the Application's sync options itself, and knows from the token who asks.

    Args:
        application: The object as it was just read.
        revision: Full commit id; empty for the head of the Application's branch, the only one to which the API
            server syncs an automated Application.
        key: The intent's key.
        only: As in :func:`asking`.
        about: As in :func:`asking`.
    """
    operation: dict[str, Any] = {
        "prune": prunes(application),
        "strategy": {"hook": {}},
        "infos": _info(key, about),
        "retryStrategy": {"limit": 0},
    }
    if revision:
        operation |= _revisions(application, revision)
    if "revisions" in operation:
        # The API takes several revisions only with the positions of their sources, counted from 1.
        operation["sourcePositions"] = list(range(1, len(operation["revisions"]) + 1))
    if only:
        operation["resources"] = _selected(only)
    return operation


def terminating(application: Application) -> dict[str, Any]:
    """The Application with its running operation told to end, or with one that has not begun taken back.

    To be written with the resourceVersion that was read, so that an operation that ended meanwhile, or another
    one, is not touched.
    """
    record = recorded(application)
    if record is not None and record.active:
        state = {**application["status"]["operationState"], "phase": TERMINATING}
        return {**application, "status": {**application["status"], "operationState": state}}
    return {key: value for key, value in application.items() if key != "operation"}


def _revisions(application: Application, revision: str) -> dict[str, Any]:
    """The commit of an operation: once, or once for each of several sources, which Argo CD never takes from one."""
    sources = (application.get("spec") or {}).get("sources")
    return {"revisions": [revision] * len(sources)} if sources else {"revision": revision}


def revision_of(node: Mapping[str, Any]) -> str:
    """The commit that a part of an Application names; of several sources, the one that all of them are at."""
    revisions = set(node.get("revisions") or ())
    return node.get("revision") or (str(revisions.pop()) if len(revisions) == 1 else "")


def _info(key: str, about: Mapping[str, str] | None) -> list[dict[str, str]]:
    entries = {KEY: key, **{f"{ABOUT}{name}": value for name, value in (about or {}).items()}}
    return [{"name": name, "value": value} for name, value in entries.items()]


def prunes(application: Application) -> bool:
    """Whether a sync of hanbae's deletes what is no longer in the chart: as the Application's automation says."""
    policy = (application.get("spec") or {}).get("syncPolicy") or {}
    return bool((policy.get("automated") or {}).get("prune"))


def _selected(only: Sequence[tuple[str, subjects.Ref]]) -> list[dict[str, str]]:
    return [
        {"group": group, "kind": ref.kind, "namespace": ref.namespace, "name": ref.name}
        for group, ref in only
    ]


def ended(revision: str, started: str) -> Operation:
    """A successful full sync of which only the history is left: when it began, and of which commit."""
    return Operation(
        phase="Succeeded",
        message="",
        revision=revision,
        key="",
        by="",
        automated=False,
        full=True,
        started=started,
        finished="",
        retries=0,
        results=(),
    )


def _still(record: Operation) -> Operation:
    """An ended record whose request has not been removed yet: still active."""
    fields = {name: getattr(record, name) for name in record.__struct_fields__}
    return Operation(**(fields | {"phase": "Running"}))


def _read(operation: Mapping[str, Any], state: Mapping[str, Any]) -> Operation:
    sync = operation.get("sync") or {}
    result = state.get("syncResult") or {}
    by = operation.get("initiatedBy") or {}
    info = {entry.get("name"): entry.get("value") for entry in operation.get("info") or []}
    strategy = sync.get("syncStrategy") or {}
    partial = sync.get("resources") or sync.get("manifests") or sync.get("dryRun")
    return Operation(
        phase=state.get("phase") or "Running",
        message=state.get("message") or "",
        revision=revision_of(result) or revision_of(sync),
        key=info.get(KEY) or "",
        by=by.get("username") or "",
        automated=bool(by.get("automated")),
        # The strategy `apply` runs no hooks either, and it counts even when it is empty.
        full=not partial and strategy.get("apply") is None,
        started=state.get("startedAt") or "",
        finished=state.get("finishedAt") or "",
        retries=int(state.get("retryCount") or 0),
        results=tuple(_result(entry) for entry in result.get("resources") or []),
        about={
            str(name).removeprefix(ABOUT): str(value)
            for name, value in info.items()
            if str(name).startswith(ABOUT)
        },
        options=tuple(
            excerpts.one_line(str(option)) for option in (sync.get("syncOptions") or ())[:_MOST]
        ),
        prunes=bool(sync.get("prune")),
    )


def _result(entry: Mapping[str, Any]) -> Result:
    return Result(
        ref=subjects.Ref(entry.get("kind", ""), entry.get("namespace", ""), entry.get("name", "")),
        status=entry.get("status") or "",
        message=entry.get("message") or "",
        hook=entry.get("hookType") or "",
        phase=entry.get("hookPhase") or "",
    )
