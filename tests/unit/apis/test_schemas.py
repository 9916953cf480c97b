"""What the schemas know, and what they do with odd objects; that they agree with a server is in tests/api."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hanbae.apis import crds, schemas, serving

VERSIONS = sorted(serving.data().versions, key=serving.number)
DEPLOYMENT = yaml.safe_load("""
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: a}
    spec:
      selector: {matchLabels: {app: a}}
      template:
        metadata: {labels: {app: a}}
        spec: {containers: [{name: a, image: x}]}
    """)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=12,
)


def of(version: str, api_version: str, kind: str) -> schemas.Schema:
    schema = schemas.of(version, api_version, kind)
    assert schema is not None
    return schema


def problems(data: dict[str, Any]) -> list[schemas.Problem]:
    return of("1.35", data["apiVersion"], data["kind"]).problems(data)


def test_five_minor_versions_are_known() -> None:
    assert VERSIONS == ["1.32", "1.33", "1.34", "1.35", "1.36"]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_kind_of_every_version_compiles(version: str) -> None:
    for full, kind in serving.data().versions[version].kinds.items():
        api_version, _, name = full.rpartition("/")
        assert schemas.of(version, api_version, name) is not None, full
        assert isinstance(kind.namespaced, bool)


@pytest.mark.parametrize("full", sorted(serving.custom()))
def test_every_operators_kind_compiles_and_refuses_unknown_fields(full: str) -> None:
    api_version, _, kind = full.rpartition("/")
    manifest = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "a"}, "nonsense": 1}
    reported = of("1.35", api_version, kind).problems(manifest)
    assert ("unknown", "nonsense") in {(problem.keyword, problem.name) for problem in reported}


def test_operators_kinds_are_those_of_the_policy_and_its_gateway() -> None:
    kinds = {full.rpartition("/")[2] for full in serving.custom()}
    assert {"Application", "ApplicationSet", "AppProject", "SealedSecret"} <= kinds
    assert {"Gateway", "GatewayClass", "HTTPRoute", "GRPCRoute", "ReferenceGrant"} <= kinds


@pytest.mark.parametrize(
    ("policy", "used"),
    [("1.35", "1.35"), ("1.20", "1.32"), ("1.37", "1.36"), ("1.9", "1.32"), ("1.100", "1.36")],
)
def test_an_unknown_version_is_judged_by_the_nearest_older_one(policy: str, used: str) -> None:
    assert serving.nearest(policy) == used


def test_ends_of_api_versions_are_those_of_the_deprecation_guide() -> None:
    ends = {
        ("extensions/v1beta1", "Ingress"): ("1.22", "networking.k8s.io/v1/Ingress"),
        ("batch/v1beta1", "CronJob"): ("1.25", "batch/v1/CronJob"),
        ("policy/v1beta1", "PodDisruptionBudget"): ("1.25", "policy/v1/PodDisruptionBudget"),
        ("policy/v1beta1", "PodSecurityPolicy"): ("1.25", None),
        ("autoscaling/v2beta2", "HorizontalPodAutoscaler"): (
            "1.26",
            "autoscaling/v2/HorizontalPodAutoscaler",
        ),
        ("apps/v1beta2", "Deployment"): ("1.16", "apps/v1/Deployment"),
        ("flowcontrol.apiserver.k8s.io/v1beta3", "FlowSchema"): (
            "1.32",
            "flowcontrol.apiserver.k8s.io/v1/FlowSchema",
        ),
    }
    for (api_version, kind), (removed, replacement) in ends.items():
        life = serving.life(api_version, kind)
        assert life is not None, api_version
        assert (life.removed, life.replacement) == (removed, replacement)
    assert serving.life("apps/v1", "Deployment") is None


def test_nothing_that_is_served_was_removed() -> None:
    for version, served in serving.data().versions.items():
        for full, kind in served.kinds.items():
            life = serving.data().lives.get(full)
            if kind.served and life is not None and life.removed is not None:
                assert serving.number(life.removed) > serving.number(version), (version, full)


def test_api_versions_are_one_tuple_a_version() -> None:
    assert serving.api_versions("1.35") is serving.api_versions("1.35")
    assert {"v1", "v1/Pod", "apps/v1/Deployment", "bitnami.com/v1alpha1"} <= set(
        serving.api_versions("1.35")
    )
    assert "v1/Binding" not in serving.api_versions("1.35")


def test_a_good_object_has_no_problem() -> None:
    assert problems(DEPLOYMENT) == []


def test_a_problem_says_where_what_and_what_is_known() -> None:
    manifest = yaml.safe_load(yaml.safe_dump(DEPLOYMENT))
    container = manifest["spec"]["template"]["spec"]["containers"][0]
    container |= {"image": 1, "imagePullPolicy": "Allways", "comand": []}
    del container["name"]
    path = ("spec", "template", "spec", "containers", 0)
    by_keyword = {problem.keyword: problem for problem in problems(manifest)}
    assert by_keyword["type"].pointer == (*path, "image")
    assert by_keyword["type"].expected == "string"
    assert by_keyword["enum"].expected == "Always, IfNotPresent, Never"
    assert by_keyword["required"].name == "name"
    assert by_keyword["required"].pointer == path
    assert by_keyword["unknown"].pointer == (*path, "comand")
    assert "command" in by_keyword["unknown"].fields


def test_no_problem_repeats_a_secret() -> None:
    manifest = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}}
    canary = "canary-7f3a value!"
    manifest |= {"data": {"a": canary}, "stringData": {"b": [canary]}, "type": {"c": canary}}
    listed = problems(manifest)
    assert {problem.keyword for problem in listed} == {"format", "type"}
    assert "canary" not in repr(listed)


def test_many_problems_are_cut() -> None:
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}
    manifest["data"] = {f"k{number}": number for number in range(5000)}  # type: ignore[assignment]
    assert len(problems(manifest)) == 20


@pytest.mark.parametrize("odd", [{1: 2}, {"a": float("nan")}, {"a": 10**400}, {"a": {None: 1}}])
def test_what_json_cannot_say_is_a_problem_and_no_error(odd: Any) -> None:
    assert problems({**DEPLOYMENT, "spec": odd})


def test_nesting_without_end_is_a_problem_and_no_error() -> None:
    deep: dict[str, Any] = {}
    for _ in range(3000):
        deep = {"a": deep}
    assert problems({**DEPLOYMENT, "spec": deep})


@given(ANYTHING)
def test_any_shape_is_judged(shape: Any) -> None:
    for problem in problems({**DEPLOYMENT, "spec": shape}):
        assert problem.keyword


@given(ANYTHING)
def test_any_shape_of_a_definition_is_read(shape: Any) -> None:
    for spec in (
        shape,
        {"names": shape, "versions": [{"name": "v1", "schema": {"openAPIV3Schema": shape}}]},
        {
            "names": {"kind": "K"},
            "versions": [{"schema": {"openAPIV3Schema": {"properties": shape}}}],
        },
    ):
        for kind in crds.kinds({"spec": spec}):
            schema = schemas.added(kind, "1.35")
            manifest = {"apiVersion": kind.api_version, "kind": kind.kind, "a": []}
            assert schema is None or all(problem.keyword for problem in schema.problems(manifest))


def test_a_definition_can_refer_to_nothing() -> None:
    evil = {"$ref": "file:///etc/passwd", "properties": {"a": {"$ref": "http://192.0.2.1/x"}}}
    spec = {
        "group": "example.com",
        "names": {"kind": "K"},
        "versions": [{"name": "v1", "schema": {"openAPIV3Schema": {"type": "object", **evil}}}],
    }
    (kind,) = crds.kinds({"spec": spec})
    schema = schemas.added(kind, "1.35")
    assert schema is not None
    assert schema.problems({"apiVersion": "example.com/v1", "kind": "K", "metadata": {}}) == []


def test_a_required_field_that_is_no_name_is_passed_over() -> None:
    definition = {"type": "object", "required": [[], {}, "a"], "properties": {"a": {}}}
    spec = {
        "group": "example.com",
        "names": {"kind": "K"},
        "versions": [{"name": "v1", "schema": {"openAPIV3Schema": definition}}],
    }
    (kind,) = crds.kinds({"spec": spec})
    schema = schemas.added(kind, "1.35")
    assert schema is not None
    manifest = {"apiVersion": "example.com/v1", "kind": "K", "metadata": {}}
    assert [problem.name for problem in schema.problems(manifest)] == ["a"]


def test_a_pattern_of_a_definition_takes_linear_time() -> None:
    evil = {"type": "object", "properties": {"a": {"type": "string", "pattern": "^(a+)+$"}}}
    spec = {
        "group": "example.com",
        "names": {"kind": "K"},
        "versions": [{"name": "v1", "schema": {"openAPIV3Schema": evil}}],
    }
    (kind,) = crds.kinds({"spec": spec})
    schema = schemas.added(kind, "1.35")
    assert schema is not None
    manifest = {"apiVersion": "example.com/v1", "kind": "K", "metadata": {}, "a": "a" * 5000 + "!"}
    assert [problem.keyword for problem in schema.problems(manifest)] == ["pattern"]


def test_the_data_is_small() -> None:
    folder = schemas.__file__.replace("schemas.py", "data")
    from pathlib import Path

    assert sum(path.stat().st_size for path in Path(folder).iterdir()) < 100_000
