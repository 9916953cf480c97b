"""Which changes of an object the API server refuses for good."""

from __future__ import annotations

from typing import Any

import pytest

from hanbae.planning import forecasting, immutability


def manifest(kind: str, **parts: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "a"}, **parts}


def claim(size: str, **spec: Any) -> dict[str, Any]:
    resources = {"requests": {"storage": size}}
    return manifest("PersistentVolumeClaim", spec={"resources": resources, **spec})


def selecting(version: str) -> dict[str, Any]:
    return manifest("Deployment", spec={"selector": {"matchLabels": {"version": version}}})


@pytest.mark.parametrize(
    ("old", "new", "fields"),
    [
        (selecting("1"), selecting("2"), ("spec.selector",)),
        (claim("2Gi"), claim("1Gi"), ("spec.resources.requests.storage",)),
        (claim("1Gi"), claim("2Gi"), ()),
        (claim("1Gi"), claim("1Gi", storageClassName="fast"), ("spec.storageClassName",)),
        (claim("1Gi"), claim("1Gi", volumeMode="Filesystem"), ()),
        (manifest("ConfigMap", data={"a": "1"}), manifest("ConfigMap", data={"a": "2"}), ()),
        (
            manifest("ConfigMap", data={"a": "1"}, immutable=True),
            manifest("ConfigMap", data={"a": "2"}, immutable=True),
            ("data.a",),
        ),
        (manifest("StatefulSet", spec={"replicas": 1}), manifest("StatefulSet", spec={"replicas": 2}), ()),
        (
            manifest("StatefulSet", spec={"serviceName": "a"}),
            manifest("StatefulSet", spec={"serviceName": "b"}),
            ("spec.serviceName",),
        ),
        (manifest("Secret", type="Opaque"), manifest("Secret"), ()),
        (manifest("Secret", type="Opaque"), manifest("Secret", type=["Opaque"]), ("type",)),
        (manifest("Service", spec={"type": "ClusterIP"}), manifest("Service", spec={"type": "NodePort"}), ()),
        (
            manifest("RoleBinding", roleRef={"name": "a"}),
            manifest("RoleBinding", roleRef={"name": "b"}),
            ("roleRef.name",),
        ),
    ],
)  # fmt: skip
def test_immutable_fields_are_named(
    old: dict[str, Any], new: dict[str, Any], fields: tuple[str, ...]
) -> None:
    assert immutability.refused(old, new) == fields


def test_what_is_made_anew_is_not_refused() -> None:
    forced = selecting("2")
    forced["metadata"]["annotations"] = {
        "argocd.argoproj.io/sync-options": "Replace=true,Force=true"
    }
    assert immutability.refused(selecting("1"), forced) == ()


def test_forecast_says_which_object_is_refused() -> None:
    (change,) = forecasting.between([selecting("1")], [selecting("2")], ("a", "a"))
    assert (change.outcome, change.refused) == ("changed", ("spec.selector",))
