"""What is found where a cluster has API versions of which nothing is known is found at its line as well."""

from __future__ import annotations

import pytest
from tests.support import trees

from hanbae.results import findings

from .conftest import Check

TEMPLATE = "services/auth/helm/templates/monitor.yaml"
HELPERS = "services/auth/helm/templates/_monitor.tpl"
MONITOR = """{{- if CONDITION }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}-monitor
spec:
  replicas: {{ .Values.replicaCount }}
  selector:
    matchLabels: {app: monitor}
  template:
    metadata:
      labels: {app: other}
    spec:
      hostNetwork: true
      containers:
        - name: monitor
          image: registry.example.com/monitor:latest
{{- end }}
"""
UNKNOWN = '.Capabilities.APIVersions.Has "example.com/v1/Monitor"'
HELPER = (
    f'{{{{- define "monitored" }}}}\n{{{{- if {UNKNOWN} }}}}\nyes{{{{ end }}}}\n{{{{- end }}}}\n'
)


def findings_of(
    checked: Check, shop: trees.MemoryTree, **files: str
) -> dict[str, list[findings.Finding]]:
    """The findings in the template, by code."""
    contents = shop.contents | {name: text.encode() for name, text in files.items()}
    by_code: dict[str, list[findings.Finding]] = {}
    for finding in checked(trees.MemoryTree(contents), ["auth"]):
        if finding.place.file in {TEMPLATE, HELPERS}:
            by_code.setdefault(finding.code, []).append(finding)
    return by_code


def places(by_code: dict[str, list[findings.Finding]]) -> set[tuple[str, str, str]]:
    return {
        (finding.code, str(finding.place), finding.precision)
        for listed in by_code.values()
        for finding in listed
    }


@pytest.mark.parametrize("condition", [UNKNOWN, 'include "monitored" .'])
def test_what_an_unknown_api_version_brings_is_found_at_its_lines(
    checked: Check, shop: trees.MemoryTree, condition: str
) -> None:
    files = {HELPERS: HELPER}
    always = places(
        findings_of(checked, shop, **files, **{TEMPLATE: MONITOR.replace("CONDITION", "true")})
    )
    gated = findings_of(
        checked, shop, **files, **{TEMPLATE: MONITOR.replace("CONDITION", condition)}
    )
    (assumption,) = gated.pop("INP008")
    assert assumption.place.line > 0
    expected = {place for place in always if place[0] != "INP008"}
    assert len({place for _, place, _ in expected if ":" in place}) > 3
    assert places(gated) == expected


LISTED = {"hanbae.yaml": "    branch: develop\n    api_versions: [VERSION]\n"}
DEFINED = {
    "services/auth/helm/crds/monitors.yaml": (
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\n"
        "metadata: {name: monitors.example.com}\nspec:\n  group: example.com\n  scope: Namespaced\n"
        "  names: {kind: Monitor, plural: monitors}\n"
        "  versions: [{name: v1, served: true, storage: true}]\n"
    )
}


def assumed(checked: Check, shop: trees.MemoryTree, **files: str) -> set[str]:
    """The environments of which nobody knows whether they have the kind; what it brings is found at its lines."""
    text = shop.contents["hanbae.yaml"].decode()
    if "hanbae.yaml" in files:
        assert "    branch: develop\n" in text
        files["hanbae.yaml"] = text.replace("    branch: develop\n", files["hanbae.yaml"])
    always = findings_of(checked, shop, **files, **{TEMPLATE: MONITOR.replace("CONDITION", "true")})
    files[TEMPLATE] = MONITOR.replace("CONDITION", UNKNOWN)
    by_code = findings_of(checked, shop, **files)
    assumptions = by_code.pop("INP008", [])
    assert places(by_code) == places(always)
    return {name for finding in assumptions for name in finding.environments}


def test_what_nobody_says_is_an_assumption(checked: Check, shop: trees.MemoryTree) -> None:
    assert assumed(checked, shop) == {"dev", "staging", "production"}


@pytest.mark.parametrize(
    ("version", "environments"),
    [
        ("example.com/v1/Monitor", {"staging", "production"}),
        ("example.com/v1", {"dev", "staging", "production"}),
        ("example.com/v2/Monitor", {"dev", "staging", "production"}),
    ],
)
def test_what_the_policy_lists_is_no_assumption_and_all_else_is(
    checked: Check, shop: trees.MemoryTree, version: str, environments: set[str]
) -> None:
    policy = {path: text.replace("VERSION", version) for path, text in LISTED.items()}
    assert assumed(checked, shop, **policy) == environments


def test_what_the_repository_defines_is_no_assumption(
    checked: Check, shop: trees.MemoryTree
) -> None:
    assert assumed(checked, shop, **DEFINED) == set()


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({TEMPLATE: MONITOR.replace("CONDITION", UNKNOWN)}, f"{TEMPLATE}:1"),
        (
            {TEMPLATE: MONITOR.replace("CONDITION", 'include "monitored" .'), HELPERS: HELPER},
            f"{HELPERS}:2",
        ),
        (
            {
                TEMPLATE: "# monitors\n"
                + MONITOR.replace(
                    "CONDITION", '.Capabilities.APIVersions.Has (printf "%s/v1" "example.com")'
                )
            },
            f"{TEMPLATE}:2",
        ),
        (
            {
                TEMPLATE: '# monitors\n{{- $caps := get . "Capabilities" }}\n'
                + MONITOR.replace("CONDITION", '($caps.APIVersions).Has "example.com/v1"')
            },
            f"{TEMPLATE}:3",
        ),
    ],
)
def test_the_assumption_is_at_the_line_that_asks(
    checked: Check, shop: trees.MemoryTree, files: dict[str, str], expected: str
) -> None:
    (assumption,) = findings_of(checked, shop, **files)["INP008"]
    assert str(assumption.place) == expected


@pytest.mark.parametrize(
    ("word", "condition"),
    [
        ("HelmVersion", 'semverCompare ">=4.3.0" .Capabilities.HelmVersion.Version'),
        ("KubeVersion", 'hasSuffix ".0" .Capabilities.KubeVersion.Version'),
    ],
)
def test_what_depends_on_a_release_is_at_the_line_that_asks_for_it(
    checked: Check, shop: trees.MemoryTree, word: str, condition: str
) -> None:
    helper = HELPER.replace(UNKNOWN, condition)
    template = MONITOR.replace("CONDITION", 'include "monitored" .')
    dependent = findings_of(checked, shop, **{HELPERS: helper, TEMPLATE: template})["INP007"]
    assert {str(finding.place) for finding in dependent} == {f"{HELPERS}:2"}, word
