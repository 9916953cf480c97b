"""The rules by which Argo CD takes objects for hooks."""

from __future__ import annotations

from typing import Any

import pytest

from hanbae import subjects
from hanbae.argo import hooks

HOOK, HELM = "argocd.argoproj.io/hook", "helm.sh/hook"


def manifest(name: str = "x", kind: str = "Job", **annotations: str) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": name, "annotations": annotations}}


@pytest.mark.parametrize(
    ("annotations", "phases"),
    [
        ({HOOK: "Sync"}, ("Sync",)),
        ({HOOK: "PreSync, PostSync"}, ("PreSync", "PostSync")),
        ({HOOK: "Skip,PreSync"}, ("PreSync",)),
        ({HOOK: "Skip", HELM: "pre-install"}, ()),
        ({HOOK: "Sync", HELM: "pre-install"}, ("Sync",)),
        ({HELM: "pre-install,pre-upgrade"}, ("PreSync",)),
        ({HELM: "post-install"}, ("PostSync",)),
        ({HELM: "test"}, ()),
        ({HELM: "pre-rollback"}, ()),
        ({}, ()),
    ],
)
def test_phases_follow_argo_cd(annotations: dict[str, str], phases: tuple[str, ...]) -> None:
    assert hooks.phases(manifest(**annotations)) == phases


@pytest.mark.parametrize(
    ("annotations", "wave"),
    [
        ({"argocd.argoproj.io/sync-wave": "-5"}, -5),
        ({"argocd.argoproj.io/sync-wave": "five", "helm.sh/hook-weight": "3"}, 3),
        ({"helm.sh/hook-weight": "2"}, 2),
        ({"argocd.argoproj.io/sync-wave": "1_0"}, 0),
        ({"argocd.argoproj.io/sync-wave": "+3"}, 3),
        ({}, 0),
    ],
)
def test_wave_is_the_annotation_else_the_weight(annotations: dict[str, str], wave: int) -> None:
    assert hooks.wave(manifest(**annotations)) == wave


def test_delete_policies_of_both_annotations_are_merged_and_default_to_before_creation() -> None:
    both = manifest(
        **{
            "argocd.argoproj.io/hook-delete-policy": "HookSucceeded",
            "helm.sh/hook-delete-policy": "hook-failed",
        }
    )
    assert hooks.delete_policies(both) == ("HookSucceeded", "HookFailed")
    assert hooks.delete_policies(manifest()) == ("BeforeHookCreation",)


def test_delete_policy_in_the_other_ones_spelling_is_ignored() -> None:
    swapped = manifest(**{"argocd.argoproj.io/hook-delete-policy": "hook-failed"})
    assert hooks.delete_policies(swapped) == ("BeforeHookCreation",)


@pytest.mark.parametrize("metadata", [None, [], "x", {"annotations": ["x"]}, {"annotations": None}])
def test_odd_metadata_is_that_of_no_hook(metadata: Any) -> None:
    odd = {"kind": "Job", "metadata": metadata}
    assert (hooks.phases(odd), hooks.wave(odd)) == ((), 0)


def test_expected_hooks_come_in_the_order_in_which_they_run() -> None:
    wave = "argocd.argoproj.io/sync-wave"
    objects = [
        manifest("later", **{HOOK: "Sync", wave: "-3"}),
        manifest("deployment", kind="Deployment"),
        manifest("clean", **{HOOK: "SyncFail"}),
        manifest("first", **{HOOK: "PreSync", wave: "9"}),
        manifest("sooner", **{HOOK: "Sync", wave: "-5"}),
        manifest("after", **{HOOK: "PostSync", wave: "-9"}),
    ]
    refs = hooks.expected(objects, namespace="services-dev")
    assert [ref.name for ref in refs] == ["first", "sooner", "later", "after"]
    assert {ref.namespace for ref in refs} == {"services-dev"}


def test_generated_names_are_recognised_by_their_beginning() -> None:
    expected = subjects.Ref("Job", "a", "smoke-")
    assert hooks.is_same(expected, subjects.Ref("Job", "a", "smoke-1111111-postsync-1790000000"))
    assert not hooks.is_same(expected, subjects.Ref("Job", "b", "smoke-1"))
    assert not hooks.is_same(subjects.Ref("Job", "a", "smoke"), subjects.Ref("Job", "a", "smoke-1"))
