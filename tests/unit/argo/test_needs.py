"""What a PreSync hook's pod cannot start without is found by what the pod names."""

from __future__ import annotations

from typing import Any

import pytest

from hanbae import subjects
from hanbae.argo import needs


def manifest(kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": name}, **more}


def hook(phase: str, **pod: Any) -> dict[str, Any]:
    job = manifest("Job", "migrate", spec={"template": {"spec": pod}})
    job["metadata"]["annotations"] = {"argocd.argoproj.io/hook": phase}
    return job


RELEASE = [
    manifest("ServiceAccount", "auth"),
    manifest("ServiceAccount", "other"),
    manifest("ConfigMap", "settings"),
    manifest("ConfigMap", "other"),
    manifest("SealedSecret", "auth-secrets"),
    manifest("Deployment", "auth"),
]


def names(*objects: dict[str, Any]) -> list[str]:
    refs = needs.of_presync([*RELEASE, *objects], "services-dev")
    assert all(isinstance(ref, subjects.Ref) and ref.namespace == "services-dev" for ref in refs)
    return [f"{ref.kind}/{ref.name}" for ref in refs]


@pytest.mark.parametrize("phase", ["Sync", "PostSync"])
def test_hooks_of_later_phases_need_nothing_before(phase: str) -> None:
    assert names(hook(phase, serviceAccountName="auth")) == []
    assert names() == []


def test_presync_hook_needs_sealed_secrets_and_its_account() -> None:
    needed = names(hook("PreSync", serviceAccountName="auth"))
    assert needed == ["ServiceAccount/auth", "SealedSecret/auth-secrets"]


@pytest.mark.parametrize(
    "pod",
    [
        {"containers": [{"envFrom": [{"configMapRef": {"name": "settings"}}]}]},
        {
            "initContainers": [
                {"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "settings"}}}]}
            ]
        },
        {"volumes": [{"name": "v", "configMap": {"name": "settings"}}]},
        {
            "volumes": [
                {"name": "v", "projected": {"sources": [{"configMap": {"name": "settings"}}]}}
            ]
        },
    ],
    ids=["envFrom", "env", "volume", "projected volume"],
)
def test_config_maps_are_found_wherever_a_pod_names_them(pod: dict[str, Any]) -> None:
    assert names(hook("PreSync", **pod)) == ["ConfigMap/settings", "SealedSecret/auth-secrets"]


def test_what_is_a_hook_itself_is_left_to_argo_cd() -> None:
    account = manifest("ServiceAccount", "hooked")
    account["metadata"]["annotations"] = {"argocd.argoproj.io/hook": "PreSync"}
    assert names(account, hook("PreSync", serviceAccountName="hooked")) == [
        "SealedSecret/auth-secrets"
    ]
