"""Which words of a value belong to another environment, and how that grows with the number of environments."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import FrameType
from typing import Any

import pytest
from tests.support import trees

from hanbae.policy import loading
from hanbae.rules import rulebook, running, views
from hanbae.rules.environments import sharing

RULE = rulebook.rules()["ENV014"]
MORE = """  region{number}:
    platform: kubernetes
    trigger: push
    branch: region{number}
    values: values-region{number}.yaml
    overlay: k8s/overlays/region{number}
    namespace_suffix: -region{number}
"""


def release(
    shop: trees.MemoryTree, values: Mapping[str, Any], *, regions: int = 0
) -> views.Release:
    text = shop.contents["hanbae.yaml"].decode()
    more = "".join(MORE.format(number=number) for number in range(regions))
    text = text.replace("environments:\n", f"environments:\n{more}")
    policy, places = loading.parse(text.encode(), "hanbae.yaml")
    project = views.Project(policy, places, shop, ("auth",), {})
    return views.Release(views.Service(project, "auth"), "dev", values, ())


def words(view: views.Release) -> list[tuple[str, str]]:
    """The words that are found, each with its environment."""
    findings = running.over_service(
        views.Service(view.service.project, "auth", {"dev": view}), [RULE]
    )
    return [(finding.hit.facts["word"], finding.hit.facts["other"]) for finding in findings]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("http://personal.services-staging:8080", ("services-staging", "staging")),
        ("services-production", ("services-production", "production")),
        ("SERVICES-Staging", ("services-staging", "staging")),
        ("services-staging2", None),
        ("my-services-staging", None),
        ("services-dev", None),
        ("https://api.stg.example.com/x", ("stg", "staging")),
        ("https://api-stg.example.com", ("stg", "staging")),
        ("https://api.eu-west-prod.example.com", ("prod", "production")),
        ("https://stg.com", None),
        ("https://apistg.example.com", None),
        ("https://api.example.stg", None),
        ("file-stg.example.log", None),
        # Namespaces come before hosts, and each in the order of the policy.
        ("https://a.prod.example.com services-staging", ("services-staging", "staging")),
        ("services-production services-staging", ("services-staging", "staging")),
        ("https://a.prod.b.stg.example.com", ("stg", "staging")),
    ],
)
def test_word_of_another_environment(
    shop: trees.MemoryTree, value: str, expected: tuple[str, str] | None
) -> None:
    assert words(release(shop, {"env": {"A": value}})) == ([expected] if expected else [])


def test_each_of_many_environments_is_known(shop: trees.MemoryTree) -> None:
    values = {str(number): f"services-region{number}" for number in range(40)}
    expected = [(f"services-region{number}", f"region{number}") for number in range(40)]
    assert words(release(shop, values, regions=40)) == expected


def test_work_does_not_grow_with_the_environments(shop: trees.MemoryTree) -> None:
    """Each value is looked up once, however many environments there are; counted in steps, not in seconds."""

    def steps(regions: int) -> int:
        view = release(
            shop, {str(n): f"https://api{n}.example.com" for n in range(50)}, regions=regions
        )
        view.service.project.shared.neighbours("dev")
        count = 0

        def counting(frame: FrameType, event: str, argument: object) -> None:
            nonlocal count
            del frame, argument
            count += event in {"call", "c_call"}

        sys.setprofile(counting)
        try:
            assert words(view) == []
        finally:
            sys.setprofile(None)
        return count

    steps(0)
    assert steps(60) <= steps(0) + 20


@pytest.mark.parametrize(("depth", "is_looked_at"), [(0, True), (20, True), (21, False)])
@pytest.mark.parametrize("around", [lambda below: {"a": below}, lambda below: [None, below, 1]])
def test_texts_are_looked_at_as_deep_as_their_keys_are_told(
    shop: trees.MemoryTree, around: Any, depth: int, is_looked_at: bool
) -> None:
    value: Any = "services-staging"
    for _ in range(depth):
        value = around(value)
    values = {"other": "a.b.c", "value": value, "more": ["services", "-staging"]}

    expected = [("services-staging", "staging")] if is_looked_at else []
    assert words(release(shop, values)) == expected


def test_texts_are_looked_at_each_to_its_own_bound(shop: trees.MemoryTree) -> None:
    before = " " * (sharing._LONGEST - 16)

    assert words(release(shop, {"a": f"{before}services-staging", "b": "x"}))
    assert not words(release(shop, {"a": f"{before} services-staging", "b": "services"}))
