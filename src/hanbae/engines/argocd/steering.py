"""Which operation is the deployment's, how far it is, and what must be done about it: a state machine without I/O.

It is shown every version of the Application in order and answers with moves; :mod:`hanbae.engines.argocd.engine` makes
them.
That it must see every version is the point: right after a full automated sync Argo CD may add a short partial one
(self-heal), which overwrites the record of the operation that counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal

from msgspec import Struct, structs

from hanbae import errors, excerpts, object_shapes, subjects, wording
from hanbae.argo import applications, operations
from hanbae.engines import protocol, rollouts
from hanbae.results import events, plans

REFRESHES: Final = 4
"""How often a refresh is asked for until another revision than the wanted one is believed."""

Application = Mapping[str, Any]


class Tell(Struct, frozen=True):
    """Put a fact into the stream."""

    fact: events.Began | events.Observed | events.Noted


class Push(Struct, frozen=True):
    """Start a full sync, because automation will not; the reason was told."""


class Refresh(Struct, frozen=True):
    """Ask Argo CD to look at the repository again, after some seconds."""

    after: float


Move = Tell | Push | Refresh


class Steering:
    """Follows one deployment's operation through the versions of its Application.

    Args:
        does: What the deployment does.
        key: The intent's key.
        ref: The Application.
        previous: ``started`` of the operation that had ended when the deployment began.
        resumed: Somebody has begun already; what the record no longer shows may be in the history.
        subject: ``service`` and ``environment``, for sentences with commands.
    """

    def __init__(
        self,
        does: plans.Synced,
        key: str,
        ref: subjects.Ref,
        *,
        previous: str = "",
        resumed: bool = False,
        subject: Mapping[str, str] | None = None,
    ) -> None:
        self.stage: Literal["awaiting", "running", "rolling-out"] = "awaiting"
        self.operation: operations.Operation | None = None
        """The deployment's operation as it was last seen."""
        self.application: Application = {}
        self.answer: Application = {}
        """The Application as Argo CD answered what was written last."""
        self.pushed = isinstance(does, plans.Sync)
        """The operation is one that hanbae wrote, to be recognised by the key."""
        self.heard = asyncio.Event()
        """Set whenever a version of the Application is shown."""
        self._does = does
        self._key = key
        self._ref = ref
        self._previous = previous
        self._resumed = resumed
        self._subject = {"service": "-", "environment": "-", **(subject or {})}
        self._since = 0
        self._reported: set[object] = set()
        self._refreshes = 0
        self._other: operations.Operation | None = None

    def since(self, application: Application) -> None:
        """Nothing before this version counts: it is the answer to something that was just written."""
        self._since = object_shapes.version(application)
        self.answer = application

    def see(self, application: Application) -> Iterator[Move]:
        """What follows from a version of the Application.

        Raises:
            hanbae.errors.Failed: The operation has ended badly, or its record was lost.
            hanbae.engines.protocol.HeadMoved: The branch's head is another revision.
        """
        self.heard.set()
        if object_shapes.version(application) < self._since:
            return
        self.application = application
        if self.stage == "awaiting":
            yield from self._await(application)
        # Not `elif`: the version that first shows the operation may already show its end.
        if self.stage == "running":
            yield from self._run(application)

    def blocked(self) -> wording.Text | None:
        """The operation of somebody else's that is waited for, or None."""
        other = self._other
        if other is None:
            return None
        facts = {
            **self._subject,
            "application": self._ref.name,
            "revision": other.revision[:12] or "-",
            "by": other.by or "Argo CD",
            "since": other.started or "-",
            "message": excerpts.one_line(other.message) or other.phase,
        }
        return wording.Text("argo.awaits-other", facts)

    @property
    def is_selective(self) -> bool:
        """Whether only some objects are synced, which leaves the others as they are."""
        return isinstance(self._does, plans.Sync) and bool(self._does.only)

    def rolled_out(self) -> tuple[subjects.Ref, ...]:
        """What must be rolled out: what the operation applied, and what it left alone because nothing had changed."""
        results = self.operation.results if self.operation else ()
        applied = [result.ref for result in results if result.status == "Synced"]
        resources = (self.application.get("status") or {}).get("resources") or []
        listed = [
            subjects.Ref(entry["kind"], entry.get("namespace", ""), entry["name"])
            for entry in resources
        ]
        refs = dict.fromkeys((*applied, *listed))
        return tuple(ref for ref in refs if ref.kind in rollouts.KINDS)

    def awaits(self) -> Iterator[wording.Text]:
        """What the Application still lacks after the operation has succeeded."""
        status, compared = applications.sync(self.application)
        moved = compared not in {"", self._does.revision}
        # Compared with a commit that was pushed meanwhile it is OutOfSync, and waiting does
        # not change that.
        if status != "Synced" and not moved and not self._only_unpruned(status):
            objects = ", ".join(map(str, applications.out_of_sync(self.application))) or "-"
            yield wording.Text("argo.awaits-synced", {"status": status or "-", "objects": objects})
        healthy, message = applications.health(self.application)
        if healthy != "Healthy":
            facts = {"health": healthy or "-", "message": message}
            yield wording.Text("argo.awaits-healthy", facts)

    def remarks(self) -> Iterator[Tell]:
        """What people should know although the deployment has succeeded."""
        status, compared = applications.sync(self.application)
        if compared not in {"", self._does.revision}:
            facts = {"revision": self._does.revision[:12], "head": compared[:12]}
            yield Tell(events.Noted(wording.Text("argo.head-moved-on", facts)))
        elif self._only_unpruned(status):
            unpruned = ", ".join(map(str, applications.unpruned(self.application)))
            yield Tell(events.Noted(wording.Text("argo.not-pruned", {"objects": unpruned})))

    def _only_unpruned(self, status: str) -> bool:
        return (
            status == "OutOfSync"
            and bool(applications.unpruned(self.application))
            and not applications.out_of_sync(self.application)
        )

    def _await(self, application: Application) -> Iterator[Move]:
        current = operations.current(application)
        if self._resumed and self._has_ended_unseen(application, current):
            yield from self._ended_unseen(application)
            return
        if self._resumed:
            # Before the crash hanbae had started the sync itself, because automation did not.
            self.pushed = self.pushed or (current is not None and current.key == self._key)
        if self.pushed:
            yield from self._await_own(current)
            return
        yield from self._await_automation(application)

    def _await_own(self, current: operations.Operation | None) -> Iterator[Move]:
        if current is not None and current.key == self._key:
            yield from self._began(current)
        # Every version since our request carries the key, unless somebody has overwritten it.
        elif self._since:
            raise errors.Failed("argo.operation-lost", application=self._ref.name)

    def _await_automation(self, application: Application) -> Iterator[Move]:
        following = applications.awaiting(
            application, revision=self._does.revision, hooks=self._does.hooks, former=self._previous
        )
        waits_for_other = following.why.id == "argo.other-operation"
        if self._other and not waits_for_other and following.does != "follow":
            # What the other operation kept Argo CD from doing, it does after the next look.
            self._other = None
            yield Refresh(0)
            return
        self._other = operations.active(application) if waits_for_other else None
        match following.does:
            case "follow":
                # One that is only asked for has no start yet, by which it is told from the next one.
                if following.operation is not None and following.operation.started:
                    yield from self._began(following.operation)
            case "push":
                yield from self._push(following.why)
            case "moved":
                yield from self._moved(following.why)
            case "wait" if waits_for_other:
                yield from self._once(following.why)

    def _has_ended_unseen(
        self, application: Application, current: operations.Operation | None
    ) -> bool:
        """Whether a full sync has succeeded since the deployment began, whose record is another's by now."""
        if current is not None and (current.active or current.key == self._key):
            return False
        # An automated sync of the commit is followed by its own record; a selective one leaves no
        # entry in the history.
        automated = current is not None and operations.is_automated(current, self._does.revision)
        since = applications.deployed_since(application, self._previous, self._does.revision)
        return not automated and not self.is_selective and bool(since)

    def _ended_unseen(self, application: Application) -> Iterator[Move]:
        revision = self._does.revision
        started = applications.deployed_since(application, self._previous, revision)
        self.operation = operations.ended(revision, started)
        self.stage = "rolling-out"
        facts = {"application": self._ref.name, "started": started}
        yield from self._once(wording.Text("argo.ended-unseen", facts))

    def _moved(self, why: wording.Text) -> Iterator[Move]:
        self._refreshes += 1
        if self._refreshes > REFRESHES:
            raise protocol.HeadMoved("argo.head-is-other", revision=why.facts["revision"])
        # After 1, 2, 4 and 8 seconds: Argo CD may not see yet what was just pushed.
        yield Refresh(0.5 * 2**self._refreshes)

    def _push(self, why: wording.Text) -> Iterator[Move]:
        self.pushed = True
        self.stage = "awaiting"
        self.operation = None
        yield Tell(events.Noted(why))
        yield Push()

    def _began(self, operation: operations.Operation) -> Iterator[Move]:
        self.stage = "running"
        # An automated operation has no key; commit and start identify it, also for later
        # deployments (`deploying.joined`).
        identity = self._key if self.pushed else f"{operation.revision}@{operation.started}"
        self.operation = operation
        began = events.Began(
            identity,
            operation.automated,
            self._does.revision,
            operation.options,
            operation.prunes,
        )
        yield Tell(began)

    def _run(self, application: Application) -> Iterator[Move]:
        current = operations.current(application)
        last = self.operation
        if current is not None and self._is_ours(current):
            if current.started or last is None or not last.started:
                self.operation = current
            yield from self._progress(current)
        elif (
            last is not None
            and last.started
            and applications.has_deployed(application, last.started, self._does.revision)
        ):
            # Its record was overwritten between two versions; the history knows that it succeeded.
            self.operation = structs.replace(last, phase="Succeeded")
        else:
            raise errors.Failed("argo.operation-lost", application=self._ref.name)
        if self.operation is not None and self.operation.ended:
            yield from self._ended(self.operation)

    def _is_ours(self, operation: operations.Operation) -> bool:
        if self.pushed:
            return operation.key == self._key
        started = self.operation.started if self.operation else ""
        same = not started or operation.started in {"", started}
        return operations.is_automated(operation, self._does.revision) and same

    def _progress(self, operation: operations.Operation) -> Iterator[Move]:
        message = excerpts.one_line(operation.message)
        # "Requested" is hanbae's own word for an operation that Argo CD has not begun.
        if operation.phase != "Requested":
            yield from self._observe(events.Observed(self._ref, operation.phase, "", message))
        for result in operation.results:
            if result.status == "SyncFailed":
                message = excerpts.one_line(result.message)
                yield from self._observe(events.Observed(result.ref, "SyncFailed", "", message))

    def _ended(self, operation: operations.Operation) -> Iterator[Move]:
        if operation.phase != "Succeeded":
            raise errors.Failed(
                "argo.sync-failed",
                application=self._ref.name,
                phase=operation.phase,
                message=excerpts.one_line(operation.message),
            )
        if operation.revision != self._does.revision:
            raise errors.Failed(
                "argo.wrong-revision",
                revision=operation.revision,
                wanted=self._does.revision,
            )
        missing = operations.without(operation, self._does.hooks)
        names = ", ".join(ref.name for ref in missing)
        # Equal means the wrong kind of sync: Argo CD was seen to turn a full one into a selective
        # one (argo-cd #28701), which runs no hooks and still succeeds.
        if missing or operation.full == self.is_selective:
            if self.pushed:
                raise errors.Failed("argo.hooks-missing", hooks=names)
            yield from self._push(wording.Text("argo.without-hooks", {"hooks": names}))
            return
        self.stage = "rolling-out"

    def _observe(self, fact: events.Observed) -> Iterator[Move]:
        if fact not in self._reported:
            self._reported.add(fact)
            yield Tell(fact)

    def _once(self, text: wording.Text) -> Iterator[Move]:
        key = (text.id, *sorted(text.facts.items()))
        if key not in self._reported:
            self._reported.add(key)
            yield Tell(events.Noted(text))
