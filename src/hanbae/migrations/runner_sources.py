"""The sources of hanbae-migrate, of which a team's repository gets a copy: its images are built without hanbae."""

from __future__ import annotations

from importlib import resources
from typing import Final

from hanbae.policy import naming

_ENDINGS: Final = (".go", ".mod", ".sum")


def files() -> dict[str, str]:
    """Path relative to the repository → text."""
    folder = resources.files("hanbae.migrations") / "runner"
    return {
        f"{naming.RUNNER_SOURCES}/{entry.name}": entry.read_text("utf-8")
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(_ENDINGS)
    }
