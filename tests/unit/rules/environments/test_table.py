"""Policies that are, and are not, what the policy's table of environments says."""

from __future__ import annotations

import pytest
from tests.support import trees

from hanbae.policy import loading
from hanbae.rules import rulebook, running, views


def hits_of(environments: str, *codes: str, namespaces: str = "{}") -> list[tuple[str, str, str]]:
    text = (
        'version: 1\nargocd: {repository: "https://git.example.com/x.git"}\n'
        f"namespaces: {namespaces}\nenvironments:\n{environments}"
    )
    policy, places = loading.parse(text.encode(), "hanbae.yaml")
    project = views.Project(policy, places, trees.MemoryTree({}), ())
    findings = running.over_project(project, [rulebook.rules()[code] for code in codes])
    return [
        (str(finding.hit.place), finding.hit.variant, str(finding.hit.severity))
        for finding in findings
    ]


LOCAL = "  local: {platform: compose, trigger: manual}\n"
DEV = "  dev: {branch: develop, sync: auto, namespace_suffix: -dev}\n"
STAGING = "  staging: {branch: release, namespace_suffix: -staging}\n"
PRODUCTION = "  production: {branch: main, namespace_suffix: -production}\n"


def test_the_tables_own_rows_are_fine() -> None:
    assert hits_of(LOCAL + DEV + STAGING + PRODUCTION, "ENV003", "ENV004", "ENV005") == []


@pytest.mark.parametrize(
    ("environments", "variant", "severity"),
    [
        (LOCAL + DEV + STAGING, "row", "notice"),
        (DEV + STAGING + PRODUCTION, "row", "notice"),
        (LOCAL + DEV.replace("sync: auto", "sync: manual") + STAGING + PRODUCTION, "manual", "None"),
        (LOCAL + DEV + STAGING.replace("branch", "sync: auto, branch") + PRODUCTION, "automated", "error"),
        (LOCAL + DEV + STAGING + PRODUCTION.replace("main", "trunk"), "branch", "None"),
        (LOCAL + DEV + STAGING + "  production: {platform: compose}\n", "platform", "None"),
        ("  local: {branch: x}\n" + DEV + STAGING + PRODUCTION, "platform", "None"),
        (LOCAL + DEV.replace("dev:", "development:") + STAGING
         + "  prod: {branch: main, sync: auto, namespace_suffix: -prod}\n", "automated", "error"),
    ],
)  # fmt: skip
def test_a_deviation_is_told(environments: str, variant: str, severity: str) -> None:
    ((place, variant_found, grave),) = hits_of(environments, "ENV003")
    assert (variant_found, grave) == (variant, severity)
    assert place.startswith("hanbae.yaml:4" if variant == "row" else "hanbae.yaml:")


def test_namespaces_that_only_add_up_to_the_same_are_told() -> None:
    # Base and suffix differ, what they make together does not.
    environments = (
        "  a: {branch: a, namespace_suffix: -eu-x}\n  b: {branch: b, namespace_suffix: -x}\n"
    )
    hits = hits_of(environments, "ENV004", namespaces="{services-eu: {}}")
    assert hits == [("hanbae.yaml:6:36", "same", "None")]


def test_clusters_of_their_own_may_have_the_same_namespaces() -> None:
    environments = "  a: {branch: a, control: one}\n  b: {branch: b, control: one, workload: two}\n"
    assert hits_of(environments, "ENV004") == []


def test_current_context_may_be_the_other_environments() -> None:
    environments = "  a: {branch: a}\n  b: {branch: b, control: two}\n"
    assert [hit[1:] for hit in hits_of(environments, "ENV004")] == [("current", "warning")]
