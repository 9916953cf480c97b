"""What an audit asks of deployments: the record of a time, arranged by the controls of a framework."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

from hanbae import wording
from hanbae.results import deployments

Framework = Literal["isms-p", "soc2"]

Topic = Literal["duties", "environments", "transfer", "changes", "failures"]
"""What a control is about: who did what, what is kept apart, how changes reach production, all changes, failures."""


class Control(Struct, frozen=True):
    """One control of a framework.

    Attributes:
        number: Its number: ``2.9.1``, ``CC8.1``.
        topics: What of the record is evidence for it.
    """

    number: str
    topics: tuple[Topic, ...]


class Environment(Struct, frozen=True):
    """Where an environment is.

    Attributes:
        name: The environment.
        branch: The branch that is deployed there.
        context: kubeconfig context of the cluster with its pods; empty for the current one.
        namespaces: The namespaces of its services.
        deployments: How many deployments there were in the time.
        is_last: Whether it is the one that all others lead to.
    """

    name: str
    branch: str
    context: str
    namespaces: tuple[str, ...]
    deployments: int
    is_last: bool


class Record(Struct, frozen=True):
    """One deployment as an auditor asks about it.

    Attributes:
        deployment: Its id.
        service: The service.
        environment: The environment.
        revision: Full commit id.
        subject: First line of the commit's message; empty where this clone does not have it.
        authors: Who wrote the commits that came with it, as their git named them.
        by: Who deployed, as the cluster knows them.
        opened: When it was opened.
        closed: When it ended, or None.
        outcome: How it ended.
        why: Why it ended so.
        manifests: SHA-256 of the manifests that it was to deploy; empty in records of an older hanbae.
        options: The sync options that Argo CD deployed it with.
        images: The images that it was to run.
        objects: How many objects it was to change.
        migrations: Database and file of each migration that it applied.
        passed: Items of the checklist that passed or were attested.
        items: Items of the checklist that were decided.
        attested: Item and person of what a person attested.
        waived: Item, person, reason and end of each waiver.
        before: Earlier deployments of the same content that succeeded in environments before this one: environment
            and id.
        causes: What was diagnosed.
        taken_back: Whether it took the change before it back.
        restored: When the next deployment of the service succeeded there, for one that failed; else None.
    """

    deployment: str
    service: str
    environment: str
    revision: str
    subject: str
    authors: tuple[str, ...]
    by: str
    opened: datetime
    closed: datetime | None
    outcome: str
    why: wording.Text | None
    manifests: str
    options: tuple[str, ...]
    images: tuple[str, ...]
    objects: int
    migrations: tuple[str, ...]
    passed: int
    items: int
    attested: tuple[str, ...]
    waived: tuple[str, ...]
    before: tuple[str, ...]
    causes: tuple[wording.Text, ...]
    taken_back: bool
    restored: datetime | None


class Evidence(Struct, frozen=True):
    """The record of a time.

    Attributes:
        framework: The framework.
        since: The time's beginning.
        until: Its end, which is not in it.
        made: When this was made.
        history: The file or server that the record is in.
        controls: The controls, in their order.
        environments: The environments, in the order of promotion.
        records: The deployments, oldest first; refused ones too: a control has worked there.
        unreadable: Records that cannot be read; each may be of the time.
    """

    framework: Framework
    since: datetime
    until: datetime
    made: datetime
    history: str
    controls: tuple[Control, ...]
    environments: tuple[Environment, ...]
    records: tuple[Record, ...]
    unreadable: tuple[deployments.Unreadable, ...] = ()
