"""A deployment as people ask about it: a fold over its events, never stored apart."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from msgspec import Struct

from hanbae import wording
from hanbae.results import checklists, events, guards, plans

Outcome = Literal["running", "succeeded", "failed", "refused", "stopped", "superseded", "unknown"]


class Migration(Struct, frozen=True):
    """What was proven about one database, or where it stands after a deployment that did not get so far.

    Attributes:
        database: Name of the database.
        files: Number of migration files of the revision.
        version: The database's version; None where nobody knows.
        applied: Versions that the deployment applied.
        names: Names of their files.
        proven: Whether goose has said so after the sync; else it is known from the migrations' own log.
        reached: How many of the files the database has.
        failed: Name of the file at which it stopped; empty where none failed.
        taken_back: Versions that the deployment took back before it, the newest first.
        drift: What else was not as a deployment leaves it, by the database itself, or why that was not heard.
    """

    database: str
    files: int
    version: int | None
    applied: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    proven: bool = True
    reached: int = 0
    failed: str = ""
    taken_back: tuple[int, ...] = ()
    drift: tuple[wording.Text, ...] = ()


class Deployment(Struct, frozen=True, omit_defaults=False):
    """One service in one environment, one run of a plan.

    Attributes:
        id: The deployment's id.
        service: The service.
        environment: The environment.
        revision: Full commit id.
        outcome: ``running`` until it is closed.
        trigger: ``automated`` when Argo CD's own record says that it started the sync, else ``manual``;
            None before it began.
        migrations: What was proven, or where each database stands, in migration order.
        diagnoses: Causes that were named.
        opened: When it was opened, in UTC.
        closed: When it was closed, or None.
        why: Why it ended as it did.
        began: When its last operation began, or None.
        command: The next command for a person; empty where there is nothing to do.
        by: Who opened it, as the control cluster knows them.
        images: The images that it was to run, as the chart names them.
        checklist: What became of the policy's checklist, phase by phase.
        manifests: SHA-256 of the manifests that it was to deploy; empty in records of an older hanbae.
        options: The sync options of its last operation, by Argo CD's own record.
        prunes: Whether its last operation deleted what was no longer among the manifests.
    """

    id: str
    service: str
    environment: str
    revision: str
    outcome: Outcome
    trigger: Literal["automated", "manual"] | None = None
    migrations: tuple[Migration, ...] = ()
    diagnoses: tuple[events.Diagnosed, ...] = ()
    opened: datetime | None = None
    closed: datetime | None = None
    why: wording.Text | None = None
    began: datetime | None = None
    command: tuple[str, ...] = ()
    by: str = ""
    images: tuple[str, ...] = ()
    checklist: tuple[checklists.Checked, ...] = ()
    manifests: str = ""
    options: tuple[str, ...] = ()
    prunes: bool = False

    @property
    def synced_with(self) -> tuple[str, ...]:
        """The sync options for people: ``prune``, which Argo CD keeps apart, is one of them."""
        return (*self.options, *(("prune",) if self.prunes else ()))


class Unreadable(Struct, frozen=True):
    """The record of a deployment that cannot be read: others are shown without it, and it is named.

    Attributes:
        deployment: The deployment's id; empty where what stands there is none.
        row: Position in the history's table ``events`` of the event that cannot be read, or of the record's first.
        why: Why, and what to do.
    """

    deployment: str
    row: int
    why: wording.Text


def fold(stream: Iterable[events.Event]) -> Deployment:
    """What a deployment's events add up to.

    Args:
        stream: All events of one deployment in order; at least the first.

    Raises:
        ValueError: The stream does not begin with ``Opened``.
    """
    state: dict[str, object] = {}
    migrations: dict[str, Migration] = {}
    diagnoses: list[events.Diagnosed] = []
    checked: dict[checklists.Phase, checklists.Checked] = {}
    for event in stream:
        fact = event.fact
        if isinstance(fact, events.Opened):
            state |= {
                "id": event.deployment,
                "service": fact.plan.service,
                "environment": fact.plan.environment,
                "revision": fact.revision,
                "outcome": "running",
                "opened": event.at,
                "by": fact.by,
                "images": _images(fact.plan),
                "manifests": fact.plan.manifests,
            }
        elif isinstance(fact, events.Began):
            state["trigger"] = "automated" if fact.automated else "manual"
            state |= {"began": event.at, "options": fact.options, "prunes": fact.prunes}
        elif isinstance(fact, events.Proved | events.TakenBack | events.Migrated):
            # The latest word on a database counts, and stands in its place.
            before = migrations.pop(fact.database, None)
            migrations[fact.database] = _migration(fact, before)
        elif isinstance(fact, events.Diagnosed):
            diagnoses.append(fact)
        elif isinstance(fact, events.Decided):
            checked[fact.checked.phase] = fact.checked
        elif isinstance(fact, events.Closed):
            state |= {
                "outcome": fact.outcome,
                "why": fact.why,
                "command": fact.command,
                "closed": event.at,
            }
    if "id" not in state:
        message = "a deployment's events begin with Opened"
        raise ValueError(message)
    return Deployment(
        **state,  # type: ignore[arg-type]
        migrations=tuple(migrations.values()),
        diagnoses=tuple(diagnoses),
        checklist=tuple(checked.values()),
    )


def _migration(
    fact: events.Proved | events.TakenBack | events.Migrated, before: Migration | None
) -> Migration:
    """What is known of a database by a fact, and by those before it."""
    taken_back = before.taken_back if before is not None else ()
    match fact:
        case events.Proved():
            return Migration(
                fact.database,
                fact.files,
                fact.version,
                fact.applied,
                fact.names,
                reached=fact.files,
                taken_back=taken_back,
                drift=fact.drift,
            )
        case events.TakenBack():
            # Gone on with after a crash or a stop, it may be told twice; goose takes nothing back a second time.
            return Migration(
                fact.database,
                fact.files,
                fact.version,
                reached=fact.reached,
                taken_back=tuple(dict.fromkeys(taken_back + fact.versions)),
            )
        case events.Migrated():
            return Migration(
                fact.database,
                fact.files,
                fact.version,
                fact.applied,
                fact.names,
                proven=False,
                reached=fact.reached,
                failed=fact.failed,
                taken_back=taken_back,
            )


def _images(plan: plans.Plan) -> tuple[str, ...]:
    """The images of a plan's workloads, each once."""
    promised = (guard for guard in guards.of(plan) if isinstance(guard, guards.RunningImage))
    return tuple(dict.fromkeys(guard.image for guard in promised))
