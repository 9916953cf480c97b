"""What was done to Applications by others than hanbae, as the cluster remembers it."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from hanbae.results import reach


class Sync(Struct, frozen=True):
    """A sync that succeeded and is in no deployment of the history.

    Attributes:
        service: The service.
        environment: The environment.
        revision: Full commit id.
        began: When it began, by Argo CD.
        ended: When it had ended, by Argo CD.
        by: Who began it, as Argo CD says; empty where it does not.
        automated: Whether Argo CD began it itself.
    """

    service: str
    environment: str
    revision: str
    began: datetime
    ended: datetime
    by: str = ""
    automated: bool = False


class Edit(Struct, frozen=True):
    """That somebody has edited what an Application says.

    Attributes:
        service: The service.
        environment: The environment.
        manager: The program that they did it with, as the cluster names it.
        edited: When that program last did.
        fields: The parts of the specification that are its: ``source``, ``syncPolicy``.
    """

    service: str
    environment: str
    manager: str
    edited: datetime
    fields: tuple[str, ...]


class Outside(Struct, frozen=True):
    """What was done by others.

    Attributes:
        syncs: Syncs, the newest first; Argo CD remembers the last ten of an Application.
        edits: Edits of Applications, the newest first.
        unreached: The environments that did not answer.
    """

    syncs: tuple[Sync, ...] = ()
    edits: tuple[Edit, ...] = ()
    unreached: tuple[reach.Unreached, ...] = ()
