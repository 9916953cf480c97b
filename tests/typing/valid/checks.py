"""A repository is checked, rendered and compared, and what comes of it is known without a cast."""

from __future__ import annotations

from pathlib import Path
from typing import assert_type

import hanbae


async def errors(folder: Path) -> list[hanbae.Finding]:
    wanted = hanbae.CheckWanted(
        ("auth",), policy_from="origin/main", history=hanbae.CheckHistory(since="v1")
    )
    result = await hanbae.check(folder, wanted)
    assert_type(result, hanbae.CheckResult)
    for accepted in result.accepted:
        assert_type(accepted, hanbae.Accepted)
    return [each for each in result.findings if each.severity == "error"]


async def edits(folder: Path) -> tuple[hanbae.Edit, ...]:
    result = await hanbae.check(folder, hanbae.CheckWanted(live=hanbae.CheckLive(context="kind")))
    return tuple(edit for each in result.findings for edit in each.edits)


async def kinds(folder: Path) -> list[str]:
    found = []
    async with hanbae.rendering(folder, hanbae.RenderWanted(environment="dev")) as made:
        async for each in made:
            if isinstance(each, hanbae.RenderFailure):
                raise each.fault
            assert_type(each, hanbae.Rendered)
            found += [str(one["kind"]) for one in each.objects]
    return found


async def change(folder: Path) -> hanbae.Comparison:
    return await hanbae.compare(folder, base="origin/main", head="HEAD")


async def planned(space: hanbae.Workspace) -> tuple[hanbae.Preview, ...]:
    return await hanbae.preview(space, ("auth",), "staging")
