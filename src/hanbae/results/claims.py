"""What is known of an application's last deployment from the cluster alone, whichever machine has driven it."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from hanbae.results import events


class Claim(Struct, frozen=True):
    """What an application's Lease says of its last deployment.

    Attributes:
        deployment: The deployment's id.
        service: The service.
        environment: The environment.
        revision: Full id of the commit.
        outcome: How it ended; empty while it is driven, and where its driver went without saying.
        has_migrated: Whether its migrations have run: it has succeeded, or had come to their proofs.
    """

    deployment: str
    service: str
    environment: str
    revision: str
    outcome: events.Outcome | Literal[""] = ""
    has_migrated: bool = False
