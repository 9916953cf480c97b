"""Holds: what may not be deployed, because somebody says so."""

from __future__ import annotations

from msgspec import Struct

from hanbae.results import checklists, reach


class Hold(Struct, frozen=True):
    """That a service, or one commit of it, may not be deployed to an environment.

    Attributes:
        why: Why.
        by: Who says so.
        identity: Who knows them by this name.
        at: Since when, in UTC: ``2026-12-24T09:30:00Z``.
        revision: The commit that may not be deployed, in full; empty for all.
    """

    why: str
    by: str
    identity: checklists.Identity
    at: str
    revision: str = ""


class HeldService(Struct, frozen=True):
    """The holds of a service in an environment.

    Attributes:
        service: The service.
        environment: The environment.
        holds: Them, the oldest first; none where nothing holds it.
    """

    service: str
    environment: str
    holds: tuple[Hold, ...]


class Holds(Struct, frozen=True):
    """Holds of several services, and of several environments.

    Attributes:
        held: The services that are held.
        unreached: Environments of which nothing is known now.
    """

    held: tuple[HeldService, ...]
    unreached: tuple[reach.Unreached, ...] = ()
