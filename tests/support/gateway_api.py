"""The definitions of the Gateway API's kinds, from its Go module: what Cilium and others ask a cluster to have."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Final

from tests.support import peers

from hanbae.sandbox import golang

MODULE: Final = "sigs.k8s.io/gateway-api"


def definitions() -> Path:
    """The folder of the standard kinds, downloaded if it is not there yet."""
    ended = subprocess.run(
        [golang.find().path, "mod", "download", "-json", MODULE],
        cwd=peers.MODULES / "gateway-api",
        env=golang.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    answer = json.loads(ended.stdout or "{}")
    assert ended.returncode == 0, answer.get("Error") or ended.stderr
    return Path(answer["Dir"]) / "config" / "crd" / "standard"
