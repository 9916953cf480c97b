"""A repository is checked, rendered and compared, and what comes of it is known without a cast."""

from __future__ import annotations

from pathlib import Path
from typing import assert_type

import hanbae


async def errors(folder: Path) -> list[hanbae.Finding]:
    request = hanbae.CheckRequest(
        ("auth",), policy_from="origin/main", history=hanbae.CheckHistory(since="v1")
    )
    result = await hanbae.check(folder, request)
    assert_type(result, hanbae.CheckResult)
    for accepted in result.accepted:
        assert_type(accepted, hanbae.Accepted)
    return [finding for finding in result.findings if finding.severity == "error"]


async def edits(folder: Path) -> tuple[hanbae.Edit, ...]:
    result = await hanbae.check(folder, hanbae.CheckRequest(live=hanbae.CheckLive(context="kind")))
    return tuple(edit for finding in result.findings for edit in finding.edits)


async def kinds(folder: Path) -> list[str]:
    kinds = []
    async with hanbae.rendering(folder, hanbae.RenderRequest(environment="dev")) as releases:
        async for release in releases:
            if isinstance(release, hanbae.RenderFailure):
                raise release.fault
            assert_type(release, hanbae.Rendered)
            kinds += [str(manifest["kind"]) for manifest in release.objects]
    return kinds


async def change(folder: Path) -> hanbae.Comparison:
    return await hanbae.compare(folder, base="origin/main", head="HEAD")


async def planned(space: hanbae.Workspace) -> tuple[hanbae.Preview, ...]:
    return await hanbae.preview(space, ("auth",), "staging")
