"""What a connection of goose to PostgreSQL begins with, as the policy says."""

from __future__ import annotations

from typing import Final

from hanbae.policy import documents, naming

VARIABLE: Final = "PGOPTIONS"
"""The variable from which PostgreSQL's clients take it."""


def of(migrations: documents.Migrations) -> str:
    """What `VARIABLE` holds; empty where the policy asks for nothing."""
    if migrations.lock_timeout is None:
        return ""
    return f"-c lock_timeout={naming.seconds(migrations.lock_timeout) * 1000}"
