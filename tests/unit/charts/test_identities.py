"""What templates ask of ``.Capabilities`` is noted, and what depends on it is reported."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from hanbae.charts import pools

CHART = {"Chart.yaml": b"apiVersion: v2\nname: a\nversion: 1.0.0\n"}
ALWAYS = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: always}\n"
GATED = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: gated}\n"
pytestmark = pytest.mark.asyncio(loop_scope="module")
HELM, COMMIT, GO = "{{ $h := .Capabilities.HelmVersion }}", "GitCommit", "GoVersion"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool() -> AsyncIterator[pools.Pool]:
    """A renderer for all tests: to start one takes longer than what most of them ask."""
    async with pools.opened(1) as pool:
        yield pool


async def answer(
    pool: pools.Pool,
    template: str,
    *,
    version: str = "v1.35.0",
    version_is_known: bool = False,
    apis_are_known: bool = False,
) -> pools.Answer:
    files = CHART | {"templates/a.yaml": template.encode()}
    request = pools.Release("r", "n", (), version, ("apps/v1",), version_is_known, apis_are_known)
    (result,) = await pool.render(files, pools.Request([request]), chart="a")
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
        ('eq "clean" .Capabilities.HelmVersion.GitTreeState', True),
        (".Capabilities.HelmVersion.GitCommit", True),
        ("empty .Capabilities.HelmVersion.GitCommit", False),
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
        'semverCompare ">=1.21.0-0" .Capabilities.KubeVersion.GitVersion',
        'hasPrefix "v1.35" (printf "%s" .Capabilities.KubeVersion.String)',
        'contains "1.35" (printf "%s" .Capabilities.KubeVersion)',
        "ge (int .Capabilities.KubeVersion.Minor) 21",
        "true",
    ],
)
async def test_honest_questions_make_no_difference(pool: pools.Pool, condition: str) -> None:
    result = await answer(pool, gated(condition))
    assert result.differences == ()
    assert result.alternatives == ()
    assert result.untried == ()
    assert ("gated" in names(result)) == ("v7" not in condition and '"v2"' not in condition)


async def test_objects_that_depend_on_the_patch_release_of_kubernetes_are_reported(
    pool: pools.Pool,
) -> None:
    template = gated('ne .Capabilities.KubeVersion.Version "v1.35.0"')
    result = await answer(pool, template)
    assert names(result) == ["always"]
    (difference,) = result.differences
    assert (difference.asked, difference.identity) == ("kubernetes", "Kubernetes v1.35.99")
    exact = await answer(pool, template, version="v1.35.4", version_is_known=True)
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
    assert (await answer(pool, template, apis_are_known=True)).alternatives == ()


async def test_who_knows_the_version_need_not_know_the_api_versions_nor_the_other_way_round(
    pool: pools.Pool,
) -> None:
    by_api, by_patch = (
        gated('.Capabilities.APIVersions.Has "example.com/v1"'),
        gated('ne .Capabilities.KubeVersion.Version "v1.35.0"'),
    )
    assert len((await answer(pool, by_api, version_is_known=True)).alternatives) == 1
    assert len((await answer(pool, by_patch, apis_are_known=True)).differences) == 1


# What Helm's capabilities do, and the ones that note questions do not or do otherwise.
LISTED = ".Capabilities.APIVersions"
UNLIKE = [
    '{{ semverCompare ">=1" .Capabilities.KubeVersion.GitVersion }}',
    "{{ .Capabilities.KubeVersion.String }}",
    f"{{{{ range {LISTED} }}}}{{{{ end }}}}",
    f"{{{{ index {LISTED} 0 }}}}",
    f'{{{{ join "," {LISTED} }}}}',
]


@pytest.mark.parametrize("before", UNLIKE)
@pytest.mark.parametrize(
    ("condition", "subject"),
    [
        ('.Capabilities.APIVersions.Has "example.com/v1"', "apis"),
        ('semverCompare ">=5" .Capabilities.HelmVersion.Version', "helm"),
        ('eq .Capabilities.KubeVersion.Version "v1.35.4"', "kubernetes"),
    ],
)
async def test_questions_behind_what_is_not_alike_are_noted(
    pool: pools.Pool, before: str, condition: str, subject: str
) -> None:
    result = await answer(pool, gated(condition, f"# {before}\n"))
    assert names(result) == ["always"]
    noted = {difference.asked for difference in result.differences}
    assert noted | {"apis" for _ in result.alternatives} >= {subject}
    assert bool(result.untried) is (LISTED in before)


@pytest.mark.parametrize(
    "condition",
    [
        'hasPrefix "v" (include "kube" .)',
        'kindIs "slice" .Capabilities.APIVersions',
        'hasPrefix "0x" (printf "%p" .Capabilities.APIVersions)',
        'contains "normalized" (toYamlPretty .Capabilities) | not',
        'contains "Version" (toToml .Capabilities.KubeVersion)',
    ],
)
async def test_no_branch_is_told_by_what_notes_the_questions(
    pool: pools.Pool, condition: str
) -> None:
    before = '{{- define "kube" }}{{ .Capabilities.KubeVersion }}{{ end -}}'
    asking = '.Capabilities.APIVersions.Has "example.com/v1"'
    result = await answer(pool, gated(f"{condition} | and ({asking})", before))
    assert [other.assumed for other in result.alternatives] == [("example.com/v1",)]
    nested = before + gated(f"{condition} }}}}{{{{ if {asking}") + "{{ end }}"
    result = await answer(pool, nested)
    assert [other.assumed for other in result.alternatives] == [("example.com/v1",)]


@pytest.mark.parametrize("function", ["has", "mustHas"])
async def test_a_version_that_is_looked_for_in_the_list_is_rendered_both_ways(
    pool: pools.Pool, function: str
) -> None:
    result = await answer(pool, gated(f'{function} "example.com/v1" .Capabilities.APIVersions'))
    assert [other.assumed for other in result.alternatives] == [("example.com/v1",)]
    assert result.untried == ()


@pytest.mark.parametrize(
    "condition",
    [
        'contains "example.com/v1" (toJson .Capabilities.APIVersions)',
        'contains "example.com/v1" (join "," .Capabilities.APIVersions)',
        'contains "example.com/v1" (toString .Capabilities)',
        "gt (len .Capabilities.APIVersions) 90",
    ],
)
async def test_what_is_read_of_all_api_versions_is_said_to_be_untried(
    pool: pools.Pool, condition: str
) -> None:
    assert (await answer(pool, gated(condition))).untried == ("API versions",)
    assert (await answer(pool, gated(condition), apis_are_known=True)).untried == ()


async def test_each_combination_of_a_few_api_versions_is_rendered(pool: pools.Pool) -> None:
    has = ".Capabilities.APIVersions.Has"
    only = f'and ({has} "a.example.com/v1") (not ({has} "b.example.com/v1"))'
    result = await answer(pool, gated(only))
    assert [other.assumed for other in result.alternatives] == [("a.example.com/v1",)]
    nested = f'{has} "a.example.com/v1" | and ({has} "c.example.com/v1")'
    result = await answer(pool, gated(nested))
    assert result.alternatives[0].assumed == ("a.example.com/v1", "c.example.com/v1")


VERSION = ".Capabilities.KubeVersion.Version"
PATCH = f'(last (splitList "." {VERSION}))'


@pytest.mark.parametrize(
    ("condition", "patch"),
    [
        (f'eq {VERSION} (printf "v1.35.%d" 40)', "40"),
        (f'eq "7" {PATCH}', "7"),
        (f"eq 12 (atoi {PATCH})", "12"),
        (f"and (gt 9 (int {PATCH})) (lt 7 (int {PATCH}))", "8"),
        (f"eq 5 (int (semver {VERSION}).Patch)", "5"),
        (f'has {VERSION} (list "v1.35.6")', "6"),
        (f'deepEqual (dict "a" (dict "b" {VERSION})) (dict "a" (dict "b" "v1.35.3"))', "3"),
        (f'hasKey (dict "v1.35.11" 1) {VERSION}', "11"),
        (f'index (dict "v1.35.2" 1) {VERSION}', "2"),
        (f'eq (sha256sum {VERSION}) (sha256sum "v1.35.9")', "9"),
        (f'.Files.Get (printf "only-%s" {PATCH})', "13"),
        (f'.Files.Glob (printf "on?y-%s" {PATCH})', "13"),
        (f'include (printf "on%s" {PATCH}) .', "14"),
        (f'semverCompare ">=1.35.20" {VERSION}', "99"),
        ('eq (printf "%v" .Capabilities.KubeVersion) "{v1.35.15 v1.35.15 1 35}"', "15"),
        (f'eq (printf "%x" .Capabilities.KubeVersion.Version) "{b"v1.35.10".hex()}"', "10"),
        (f'eq (printf "%x" (dict "a" {VERSION})) "map[61:{b"v1.35.10".hex()}]"', "10"),
        # Nought is false, and no function is asked for that.
        (f"not (int {PATCH})", "0"),
        # Helm's own functions.
        (f'eq 14 (int (fromYaml (printf "a: 1%s" {PATCH})).a)', "4"),
        (f'eq 14 (int (index (fromYamlArray (printf "[1%s]" {PATCH})) 0))', "4"),
        (f'eq 14 (int (fromToml (printf "a = 1%s" {PATCH})).a)', "4"),
        (f'eq 14 (int (fromJson (printf "{{\\"a\\": 1%s}}" {PATCH})).a)', "4"),
        (f'eq 240 (int (durationSeconds (printf "%sm" {PATCH})))', "4"),
        (
            f'eq (toYaml (printf "2001-01-%s" {PATCH})) (squote "2001-01-13" | replace "\\u0027" "\\"")',
            "13",
        ),
        # Functions whose results are kept.
        (f'eq "112" (date {PATCH} 0)', "13"),
        # An early one: each takes a tenth of a second, and what is tried is bounded by the processor's time.
        (f'eq (derivePassword 1 "pin" "2" "u" "s") (derivePassword 1 "pin" {PATCH} "u" "s")', "2"),
        # What is a key, or stands behind another question.
        (f'(dict (printf "on%s" {PATCH}) "x").on13', "13"),
        (f'hasKey (dict {VERSION} 1) "v1.35.13"', "13"),
        (f'and (set (dict) {VERSION} 1) (eq "40" {PATCH})', "40"),
    ],
)
async def test_the_patch_that_decides_is_found_however_it_is_told(
    pool: pools.Pool, condition: str, patch: str
) -> None:
    defined = "".join(
        f'{{{{- define "on{number}" -}}}}{"yes" if number == 14 else ""}{{{{- end }}}}'
        for number in range(100)
    )
    files = CHART | {"only-13": b"x", "templates/_on.tpl": defined.encode()}
    files["templates/a.yaml"] = gated(condition).encode()
    request = pools.Release("r", "n", (), "v1.35.1", ("apps/v1",))
    (result,) = await pool.render(files, pools.Request([request]), chart="a")
    assert result.error is None, result.error
    assert [difference.identity for difference in result.differences] == [
        f"Kubernetes v1.35.{patch}"
    ]
    assert not result.untried


@pytest.mark.parametrize("way", ["if", "with"])
@pytest.mark.parametrize(
    "condition", [f'int (trimPrefix "v1.35." {VERSION})', f"and true (atoi {PATCH})"]
)
async def test_a_first_patch_release_that_is_false_is_told_from_all_others(
    pool: pools.Pool, way: str, condition: str
) -> None:
    result = await answer(pool, gated(condition).replace("{{- if", f"{{{{- {way}"))
    assert names(result) == ["always"]
    assert [difference.identity for difference in result.differences] == ["Kubernetes v1.35.99"]


async def test_a_map_that_is_in_itself_is_no_end_of_a_comparison(pool: pools.Pool) -> None:
    before = f'{{{{ $m := dict }}}}{{{{ $_ := set $m "m" $m }}}}{{{{ $_ := list $m {VERSION} }}}}'
    result = await answer(pool, gated(f'eq {VERSION} "v1.35.3"', before))
    assert [difference.identity for difference in result.differences] == ["Kubernetes v1.35.3"]


async def test_what_is_made_by_chance_is_the_same_in_every_comparison(pool: pools.Pool) -> None:
    secret = (
        '---\napiVersion: v1\nkind: Secret\nmetadata: {name: made}\nstringData:\n  a: {{ (genCA "a" 9).Key | quote }}\n'
        '  b: {{ randAlphaNum 20 }}\n  c: {{ now | quote }}\n  d: {{ htpasswd "a" "b" | quote }}\n'
    )
    template = f"{secret}---\n" + gated('.Capabilities.APIVersions.Has "example.com/v1"')
    result = await answer(pool, template)
    (other,) = result.alternatives
    here, there = (
        [document for _, document in release.documents if document["kind"] == "Secret"]
        for release in (result, other)
    )
    assert here == there
    assert here[0]["stringData"]["b"] != here[0]["stringData"]["d"]
    assert set(result.calls) == {"genCA", "randAlphaNum", "now", "htpasswd"}
    again = await answer(pool, template)
    assert again.documents != result.documents


async def test_files_of_kinds_are_split_at_lines_of_three_dashes(pool: pools.Pool) -> None:
    kind = "kind: CustomResourceDefinition\napiVersion: apiextensions.k8s.io/v1\nmetadata: {name: %s}\n"
    text = f"---\n{kind % 'a'}---  # b\n{kind % 'b'}\n---\n\n--- \n# nothing\n----\n{kind % 'c'}  ---\n"
    files = CHART | {"crds/a.yaml": text.replace("  ---\n", "").encode()}
    (result,) = await pool.render(
        files, pools.Request([pools.Release("r", "n", ())], manifest=True), chart="a"
    )
    assert result.error is None, result.error
    assert names(result) == ["a", "b", "c"]
    assert text.replace("  ---\n", "").strip() in result.manifest


async def test_where_templates_call_what_chance_decides_is_noted(pool: pools.Pool) -> None:
    text = (
        "{{/* randAlpha 1 */}}\n"
        '{{- define "key" }}\n'
        "{{ randNumeric 3 | quote }}{{ randNumeric 4 }}\n"
        "{{- end }}\n"
        "apiVersion: v1\nkind: Secret\nmetadata: {name: a, labels: {now: 'now 1'}}\nstringData:\n"
        "  {{- if .Values.never }}\n"
        "  a: {{ randAlphaNum 5 }}\n"
        "  {{- else }}\n"
        '  b: {{ range tuple 1 2 }}{{ printf "%s" (randAlphaNum 5) | b64enc }}{{ end }}\n'
        "  {{- end }}\n"
        '  c: {{ tpl "{{ uuidv4 }}" . }}\n'
    )
    files = CHART | {
        "templates/a.yaml": text.encode(),
        "charts/b/Chart.yaml": b"name: b\nversion: 1.0.0\napiVersion: v2\n",
    }
    files["charts/b/templates/b.yaml"] = b"{{ $_ := genPrivateKey `ecdsa` }}"
    request = pools.Release("r", "n", ())
    (result,) = await pool.render(files, pools.Request([request], manifest=True), chart="a")
    assert result.error is None, result.error
    assert set(result.calls) == {"randAlphaNum", "uuidv4", "genPrivateKey"}
    sites = {(site.function, site.template, site.line) for site in result.sites}
    assert sites == {
        ("randAlphaNum", "a/templates/a.yaml", 12),
        ("genPrivateKey", "a/charts/b/templates/b.yaml", 1),
    }
    assert "randAlphaNum_" not in result.manifest


async def test_a_fault_where_chance_decides_is_in_helms_words(pool: pools.Pool) -> None:
    files = CHART | {"templates/a.yaml": b'a: {{ randAlphaNum "x" }}'}
    (result,) = await pool.render(files, pools.Request([pools.Release("r", "n", ())]), chart="a")
    assert result.error is not None
    assert 'at <"x">' in result.error
    assert "randAlphaNum_" not in result.error
