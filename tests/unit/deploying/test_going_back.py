"""Where a rollback begins, where it goes by itself, and which commit is named when it cannot go so far."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.support import migrating_clones
from tests.support.migrating_clones import Clone

from hanbae import errors
from hanbae.deploying import claiming, going_back, live_sources, older_commits, preflight
from hanbae.planning import deployments
from hanbae.results import deployments as results
from hanbae.results import plans

REVERSIBLE = "-- +goose Up\nSELECT 1;\n-- +goose Down\nSELECT 2;\n"
CLUSTERS: Any = SimpleNamespace(workload=None)


@pytest.fixture(autouse=True)
def _without_an_application(monkeypatch: pytest.MonkeyPatch) -> None:
    """Argo CD has no Application of it."""

    async def nothing(*_: object) -> None:
        return None

    monkeypatch.setattr(live_sources, "_application", nothing)


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clone:
    """Commits with 1, 2 and 3 migrations, none of them reversible, then two that are."""
    clone = Clone(tmp_path)
    clone.commits += [clone.migrate(number, REVERSIBLE) for number in (4, 5)]

    async def read_claim(*_: object) -> Any:
        return None if clone.lease is None else SimpleNamespace(marks=clone.lease)

    monkeypatch.setattr(claiming, "lease", read_claim)
    return clone


def ended(revision: str, outcome: str, version: int | None = None) -> results.Deployment:
    return migrating_clones.ended(revision, outcome, version)


async def begun(clone: Clone) -> going_back.Start:
    return await going_back.start(clone.space, CLUSTERS, "auth", "staging")


async def planned(clone: Clone, target: str, start: going_back.Start) -> plans.Plan:
    source = await clone.source(target)
    plan = deployments.plan(source, is_older=True)
    return await going_back.planned(clone.space, CLUSTERS, source, plan, begun=start)


async def test_it_goes_back_to_the_last_commit_that_succeeded_before(clone: Clone) -> None:
    *_, third, fourth, head = clone.commits
    clone.recorded = [
        ended(head, "succeeded", 5),
        ended(head, "failed"),
        ended(fourth, "failed", 4),
        ended(third, "succeeded", 3),
    ]
    start = await begun(clone)
    assert (start.commit, start.reached) == (head, {"auth_db": 5})
    assert going_back.target(clone.space, "auth", "staging", start, "") == third
    plan = await planned(clone, third, start)
    (way,) = plan.ways_back
    assert (way.database, way.version, way.versions) == ("auth_db", 3, (5, 4))
    assert plan.revision == third
    source = await clone.source(third)
    assert not await older_commits.reasons(clone.space, CLUSTERS, [source], {"auth": plan}), (
        "what the plan takes back is no reason any more"
    )


async def test_what_a_failed_deployment_did_not_reach_is_not_taken_back(clone: Clone) -> None:
    *_, third, fourth, head = clone.commits
    clone.recorded = [ended(head, "failed", 4), ended(third, "succeeded", 3)]
    start = await begun(clone)
    assert start.commit == head
    plan = await planned(clone, third, start)
    assert plan.ways_back[0].version == 3
    assert not (await planned(clone, fourth, start)).ways_back


async def test_it_never_goes_forward_by_itself(clone: Clone) -> None:
    first, *_, third, _, head = clone.commits
    clone.recorded = [
        ended(third, "succeeded", 3),
        ended(head, "succeeded", 5),
        ended(third, "succeeded", 3),
    ]
    start = await begun(clone)
    with pytest.raises(errors.WrongUse) as refused:
        going_back.target(clone.space, "auth", "staging", start, "")
    assert refused.value.text.id == "rollback.none-earlier"
    assert going_back.target(clone.space, "auth", "staging", start, first[:9]) == first
    with pytest.raises(errors.WrongUse) as refused:
        going_back.target(clone.space, "auth", "staging", start, third)
    assert refused.value.text.id == "rollback.is-there"
    with pytest.raises(errors.WrongUse) as refused:
        going_back.target(clone.space, "auth", "staging", start, head)
    assert refused.value.text.id == "rollback.not-earlier"


async def test_a_boundary_is_named_with_the_nearest_commit_on_this_side(clone: Clone) -> None:
    first, second, third, fourth, head = clone.commits
    clone.recorded = [
        ended(head, "succeeded", 5),
        ended(fourth, "succeeded", 4),
        ended(third, "succeeded", 3),
        ended(second, "succeeded", 2),
        ended(first, "succeeded", 1),
    ]
    start = await begun(clone)
    with pytest.raises(preflight.KnownToFail) as refused:
        await planned(clone, first, start)
    boundary, nearest = refused.value.reasons
    assert (boundary.id, boundary.facts["version"]) == ("rollback.boundary-no-down", "3")
    assert boundary.facts["file"].endswith("00003_m.sql")
    assert (nearest.id, nearest.facts["revision"]) == ("rollback.nearest", third[:12])
    clone.recorded = [ended(head, "succeeded", 5), ended(first, "succeeded", 1)]
    with pytest.raises(preflight.KnownToFail) as refused:
        await planned(clone, first, start)
    assert refused.value.reasons[-1].id == "rollback.forward-only"


@pytest.mark.parametrize("outcome", ["", "failed", "stopped", "unknown"])
async def test_a_rollback_that_did_not_come_to_its_end_is_gone_on_with(
    clone: Clone, outcome: str
) -> None:
    *_, third, _, head = clone.commits
    clone.lease = migrating_clones.lease(third, outcome) | {"back": head}
    clone.recorded = [ended(third, outcome or "running", 4), ended(head, "succeeded", 5)]
    start = await begun(clone)
    assert (start.commit, start.target) == (head, third)
    assert going_back.target(clone.space, "auth", "staging", start, "") == third
    assert (await planned(clone, third, start)).ways_back[0].versions == (5, 4)
    clone.lease = migrating_clones.lease(third, "succeeded") | {"back": head}
    assert (await begun(clone)).commit == third


async def test_where_argo_cd_follows_the_branch_the_databases_alone_go_back(tmp_path: Path) -> None:
    clone = Clone(tmp_path, "auto")
    clone.commits.append(clone.migrate(4, REVERSIBLE))
    *_, third, head = clone.commits
    plan = await planned(clone, third, going_back.Start(head, reached={"auth_db": 4}))
    assert [step.id for step in plan.steps] == ["take-back-auth_db"]
    assert (plan.revision, plan.deploys) == (head, False)
    nothing = await planned(clone, third, going_back.Start(head, reached={"auth_db": 3}))
    assert not nothing.steps
