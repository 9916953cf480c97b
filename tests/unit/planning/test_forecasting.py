"""What becomes of each object, in which order Argo CD works, and what is said of what nobody knows."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from hanbae import subjects
from hanbae.planning import forecasting, scheduling
from hanbae.results import plans, previews

NAMESPACE = "services-dev"


def manifest(name: str, kind: str = "ConfigMap", **annotations: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": kind,
        "metadata": {"name": name, "annotations": annotations} if annotations else {"name": name},
    }


def hook(name: str, phase: str, wave: str = "0") -> dict[str, Any]:
    annotations = {"argocd.argoproj.io/hook": phase, "argocd.argoproj.io/sync-wave": wave}
    job = manifest(name, "Job")
    job["metadata"]["annotations"] = annotations
    return job


def ref(name: str, kind: str = "ConfigMap") -> subjects.Ref:
    return subjects.Ref(kind, NAMESPACE, name)


def outcomes(changes: tuple[plans.Change, ...]) -> dict[str, str]:
    return {change.object.name: change.outcome for change in changes}


def test_cluster_and_chart_make_an_outcome_of_each_object() -> None:
    changed = manifest("changed") | {"data": {"a": "1"}}
    live = {
        ref("same"): forecasting.Live(manifest("same")),
        ref("changed"): forecasting.Live(manifest("changed")),
        ref("closed"): forecasting.Live(None, readable=False),
        ref("gone"): forecasting.Live(manifest("gone")),
        ref("gone-and-closed"): forecasting.Live(None, readable=False),
        ref("never"): forecasting.Live(None),
    }
    targets = [
        manifest("same"),
        changed,
        manifest("closed"),
        manifest("new"),
        hook("migrate", "Sync"),
    ]
    targets.append(hook("typo", "Sinc"))
    changes = forecasting.live(live, targets, NAMESPACE)
    assert outcomes(changes) == {
        "new": "created",
        "changed": "changed",
        "gone": "deleted",
        "gone-and-closed": "deleted",
        "closed": "unknown",
        "same": "unchanged",
    }
    assert changes[0].outcome == "created"


def test_argo_cds_own_comparison_decides_where_there_is_one() -> None:
    before, after = manifest("a"), manifest("a") | {"data": {"x": "1"}}
    live = {ref("a"): forecasting.Live(manifest("a"), before, after)}
    (change,) = forecasting.live(live, [manifest("a")], NAMESPACE)
    assert [field.path for field in change.fields] == ["data"]


@pytest.mark.parametrize(
    ("options", "prunes", "kept"),
    [
        ("", True, False),
        ("", False, True),
        ("Prune=false", True, True),
        ("Validate=false, Prune=confirm", True, True),
        ("PruneLast=true", True, False),
    ],
)
def test_what_is_not_pruned_stays_and_changes_nothing(
    options: str, prunes: bool, kept: bool
) -> None:
    gone = manifest("gone", **{"argocd.argoproj.io/sync-options": options})
    changes = forecasting.live({ref("gone"): forecasting.Live(gone)}, [], NAMESPACE, prunes=prunes)
    assert [(change.outcome, change.kept) for change in changes] == [("deleted", kept)]
    assert preview(changes).changes is not kept


def preview(
    forecast: tuple[plans.Change, ...], *migrations: previews.Migrations
) -> previews.Preview:
    plan = plans.Plan(1, "auth", "dev", (), forecast=forecast)
    return previews.Preview(plan, "", "hanbae", migrations, (), previews.Estimate(0))


def test_a_pending_migration_is_a_change_and_an_unknown_one_is_none() -> None:
    assert preview((), previews.Migrations("a", (3,), 3, 2)).changes
    assert not preview((), previews.Migrations("a", (), 3, 3)).changes
    assert not preview((), previews.Migrations("a", None, 3)).changes


def test_pending_are_the_versions_above_the_proven_one() -> None:
    proof = plans.Prove("auth_db", (1, 2, 4), ref("m", "Job"), {})
    steps = [plans.Step("prove", proof)]
    (migrations,) = forecasting.pending(steps, {"auth_db": 1})
    assert (migrations.pending, migrations.at) == ((2, 4), 1)
    (unknown,) = forecasting.pending(steps, {"other_db": 1})
    assert (unknown.pending, unknown.at) == (None, None)


def test_waves_are_in_argo_cds_order_and_cost_a_pause_each() -> None:
    early = manifest("early", **{"argocd.argoproj.io/sync-wave": "-10"})
    helm = manifest("helm", "Job", **{"helm.sh/hook": "post-install", "helm.sh/hook-weight": "2"})
    objects = [manifest("plain"), early, hook("migrate", "Sync", "-5"), helm, hook("x", "Skip")]
    objects += [hook("first", "PreSync"), hook("broken", "SyncFail"), hook("no", "nothing")]
    waves = scheduling.waves(objects, NAMESPACE)
    assert [
        (wave.phase, wave.number, [ref.name for ref in (*wave.objects, *wave.hooks)])
        for wave in waves
    ] == [
        ("PreSync", 0, ["first"]),
        ("Sync", -10, ["early"]),
        ("Sync", -5, ["migrate"]),
        ("Sync", 0, ["plain"]),
        ("PostSync", 2, ["helm"]),
    ]
    assert scheduling.estimate(waves, 12.5) == previews.Estimate(8.0, 12.5)
    assert scheduling.estimate((), None) == previews.Estimate(0.0)


@pytest.mark.parametrize(
    "odd",
    [
        {},
        {"kind": None, "metadata": []},
        {"kind": "X", "metadata": {"name": 3, "annotations": ["a"]}},
        {"kind": "X", "metadata": {"annotations": {"argocd.argoproj.io/sync-wave": []}}},
        {"kind": "CronJob", "spec": {"jobTemplate": 3}},
        {"kind": "Deployment", "spec": {"template": {"spec": {"containers": {"a": 1}}}}},
    ],
)
def test_no_shape_of_a_chart_is_a_bug(odd: dict[str, Any]) -> None:
    (wave,) = scheduling.waves([odd], NAMESPACE)
    assert len(wave.objects) == 1
    changes = forecasting.between([odd], [odd | {"x": 1}], ("a", "b"))
    assert [(change.object.namespace, change.outcome) for change in changes] == [
        ("b", "created"),
        ("a", "deleted"),
    ]
    assert forecasting.images([odd], [], ("a", "b")) == ()


def test_plans_that_were_recorded_before_there_were_forecasts_are_read() -> None:
    recorded = b"""{"format":1,"service":"auth","environment":"dev","steps":[{"id":"sync","does":
    {"type":"Sync","application":"auth-dev","revision":"abc","only":[],"hooks":[]},"after":[]}],
    "guards":[{"promise":"branch-head:develop","expected":"abc"}],"forecast":[]}"""
    plan = msgspec.json.decode(recorded, type=plans.Plan)
    assert (plan.revision, plan.forecast) == ("abc", ())
