"""The commands of hanbae, by the sections of the policy document."""

from __future__ import annotations

from typing import Final

SECTIONS: Final = {
    "main.section-policy": ("init", "check", "generate"),
    "main.section-environments": ("status", "local"),
    "main.section-charts": ("new", "upgrade", "render", "dependencies", "image"),
    "main.section-secrets": ("secrets",),
    "main.section-migrations": ("migrations",),
    "main.section-commands": ("plan", "deploy", "promote", "attach", "stop", "hold", "overlay"),
    "main.section-rollout": ("rollout", "rollback"),
    "main.section-checklist": ("checklist", "history"),
    "main.section-troubleshooting": ("doctor",),
    "main.section-hanbae": ("demo", "sandbox", "completion"),
}
"""Title → the commands that do what a section of the policy document says, in the order of that document."""

COMMANDS: Final = tuple(name for names in SECTIONS.values() for name in names)
"""Each is a module of :mod:`hanbae.cli`."""
