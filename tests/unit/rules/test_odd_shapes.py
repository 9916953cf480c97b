"""Values and objects of any shape: a rule about layout or environments says something, or nothing, and never fails."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support import trees

from hanbae.policy import loading
from hanbae.rules import rulebook, running, views

RULES = [rule for code, rule in rulebook.rules().items() if code[:3] in ("LAY", "ENV")]
SCALARS = st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(
    ["", "latest", "services-dev", "x:y@z", "https://api.dev.example.com/", "a" * 300]
)  # fmt: skip
KEYS = st.sampled_from(
    ["image", "tag", "digest", "repository", "enabled", "ingress", "host", "env", "spec", "rules", "template",
     "imagePullSecrets", "containers", "metadata", "name", "stringData", "hostnames", "data"]
)  # fmt: skip
TREES = st.recursive(
    SCALARS, lambda below: st.lists(below, max_size=3) | st.dictionaries(KEYS, below, max_size=4)
)
OBJECTS = st.dictionaries(KEYS, TREES, max_size=4).flatmap(
    lambda data: st.sampled_from(["Secret", "Ingress", "HTTPRoute", "Deployment", "ServiceAccount"]).map(
        lambda kind: {"apiVersion": "v1", "kind": kind, **data}
    )
)  # fmt: skip


def release(service: views.Service, name: str, values: Any, objects: list[Any]) -> views.Release:
    views_of_objects = [
        views.Object(data, f"{service.chart}/templates/x.yaml", index, "n")
        for index, data in enumerate(objects)
    ]
    return views.Release(service, name, values, tuple(views_of_objects))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.lists(st.dictionaries(KEYS, TREES, max_size=5), min_size=3, max_size=3),
    objects=st.lists(OBJECTS, max_size=3),
    example=st.sampled_from(["", "[", "a", "- 1", "image: {tag: x}\nenv: 3", "? {a: b}\n: c", "1: {2: 3}"]),
)  # fmt: skip
def test_no_rule_fails(
    shop: trees.MemoryTree, values: list[Any], objects: list[Any], example: str
) -> None:
    contents = {**shop.contents, "services/auth/helm/values.yaml.example": example.encode()}
    tree = trees.MemoryTree(contents)
    policy, places = loading.parse(contents["hanbae.yaml"], "hanbae.yaml")
    service = views.Service(views.Project(policy, places, tree, ("auth",)), "auth")
    for name, release_values in zip(("dev", "staging", "production"), values, strict=True):
        service.releases[name] = release(service, name, release_values, objects)
    hits = running.over_service(service, RULES)
    assert [finding for finding in hits if finding.hit.variant == "failed"] == []


@pytest.mark.parametrize(
    "text", ["", "[", "- a", "a", "name: [a]\nversion: {}\n1: 2\n", "apiVersion: v2\nname: {a: b}\n? [x]\n: y\n"]
)  # fmt: skip
def test_no_rule_fails_over_a_chart_file(shop: trees.MemoryTree, text: str) -> None:
    tree = trees.MemoryTree({**shop.contents, "services/auth/helm/Chart.yaml": text.encode()})
    policy, places = loading.parse(tree.contents["hanbae.yaml"], "hanbae.yaml")
    service = views.Service(views.Project(policy, places, tree, ("auth",)), "auth")
    hits = running.over_service(service, RULES)
    assert [finding for finding in hits if finding.hit.variant == "failed"] == []
