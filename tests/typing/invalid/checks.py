"""Misuse of a check."""

from __future__ import annotations

from pathlib import Path

import hanbae


async def misused(folder: Path) -> None:
    hanbae.check(folder)  # E: unused-coroutine
    await hanbae.check(folder, ("auth",))  # E: arg-type
    await hanbae.compare(folder, "main", "HEAD")  # E: call-arg
    async for _ in hanbae.rendering(folder):  # E: attr-defined
        pass


def grave(finding: hanbae.Finding) -> bool:
    finding.code = "ARG001"  # E: misc
    return finding.severity == "fatal"  # E: comparison-overlap
