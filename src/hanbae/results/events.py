"""What happened in a deployment.

The record of a deployment *is* its list of events: each one is committed to the history before it is
shown, and everything else (the live view, the final table, the dashboard) is a fold over them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal, get_args

from msgspec import Struct

from hanbae import subjects, wording
from hanbae.results import checklists, plans

Outcome = Literal["succeeded", "failed", "refused", "stopped", "superseded", "unknown"]
"""How a deployment can end."""

OUTCOMES: Final[tuple[Outcome, ...]] = get_args(Outcome)


class Opened(Struct, frozen=True, tag=True):
    """The first event: what is planned, by whom, of which commit."""

    plan: plans.Plan
    by: str
    revision: str


class Intended(Struct, frozen=True, tag=True):
    """Committed before every side effect; the key travels with the effect, so that it is found again.

    Attributes:
        key: The key.
        had: Versions that the database had, where its newest migrations are taken back; none in records of an older
            hanbae.
    """

    key: str
    had: tuple[int, ...] = ()


class Began(Struct, frozen=True, tag=True):
    """The engine's operation exists.

    Attributes:
        operation: The key or the identity by which the operation is found again.
        automated: True when Argo CD started it itself (``initiatedBy.automated``), as its own record says.
        revision: The commit that the operation deploys, as its own record says.
        options: The sync options that it has, as its own record says: ``ServerSideApply=true``; none where Helm
            deploys, and in records of an older hanbae.
        prunes: Whether it deletes what is no longer among the manifests, as its own record says.
    """

    operation: str
    automated: bool
    revision: str
    options: tuple[str, ...] = ()
    prunes: bool = False


class Observed(Struct, frozen=True, tag=True):
    """A state of an object in the cluster's own words, masked.

    Attributes:
        on: The object.
        state: Its state: ``Running``, ``Succeeded``, ``Healthy``, ``CreateContainerConfigError`` …
        reason: The cluster's machine-readable reason, if it gave one.
        message: The cluster's sentence, masked and bounded.
    """

    on: subjects.Ref
    state: str
    reason: str = ""
    message: str = ""


class Logged(Struct, frozen=True, tag=True):
    """One line of a container's log: bounded, masked."""

    pod: subjects.Ref
    container: str
    line: str


class Proved(Struct, frozen=True, tag=True):
    """A database has the migrations of the revision, as goose itself says after the sync.

    Attributes:
        database: Name of the database.
        files: Number of migration files of the revision.
        version: The database's version.
        applied: Versions that this deployment applied (empty when there was nothing to do).
        names: Names of their files; empty in records of an older hanbae.
        drift: What else is not as a deployment leaves it, by the database itself, or why that was not heard.
    """

    database: str
    files: int
    version: int
    applied: tuple[int, ...]
    names: tuple[str, ...] = ()
    drift: tuple[wording.Text, ...] = ()

    @property
    def drifted(self) -> tuple[wording.Text, ...]:
        """What the database itself has said."""
        return tuple(text for text in self.drift if is_drift(text))

    @property
    def unheard(self) -> tuple[wording.Text, ...]:
        """Why it was not heard."""
        return tuple(text for text in self.drift if not is_drift(text))


def is_drift(text: wording.Text) -> bool:
    """Whether a sentence of a proof says what a database is like, and not why it was not heard."""
    return text.id.startswith("drift.")


class TakenBack(Struct, frozen=True, tag=True):
    """Migrations of a database were taken back, as goose itself says afterwards.

    Attributes:
        database: Name of the database.
        version: The version that it has now.
        versions: Versions that were taken back, in that order.
        names: Names of their files.
        files: Number of migration files of the commit that is left.
        reached: How many of them it has now.
    """

    database: str
    version: int
    versions: tuple[int, ...]
    names: tuple[str, ...] = ()
    files: int = 0
    reached: int = 0


class Migrated(Struct, frozen=True, tag=True):
    """Where a database stands when a deployment ends before its migrations were proven, by goose's own log.

    Attributes:
        database: Name of the database.
        files: Number of migration files of the revision.
        version: The version that it has reached; None where nobody knows.
        reached: How many of the files it has, by that version.
        applied: Versions that this deployment applied.
        names: Names of their files.
        failed: Name of the file at which it stopped; empty where none failed.
    """

    database: str
    files: int
    version: int | None
    reached: int
    applied: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    failed: str = ""


class Diagnosed(Struct, frozen=True, tag=True):
    """Why something does not go on.

    Attributes:
        subject: The object that is in trouble.
        cause: The cause in words.
        command: The next command for a person, as a list of arguments; empty where there is nothing to do.
        fatal: True when it cannot heal by itself, so that waiting is of no use.
    """

    subject: subjects.Ref
    cause: wording.Text
    command: tuple[str, ...]
    fatal: bool


class Noted(Struct, frozen=True, tag=True):
    """A decision of hanbae's that people should know about, such as starting a sync that automation did not."""

    text: wording.Text


class Decided(Struct, frozen=True, tag=True):
    """The items of the policy's checklist for one phase were decided.

    Attributes:
        checked: The phase, and how each item ended, with what was seen.
    """

    checked: checklists.Checked


class Closed(Struct, frozen=True, tag=True):
    """Exactly one, always last. ``failed`` is never written while an operation may still run.

    Attributes:
        outcome: How it ended.
        why: Why.
        command: The next command for a person, as a list of arguments; empty where there is nothing to do.
    """

    outcome: Outcome
    why: wording.Text
    command: tuple[str, ...] = ()


Fact = (
    Opened
    | Intended
    | Began
    | Observed
    | Logged
    | Proved
    | TakenBack
    | Migrated
    | Diagnosed
    | Noted
    | Decided
    | Closed
)


class Event(Struct, frozen=True):
    """One fact at its place in a deployment's record.

    Attributes:
        deployment: Id of the deployment.
        seq: Position, counted from 1 without gaps.
        at: When, in UTC.
        step: The plan's step that it belongs to, or None.
        fact: What happened.
    """

    deployment: str
    seq: int
    at: datetime
    step: str | None
    fact: Fact
