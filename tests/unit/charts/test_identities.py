"""What templates ask of ``.Capabilities`` is noted, and what depends on it is reported."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from hanbae.charts import pools

CHART = {"Chart.yaml": b"apiVersion: v2\nname: a\nversion: 1.0.0\n"}
ALWAYS = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: always}\n"
GATED = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: gated}\n"
HELM, COMMIT, GO = "{{ $h := .Capabilities.HelmVersion }}", "GitCommit", "GoVersion"


@pytest.fixture
async def pool() -> AsyncIterator[pools.Pool]:
    async with pools.opened(1) as pool:
        yield pool


async def answer(
    pool: pools.Pool, template: str, *, version: str = "v1.35.0", complete: bool = False
) -> pools.Answer:
    files = CHART | {"templates/a.yaml": template.encode()}
    request = pools.Wanted("r", "n", (), version, ("apps/v1",), complete)
    (result,) = await pool.render(files, pools.Asked([request]), shown="a")
    assert result.error is None, result.error
    return result


def gated(condition: str, before: str = "") -> str:
    return f"{before}{ALWAYS}{{{{- if {condition} }}}}\n{GATED}{{{{ end }}}}\n"


def names(result: pools.Answer | pools.Alternative) -> list[str]:
    return [result.documents[index][1]["metadata"]["name"] for index in result.order]


@pytest.mark.parametrize(
    ("condition", "shown"),
    [
        ('semverCompare ">=4.3.0" .Capabilities.HelmVersion.Version', True),
        ('semverCompare "<4.0.0" .Capabilities.HelmVersion.Version', False),
        ('semverCompare ">=5.0.0" .Capabilities.HelmVersion.Version', False),
        ('eq "v4.3.1" (index (toYaml .Capabilities | fromYaml) "HelmVersion").version', True),
        ('contains "v4.3.1" (toJson .)', True),
        ('contains "v4.3.1" (printf "%v" .Capabilities)', True),
        ('contains "v4.3.1" (toToml .)', True),
        ('eq "v4.3.1" (deepCopy .).Capabilities.HelmVersion.Version', True),
        ('eq "v4.3.1" (index $ (printf "Capab%s" "ilities")).Copy.HelmVersion.Version', True),
        ('eq "v4.3.1" (tpl "{{ .Capabilities.HelmVersion.Version }}" .)', True),
        ('hasPrefix "0123" .Capabilities.HelmVersion.GitCommit', False),
        ('eq "go1.27.99" .Capabilities.HelmVersion.GoVersion', False),
    ],
)
async def test_objects_that_depend_on_the_release_of_helm_are_reported(
    pool: pools.Pool, condition: str, shown: bool
) -> None:
    result = await answer(pool, gated(condition))
    assert ("gated" in names(result)) is shown
    assert {difference.asked for difference in result.differences} == {"helm"}
    assert result.differences[0].objects == ("Pod/gated",)
    assert result.differences[0].template == "a/templates/a.yaml"


@pytest.mark.parametrize(
    "condition",
    [
        'semverCompare ">=1.21.0" .Capabilities.KubeVersion.Version',
        'semverCompare ">=3.0.0" .Capabilities.HelmVersion.Version',
        'eq "1" .Capabilities.KubeVersion.Major',
        '.Capabilities.APIVersions.Has "apps/v1"',
        '.Capabilities.APIVersions.Has "batch/v7"',
        '.Capabilities.APIVersions.Has "v2"',
        'eq (typeOf .Capabilities) "*common.Capabilities"',
        'eq (kindOf .Capabilities.APIVersions) "slice"',
        'has "apps/v1" .Capabilities.APIVersions',
        "true",
    ],
)
async def test_honest_questions_make_no_difference(pool: pools.Pool, condition: str) -> None:
    result = await answer(pool, gated(condition))
    assert result.differences == ()
    assert result.alternatives == ()
    assert ("gated" in names(result)) == ("v7" not in condition and '"v2"' not in condition)


async def test_objects_that_depend_on_the_patch_release_of_kubernetes_are_reported(
    pool: pools.Pool,
) -> None:
    template = gated('ne .Capabilities.KubeVersion.Version "v1.35.0"')
    result = await answer(pool, template)
    assert names(result) == ["always"]
    (difference,) = result.differences
    assert (difference.asked, difference.identity) == ("kubernetes", "Kubernetes v1.35.99")
    exact = await answer(pool, template, version="v1.35.4", complete=True)
    assert exact.differences == ()


async def test_what_is_random_anyway_makes_no_difference(pool: pools.Pool) -> None:
    template = "apiVersion: v1\nkind: Secret\nmetadata: {name: always}\nstringData: {a: '{{ randAlpha 9 }}'}\n"
    asking = '{{ $_ := semverCompare ">=3.0.0" .Capabilities.HelmVersion.Version }}'
    assert (await answer(pool, asking + template)).differences == ()


async def test_api_versions_of_which_nothing_is_known_are_rendered_both_ways(
    pool: pools.Pool,
) -> None:
    template = gated('.Capabilities.APIVersions.Has "example.com/v1"')
    result = await answer(pool, template)
    assert names(result) == ["always"]
    (other,) = result.alternatives
    assert other.assumed == ("example.com/v1",)
    assert names(other) == ["gated", "always"] or names(other) == ["always", "gated"]
    assert (await answer(pool, template, complete=True)).alternatives == ()


async def test_each_combination_of_a_few_api_versions_is_rendered(pool: pools.Pool) -> None:
    has = ".Capabilities.APIVersions.Has"
    only = f'and ({has} "a.example.com/v1") (not ({has} "b.example.com/v1"))'
    result = await answer(pool, gated(only))
    assert [other.assumed for other in result.alternatives] == [("a.example.com/v1",)]
    nested = f'{has} "a.example.com/v1" | and ({has} "c.example.com/v1")'
    result = await answer(pool, gated(nested))
    assert result.alternatives[0].assumed == ("a.example.com/v1", "c.example.com/v1")
