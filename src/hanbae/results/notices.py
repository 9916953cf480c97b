"""What others are told of a deployment while it runs: few words, and of each deployment one notice that changes."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct, structs

from hanbae import wording
from hanbae.results import events, plans

State = Literal["begun", "migrating", "ended"]


class Notice(Struct, frozen=True):
    """A deployment as others are told of it.

    Attributes:
        deployment: Its id.
        number: How often its notice has changed, counted from 1.
        state: How far it is.
        service: The service.
        environment: The environment.
        revision: Full commit id.
        by: Who deploys.
        at: When this became so, in UTC.
        outcome: How it ended; empty before.
        why: Why it ended so; None before.
        migrations: Database and file of each migration that it applied.
        taken_back: Database and file of each migration that it took back.
    """

    deployment: str
    number: int
    state: State
    service: str
    environment: str
    revision: str
    by: str
    at: datetime
    outcome: str = ""
    why: wording.Text | None = None
    migrations: tuple[str, ...] = ()
    taken_back: tuple[str, ...] = ()


class Course:
    """A deployment's notice as its events come in.

    Attributes:
        notice: The present one; None before the first event.
    """

    def __init__(self) -> None:
        self.notice: Notice | None = None
        self._plan: plans.Plan | None = None

    def take(self, event: events.Event) -> Notice | None:
        """The notice that an event makes; None where it changes nothing that others are told."""
        match event.fact:
            case events.Opened(plan=plan, by=by, revision=revision):
                self._plan = plan
                self.notice = Notice(
                    event.deployment,
                    1,
                    "begun",
                    plan.service,
                    plan.environment,
                    revision,
                    by,
                    event.at,
                )
                return self.notice
            case events.Intended() if self._takes_back(event.step):
                return self._changed(event, state="migrating")
            case events.Observed(on=on) if self._is_migration(on.kind, on.namespace, on.name):
                return self._changed(event, state="migrating")
            case events.TakenBack(database=database, names=names) if self.notice is not None:
                versions = tuple(f"{database}: {name}" for name in names)
                former = self.notice.taken_back
                self.notice = structs.replace(self.notice, taken_back=(*former, *versions))
            # Told with the end, so that a notice does not change once more for each database.
            case events.Proved(database=database, names=names):
                self._migrated(database, names)
            case events.Migrated(database=database, names=names):
                self._migrated(database, names)
            case events.Closed(outcome=outcome, why=why):
                return self._changed(event, state="ended", outcome=outcome, why=why)
        return None

    def _takes_back(self, step: str | None) -> bool:
        """Whether a step takes a database back, and nothing was migrated before."""
        if self._plan is None or self.notice is None or self.notice.state != "begun":
            return False
        does = (entry.does for entry in self._plan.steps if entry.id == step)
        return any(isinstance(entry, plans.TakeBack) for entry in does)

    def _is_migration(self, kind: str, namespace: str, name: str) -> bool:
        """Whether an object is a migration's Job or a pod of it, and none has begun before."""
        if self._plan is None or self.notice is None or self.notice.state != "begun":
            return False
        jobs = [step.does.hook for step in self._plan.steps if isinstance(step.does, plans.Prove)]
        return any(
            namespace == job.namespace
            and (name == job.name if kind == job.kind else job.has_pod(name))
            for job in jobs
        )

    def _migrated(self, database: str, names: tuple[str, ...]) -> None:
        if self.notice is not None:
            applied = tuple(f"{database}: {name}" for name in names)
            entries = (*self.notice.migrations, *applied)
            self.notice = structs.replace(self.notice, migrations=entries)

    def _changed(self, event: events.Event, **changes: object) -> Notice | None:
        if self.notice is None:
            return None
        number = self.notice.number + 1
        self.notice = structs.replace(self.notice, number=number, at=event.at, **changes)
        return self.notice
