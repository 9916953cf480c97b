"""The definitions of the Gateway API's kinds, from its Go module: what Cilium and others ask a cluster to have."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tests.support import peers

MODULE: Final = "sigs.k8s.io/gateway-api"


def definitions() -> Path:
    """The folder of the standard kinds, downloaded if it is not there yet."""
    return peers.module(MODULE, "gateway-api") / "config" / "crd" / "standard"
