"""The definition of External Secrets' kind, from its Go module: what its operator has a cluster serve (Apache-2.0)."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Final

from tests.support import peers

from hanbae.sandbox import golang

MODULE: Final = "github.com/external-secrets/external-secrets"


def definition() -> Path:
    """The manifest of the kind ExternalSecret, downloaded if it is not there yet."""
    ended = subprocess.run(
        [golang.find().path, "mod", "download", "-json", MODULE],
        cwd=peers.MODULES / "external-secrets",
        env=golang.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    answer = json.loads(ended.stdout or "{}")
    assert ended.returncode == 0, answer.get("Error") or ended.stderr
    folder = Path(answer["Dir"]) / "config" / "crds" / "bases"
    return folder / "external-secrets.io_externalsecrets.yaml"
