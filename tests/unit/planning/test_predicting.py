"""What a server-side apply makes of an object, by its managedFields; held against a real server in tests/api."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanbae.apis import quantities
from hanbae.planning import differing, predicting

OURS = {
    "f:metadata": {
        "f:labels": {"f:app": {}},
        "f:annotations": {"f:argocd.argoproj.io/tracking-id": {}},
    },
    "f:spec": {
        "f:replicas": {},
        "f:template": {
            "f:spec": {
                "f:containers": {
                    'k:{"name":"app"}': {
                        ".": {},
                        "f:name": {},
                        "f:image": {},
                        "f:args": {},
                        "f:resources": {"f:limits": {"f:cpu": {}}},
                        "f:ports": {
                            'k:{"containerPort":80,"protocol":"TCP"}': {
                                ".": {},
                                "f:containerPort": {},
                            }
                        },
                    },
                },
            }
        },
    },
}
THEIRS = {
    "f:spec": {
        "f:paused": {},
        "f:template": {"f:spec": {"f:containers": {'k:{"name":"proxy"}': {".": {}, "f:name": {}}}}},
    }
}
LIVE: dict[str, Any] = {
    "kind": "Deployment",
    "metadata": {
        "name": "auth",
        "labels": {"app": "auth"},
        "annotations": {"argocd.argoproj.io/tracking-id": "x", "deployment/revision": "3"},
        "managedFields": [
            {"manager": "argocd-controller", "operation": "Apply", "fieldsV1": OURS},
            {"manager": "mesh", "operation": "Update", "fieldsV1": THEIRS},
            {"manager": "kube", "operation": "Update", "subresource": "status", "fieldsV1": {}},
        ],
    },
    "spec": {
        "replicas": 2,
        "paused": True,
        "progressDeadlineSeconds": 600,
        "template": {
            "spec": {
                "containers": [
                    {
                        "name": "app",
                        "image": "a:1",
                        "args": ["x"],
                        "imagePullPolicy": "Always",
                        "resources": {"limits": {"cpu": "500m"}},
                        "ports": [{"containerPort": 80, "protocol": "TCP"}],
                    },
                    {"name": "proxy", "image": "p:1"},
                ]
            }
        },
    },
}


def target() -> dict[str, Any]:
    return {
        "kind": "Deployment",
        "metadata": {"name": "auth", "labels": {"app": "auth"}},
        "spec": {
            "replicas": 2,
            "template": {
                "spec": {
                    "containers": [
                        {
                            "name": "app",
                            "image": "a:1",
                            "args": ["x"],
                            "env": [],
                            "resources": {"limits": {"cpu": 0.5}},
                            "ports": [{"containerPort": 80}],
                        }
                    ]
                }
            },
        },
    }


def after(new: dict[str, Any]) -> dict[str, tuple[str | None, str | None]]:
    differences = differing.fields(LIVE, predicting.predicted(LIVE, new))
    return {field.path: (field.old, field.new) for field in differences}


def test_what_the_chart_says_already_changes_nothing() -> None:
    assert after(target()) == {}


APP = ("spec", "template", "spec", "containers", 0)
SHOWN = "spec.template.spec.containers[app]"
GONE = "gone"


def put(parent: Any, path: tuple[str | int, ...], value: Any) -> None:
    """Change one place of an object; :data:`GONE` takes it away."""
    *before, last = path
    for part in before:
        parent = parent[part]
    if value == GONE:
        del parent[last]
    else:
        parent[last] = value


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (("spec", "replicas"), 3, ("spec.replicas", "2", "3")),
        (("spec", "replicas"), GONE, ("spec.replicas", "2", None)),
        (("spec", "paused"), False, ("spec.paused", "true", "false")),
        ((*APP, "image"), "a:2", (f"{SHOWN}.image", "a:1", "a:2")),
        ((*APP, "args"), GONE, (f"{SHOWN}.args", '["x"]', None)),
        (
            (*APP, "resources", "limits", "cpu"),
            "600m",
            (f"{SHOWN}.resources.limits.cpu", "500m", "600m"),
        ),
        (
            (*APP, "ports"),
            [{"containerPort": 80}, {"containerPort": 81}],
            (f"{SHOWN}.ports[81]", None, '{"containerPort": 81, "protocol": "TCP"}'),
        ),
        (("metadata", "labels"), GONE, ("metadata.labels", '{"app": "auth"}', None)),
    ],
)
def test_what_the_chart_says_otherwise_is_set_and_what_it_no_longer_says_goes(
    path: tuple[str | int, ...], value: Any, expected: tuple[str, str | None, str | None]
) -> None:
    new = target()
    put(new, path, value)
    assert [(where, *pair) for where, pair in after(new).items()] == [expected]


def test_of_what_the_chart_no_longer_says_others_keep_what_is_theirs() -> None:
    ours = {"f:spec": {"f:strategy": {"f:type": {}, "f:rolling": {"f:surge": {}}}}}
    theirs = {"f:spec": {"f:strategy": {"f:type": {}}}}
    live = {
        "metadata": {
            "managedFields": [
                {"manager": "argocd-controller", "operation": "Apply", "fieldsV1": ours},
                {"manager": "mina", "operation": "Update", "fieldsV1": theirs},
            ]
        },
        "spec": {"strategy": {"type": "R", "rolling": {"surge": 1, "default": 2}}},
    }
    assert predicting.predicted(live, {"spec": {}})["spec"] == {"strategy": {"type": "R"}}


@pytest.mark.parametrize(
    ("entries", "name"),
    [
        (
            [{"name": letter} for letter in "hcagbfde"],
            lambda entry: f'k:{{"name":"{entry["name"]}"}}',
        ),
        (list("hcagbfde"), lambda entry: f'v:"{entry}"'),
    ],
    ids=["by their keys", "by themselves"],
)
def test_entries_that_others_manage_stay_in_their_order(
    entries: list[Any], name: Callable[[Any], str]
) -> None:
    fields = [(entry, name(entry)) for entry in entries]
    ours = {"f:spec": {"f:parts": {field: {} for _, field in fields[:1]}}}
    theirs = {"f:spec": {"f:parts": {field: {} for _, field in fields[2:]}}}
    live = {
        "metadata": {
            "managedFields": [
                {"manager": "argocd-controller", "operation": "Apply", "fieldsV1": ours},
                {"manager": "mina", "operation": "Update", "fieldsV1": theirs},
            ]
        },
        "spec": {"parts": entries},
    }
    assert predicting.predicted(live, {"spec": {}})["spec"] == {"parts": entries[2:]}


def test_what_somebody_else_added_stays() -> None:
    new = target()
    containers = new["spec"]["template"]["spec"]["containers"]
    containers[0]["name"] = "web"
    names = [
        container["name"]
        for container in predicting.predicted(LIVE, new)["spec"]["template"]["spec"]["containers"]
    ]
    assert names == ["proxy", "web"]


def test_managers_are_told_by_the_paths_that_are_shown() -> None:
    managers = predicting.managers(LIVE)
    assert managers["spec", "replicas"] == ("argocd-controller",)
    assert managers["spec", "paused"] == ("mesh",)
    assert managers["spec", "template", "spec", "containers", "[app]", "image"] == (
        "argocd-controller",
    )
    assert managers["spec", "template"] == ("argocd-controller", "mesh")


@pytest.mark.parametrize(
    ("live", "target", "key", "same"),
    [
        ("1", 1, "cpu", True),
        ("500m", "0.5", "cpu", True),
        ("1Gi", "1024Mi", "memory", True),
        ("1G", "1Gi", "memory", False),
        ("010", "10", "name", False),
        ("1e3", "1000", "name", False),
        (80, "80", "port", True),
        (80, "http", "port", False),
        (True, 1, "x", False),
        (True, "true", "x", False),
        ("a", "a", "x", True),
        ("NaN", "nan", "limits", False),
    ],
)
def test_values_that_the_server_keeps(live: Any, target: Any, key: str, same: bool) -> None:
    assert quantities.is_same(live, target, key) is same


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["f:a", "k:{", 'k:{"name":1}', "v:1", ".", "a", "name", "managedFields"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=10,
)


@given(JUNK, JUNK, JUNK)
def test_no_shape_of_foreign_objects_is_a_bug(fields: Any, live: Any, new: Any) -> None:
    entry = {"manager": predicting.MANAGER, "operation": "Apply", "fieldsV1": fields}
    manifest = {"metadata": {"managedFields": [entry, fields]}, "a": live}
    predicting.predicted(manifest, {"a": new})
    predicting.managers(manifest)
    before = copy.deepcopy(manifest)
    predicting.predicted(manifest, {"a": new})
    assert manifest == before
