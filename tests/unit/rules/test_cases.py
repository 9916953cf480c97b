"""Every case: its fault is found where a person mends it, and nothing of the kind on its right side.

What does not come true yet is in ``tests/cases/PENDING.yaml``; a case there that comes true fails its test until it is
taken out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatchcase
from functools import cache

import pytest
from tests.support import cases, trees

from hanbae.charts import pools
from hanbae.checking import kustomize_builds, settling, whole_repository
from hanbae.policy import loading
from hanbae.repository import services
from hanbae.results import findings
from hanbae.rules import own, views

Run = Callable[[trees.MemoryTree, dict[str, trees.MemoryTree]], tuple[findings.Finding, ...]]


@pytest.fixture(scope="session")
def check(runner: asyncio.Runner, pool: pools.Pool) -> Run:
    """Checks a whole repository as ``hanbae check`` does, with environments' branches."""

    def run(
        tree: trees.MemoryTree, branches: dict[str, trees.MemoryTree]
    ) -> tuple[findings.Finding, ...]:
        policy, places = loading.parse(tree.contents["hanbae.yaml"], "hanbae.yaml")
        project = views.Project(policy, places, tree, services.of(policy, tree), branches)
        names = (*project.services, *kustomize_builds.without_chart(project))
        inspection = whole_repository.inspect(project, names, own.held(policy), pool=pool)
        return settling.settle(project, runner.run(inspection), names).findings

    return run


@pytest.fixture(scope="session")
def of_base(check: Run) -> Callable[[str], frozenset[str]]:
    """What a base yields without any case."""

    @cache
    def run(name: str) -> frozenset[str]:
        return frozenset(shown(check(cases.base(name), {})))

    return run


def sides() -> Iterator[object]:
    for name in cases.names():
        for side in cases.case(name).sides:
            reason = cases.pending().get(f"{name} {side}")
            marks = (pytest.mark.xfail(strict=True, reason=reason),) if reason else ()
            yield pytest.param(name, side, id=f"{name}-{side}", marks=marks)


def shown(results: Iterable[findings.Finding]) -> list[str]:
    """Findings as cases write them."""
    lines = (f":{finding.place.line}" if finding.place.line else "" for finding in results)
    return [
        f"{finding.code} {finding.place.file}{line}"
        for finding, line in zip(results, lines, strict=True)
    ]


def matches(finding: str, pattern: str) -> bool:
    """Whether a finding is one that a case names."""
    if pattern.endswith(":+"):
        return fnmatchcase(finding, pattern.removesuffix("+") + "[0-9]*")
    return fnmatchcase(finding, pattern)


@pytest.mark.parametrize(("name", "side"), list(sides()))
def test_case(
    check: Run, of_base: Callable[[str], frozenset[str]], name: str, side: cases.Side
) -> None:
    case = cases.case(name)
    half, commits = case.half(side), cases.commits(name, side)
    branches = {environment: commits[count] for environment, count in half.branches.items()}
    results = shown(check(commits[-1], branches))
    own_results = [result for result in results if result not in of_base(case.base)]
    missing = [
        pattern
        for pattern in half.findings
        if not any(matches(result, pattern) for result in own_results)
    ]
    assert missing == [], results
    unexpected = [
        result
        for result in own_results
        if any(matches(result, pattern) for pattern in case.absent(side))
        and not any(matches(result, pattern) for pattern in half.findings)
    ]
    assert unexpected == [], results


def test_every_pending_case_is_one() -> None:
    all_sides = {f"{name} {side}" for name in cases.names() for side in cases.case(name).sides}
    assert set(cases.pending()) <= all_sides
