"""The definition of External Secrets' kind, from its Go module: what its operator has a cluster serve (Apache-2.0)."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.support import peers

MODULE: Final = "github.com/external-secrets/external-secrets"


def definition() -> Path:
    """The manifest of the kind ExternalSecret, downloaded if it is not there yet."""
    folder = peers.module(MODULE, "external-secrets") / "config" / "crds" / "bases"
    return folder / "external-secrets.io_externalsecrets.yaml"
