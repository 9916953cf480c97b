"""Charts are rendered as Argo CD does, and hostile ones cost one fault and nothing else."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from hanbae import errors
from hanbae.charts import pools, rendering
from hanbae.repository import trees

CONFIGMAP = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}", namespace: "{{ .Release.Namespace }}"}
data: {value: "%s"}
"""


@pytest.fixture
def chart(tmp_path: Path) -> Path:
    folder = tmp_path / "auth"
    (folder / "templates").mkdir(parents=True)
    (folder / "Chart.yaml").write_text("apiVersion: v2\nname: auth\nversion: 0.1.0\n")
    return folder


async def render(
    chart: Path, *, limit: float = pools.TIMEOUT, values: Sequence[bytes] = (), **options: Any
) -> rendering.Rendered:
    arguments = {"release": "auth-service", "namespace": "services-dev"} | options
    arguments["api_versions"] = tuple(arguments.get("api_versions", ()))
    request = pools.Release(values=tuple(values), **arguments)
    return await rendering.render(trees.WorkingTree(chart.parent), chart.name, request, limit=limit)


async def rendered(chart: Path, template: str, **options: Any) -> list[dict[str, Any]]:
    (chart / "templates" / "a.yaml").write_text(template)
    answer = await render(chart, **options)
    return [manifest.object for manifest in answer.manifests]


async def value(chart: Path, expression: str, **options: Any) -> str:
    (config_map,) = await rendered(chart, CONFIGMAP % f"{{{{ {expression} }}}}", **options)
    return str(config_map["data"]["value"])


async def test_release_namespace_versions_and_values_reach_the_templates(chart: Path) -> None:
    (config_map,) = await rendered(chart, CONFIGMAP % "x")
    assert config_map["metadata"] == {"name": "auth-service", "namespace": "services-dev"}
    assert (
        await value(chart, ".Capabilities.KubeVersion.Version", kube_version="v1.31.2") == "v1.31.2"
    )
    has = '.Capabilities.APIVersions.Has "bitnami.com/v1alpha1"'
    assert await value(chart, has) == "false"
    assert await value(chart, has, api_versions=["bitnami.com/v1alpha1"]) == "true"
    files = [b"a: {b: 1, c: 2}", b"a: {c: 3}"]
    assert await value(chart, "toJson .Values.a | b64enc", values=files) == "eyJiIjoxLCJjIjozfQ=="


async def test_the_merged_values_come_back(chart: Path) -> None:
    (chart / "values.yaml").write_text("replicas: 1\nimage: {tag: a}\n")
    answer = await render(
        chart, release="r", namespace="n", values=[b"image: {digest: b}", b"replicas: null"]
    )
    assert answer.values == {"image": {"tag": "a", "digest": "b"}}


async def test_crds_and_the_schema_are_left_out_where_an_application_says_so(chart: Path) -> None:
    (chart / "crds").mkdir()
    (chart / "crds/a.yaml").write_text(
        "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: a}\n"
    )
    assert len(await rendered(chart, CONFIGMAP % "x")) == 2
    (config_map,) = await rendered(chart, CONFIGMAP % "x", skip_crds=True)
    assert config_map["kind"] == "ConfigMap"
    (chart / "values.schema.json").write_text('{"required": ["never"]}')
    with pytest.raises(errors.FileFault, match=r"render\.failed"):
        await rendered(chart, CONFIGMAP % "x")
    assert len(await rendered(chart, CONFIGMAP % "x", skip_schema=True)) == 2


async def test_crds_that_are_only_printed_are_not_read(chart: Path) -> None:
    (chart / "crds").mkdir()
    (chart / "crds/a.yaml").write_text("kind: CustomResourceDefinition\n")
    (chart / "templates/a.yaml").write_text(CONFIGMAP % "x")
    texts = {}
    async with pools.opened(1) as pool:
        for printed in (False, True):
            (answer,) = await rendering.answers(
                pool,
                trees.WorkingTree(chart.parent),
                chart.name,
                [pools.Release("r", "n")],
                manifest=True,
                printed=printed,
            )
            texts[printed] = answer.manifest
            assert len(answer.order) == (1 if printed else 2)
    assert texts[True] == texts[False]
    assert "kind: CustomResourceDefinition" in texts[True]


async def test_objects_come_in_helms_order_hooks_and_lists_included(chart: Path) -> None:
    kinds = ["Ingress", "Deployment", "SealedSecret", "Job", "ServiceAccount", "Service"]
    documents = [f"apiVersion: v1\nkind: {kind}\nmetadata: {{name: x}}" for kind in kinds]
    secret = "{apiVersion: v1, kind: Secret, metadata: {name: x}}"
    documents.append(f"apiVersion: v1\nkind: List\nitems: [{secret}]")
    objects = await rendered(
        chart, "# only a comment\n---\n" + "\n---\n".join(documents) + "\n---\n"
    )
    assert [manifest["kind"] for manifest in objects] == [
        "ServiceAccount",
        "Service",
        "Deployment",
        "Job",
        "Ingress",
        "Secret",  # where its List stands, which is of no kind that Helm knows
        "SealedSecret",
    ]


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ('{{ fail "no image" }}', "no image"),
        ("{{ .Values.a.b.c }}", "nil pointer"),
        ("a: [", "YAML"),
        ("a: 1", "without kind"),
        ('{{ define "r" }}{{ include "r" . }}{{ end }}{{ include "r" . }}', "include"),
    ],
)
async def test_a_chart_that_does_not_render_is_one_fault_with_helms_words(
    chart: Path, template: str, message: str
) -> None:
    with pytest.raises(errors.FileFault) as caught:
        await rendered(chart, template)
    assert caught.value.text.id == "render.failed"
    assert message in caught.value.text.facts["error"]
    assert str(caught.value.place).startswith("auth/")


async def test_the_fault_is_at_the_line_that_helm_names(chart: Path) -> None:
    with pytest.raises(errors.FileFault) as caught:
        await rendered(chart, '# one\n# two\n{{ fail "here" }}')
    assert str(caught.value.place).startswith("auth/templates/a.yaml:3:")


async def test_a_template_without_end_ends_with_its_worker(chart: Path) -> None:
    with pytest.raises(errors.FileFault) as caught:
        await rendered(chart, "{{ range until 2000000000 }}x{{ end }}")
    assert caught.value.text.id in {"render.died", "render.took-too-long"}


async def test_a_worker_that_takes_too_long_is_ended(chart: Path) -> None:
    loop = "{{ range until 40000 }}{{ range until 40000 }}{{ end }}{{ end }}"
    with pytest.raises(errors.FileFault) as caught:
        await rendered(chart, loop, limit=1.0)
    assert caught.value.text.id == "render.took-too-long"


async def test_neither_the_environment_nor_files_outside_reach_a_template(
    chart: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANARY", "correct-horse")
    (chart.parent / "secret.txt").write_text("correct-horse")
    assert await value(chart, '.Files.Get "../secret.txt" | quote | b64enc') == "IiI="
    with pytest.raises(errors.FileFault):
        await value(chart, 'env "CANARY"')
    assert await value(chart, '(lookup "v1" "Secret" "default" "x") | toJson | b64enc') == "e30="


async def test_a_link_that_leaves_the_chart_is_refused_before_anything_runs(chart: Path) -> None:
    (chart / "templates" / "leak.yaml").symlink_to("/etc/hostname")
    with pytest.raises(errors.FileFault) as caught:
        await rendered(chart, CONFIGMAP % "x")
    assert caught.value.text.id == "repository.link-out"


@pytest.mark.parametrize("key", ["$ref", "$dynamicRef"])
@pytest.mark.parametrize("target", ["file:///etc/passwd", "http://169.254.169.254/x", "other.json"])
async def test_a_schema_that_refers_to_something_outside_is_refused(
    chart: Path, key: str, target: str
) -> None:
    schema = json.dumps({"properties": {"a": {"anyOf": [{key: target}]}}})
    (chart / "values.schema.json").write_text(schema)
    with pytest.raises(errors.FileFault) as caught:
        await rendered(chart, CONFIGMAP % "x")
    assert caught.value.text.facts["reference"].endswith(target)


def packed(**members: bytes) -> bytes:
    """A chart's archive."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return content.getvalue()


OUTSIDE = json.dumps({"$ref": "file:///etc/passwd"}).encode()
SUB = b"apiVersion: v2\nname: %s\nversion: 1.0.0\n"


def sub(name: str, separator: str = "/", **members: bytes) -> bytes:
    """A packed chart of this name."""
    files = {"Chart.yaml": SUB % name.encode()} | members
    return packed(**{f"{name}{separator}{path}": data for path, data in files.items()})


@pytest.mark.parametrize(
    "archive",
    [
        pytest.param(sub("sub", **{"values.schema.json": OUTSIDE}), id="in the chart"),
        pytest.param(sub("sub", "\\", **{"values.schema.json": OUTSIDE}), id="behind a backslash"),
        pytest.param(
            sub("sub", **{"charts/in.tgz": sub("in", **{"values.schema.json": OUTSIDE})}),
            id="in a chart in the chart",
        ),
    ],
)
async def test_a_schema_in_an_archived_subchart_is_looked_at_as_well(
    chart: Path, archive: bytes
) -> None:
    (chart / "charts").mkdir()
    (chart / "charts" / "sub-1.0.0.tgz").write_bytes(archive)
    with pytest.raises(errors.FileFault) as caught:
        await rendered(chart, CONFIGMAP % "x")
    assert caught.value.text.id == "render.schema-refers-outside"
    assert str(caught.value.place) == "auth/charts/sub-1.0.0.tgz"


async def test_a_packed_chart_that_would_fill_the_memory_is_refused(chart: Path) -> None:
    archive = sub("sub", **{"files/zeros": bytes(101 * 1024 * 1024)})
    assert len(archive) < 200_000
    (chart / "charts").mkdir()
    for number in range(12):
        (chart / "charts" / f"sub{number}-1.0.0.tgz").write_bytes(archive)
    with pytest.raises(errors.FileFault) as caught:
        await rendered(chart, CONFIGMAP % "x")
    assert caught.value.text.id == "render.failed"
    assert str(caught.value.place).startswith("auth/charts/sub")


@pytest.mark.parametrize(
    ("dialect", "is_loaded"),
    [
        ("http://json-schema.org/schema#", False),
        ("https://json-schema.org/schema", False),
        ("http://json-schema.org/draft-04/schema#", False),
        ("http://json-schema.org/draft-06/schema", False),
        ("http://json-schema.org/draft-07/schema#", False),
        ("https://json-schema.org/draft/2019-09/schema#", False),
        ("https://json-schema.org/draft/2020-12/schema", False),
        ("http://json-schema.org/draft-03/schema#", True),
        ("http://json-schema.org/schema/../draft-07", True),
        ("https://json-schema.org.example.com/schema", True),
        ("http://169.254.169.254/schema", True),
        ("file:///etc/passwd", True),
    ],
)
async def test_a_dialect_that_would_be_loaded_from_somewhere_is_refused(
    chart: Path, dialect: str, is_loaded: bool
) -> None:
    (chart / "values.schema.json").write_text(json.dumps({"$schema": dialect}))
    if not is_loaded:
        assert await rendered(chart, CONFIGMAP % "x")
        return
    with pytest.raises(errors.FileFault) as caught:
        await rendered(chart, CONFIGMAP % "x")
    assert caught.value.text.facts["reference"] == dialect.removesuffix("#")


async def test_a_link_that_leads_to_itself_is_refused(chart: Path) -> None:
    (chart / "templates" / "loop.yaml").symlink_to("loop.yaml")
    with pytest.raises(errors.FileFault) as caught:
        await rendered(chart, CONFIGMAP % "x")
    assert caught.value.text.id == "repository.unreadable"


async def test_a_schema_with_references_of_its_own_holds_the_values(chart: Path) -> None:
    schema = {"$defs": {"n": {"type": "integer"}}, "properties": {"pods": {"$ref": "#/$defs/n"}}}
    (chart / "values.schema.json").write_text(json.dumps(schema))
    assert await value(chart, ".Values.pods", values=[b"pods: 3"]) == "3"
    with pytest.raises(errors.FileFault):
        await value(chart, ".Values.pods", values=[b"pods: three"])


@pytest.mark.parametrize(
    ("under", "over", "result"),
    [
        ({"a": {"b": 1}}, {"a": {"c": 2}}, {"a": {"b": 1, "c": 2}}),
        ({"a": {"b": 1}}, {"a": None}, {"a": None}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": 1}, {"a": {"b": 2}}, {"a": {"b": 2}}),
    ],
)
async def test_values_files_are_merged_as_helm_does(
    chart: Path, under: dict[str, Any], over: dict[str, Any], result: dict[str, Any]
) -> None:
    values = [json.dumps(under).encode(), json.dumps(over).encode()]
    (chart / "templates" / "a.yaml").write_text(CONFIGMAP % "x")
    assert (await render(chart, release="r", namespace="n", values=values)).values == result


@pytest.mark.parametrize("block", ["|+", "|2+", "|+2", ">2+"])
async def test_empty_lines_at_the_end_of_the_last_object_are_those_that_helm_prints(
    chart: Path, block: str
) -> None:
    begin = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata:\n  a: "
    (config_map,) = await rendered(chart, f"{begin}{block}\n    one\n\n\n\n")
    assert config_map["data"] == {"a": "one\n"}


async def test_a_version_that_a_packed_chart_names_is_tried(chart: Path) -> None:
    gated = '{{ if eq "v4.9.2" .Capabilities.HelmVersion.Version }}' + CONFIGMAP % "x" + "{{ end }}"
    (chart / "charts").mkdir()
    (chart / "charts/sub.tgz").write_bytes(sub("sub", **{"templates/a.yaml": gated.encode()}))
    result = await render(chart)
    assert result.manifests == ()
    assert [difference.identity for difference in result.differences] == ["Helm v4.9.2"]


async def test_chance_is_placed_in_each_alias_of_a_chart(chart: Path) -> None:
    (chart / "charts").mkdir()
    template = f"{CONFIGMAP % 'x'}# {{{{ randAlpha 5 }}}}"
    (chart / "charts/sub.tgz").write_bytes(sub("sub", **{"templates/a.yaml": template.encode()}))
    dependencies = [{"name": "sub", "version": "1.0.0", "alias": alias} for alias in ("c", "d")]
    with (chart / "Chart.yaml").open("a") as file:
        file.write(f"dependencies: {json.dumps(dependencies)}\n")
    async with pools.opened(1) as pool:
        request = pools.Release("r", "n")
        tree = trees.WorkingTree(chart.parent)
        (answer,) = await rendering.answers(pool, tree, chart.name, [request])
    assert {site.template for site in answer.sites} == {
        f"auth/charts/{alias}/templates/a.yaml" for alias in ("c", "d")
    }


@pytest.mark.parametrize("put", ['"root" $', '"password" (randAlphaNum 20)'])
async def test_what_templates_put_into_values_is_none_of_the_charts(chart: Path, put: str) -> None:
    (chart / "values.yaml").write_text("a: 1")
    text = f"{{{{ $_ := set .Values {put} }}}}" + CONFIGMAP % "x"
    (chart / "templates" / "a.yaml").write_text(text)
    result = await render(chart)
    assert len(result.manifests) == 1
    assert result.values == {"a": 1}


async def test_an_empty_list_of_dependencies_has_conditions_below_it_decide(chart: Path) -> None:
    """As in Helm: with no list at all they do not."""
    below = "apiVersion: v2\nversion: 1.0.0\nname: "
    condition = "dependencies: [{name: d, version: 1.0.0, condition: d.enabled}]\n"
    for name, text in {
        "charts/c": f"{below}c\n{condition}",
        "charts/c/charts/d": f"{below}d\n",
    }.items():
        (chart / name / "templates").mkdir(parents=True)
        (chart / name / "Chart.yaml").write_text(text)
    (chart / "charts/c/charts/d/templates/d.yaml").write_text(CONFIGMAP % "x")
    (chart / "values.yaml").write_text("c: {d: {enabled: false}}")
    declared = (chart / "Chart.yaml").read_text().rstrip("\n")
    assert len((await render(chart)).manifests) == 1
    (chart / "Chart.yaml").write_text(f"{declared}\ndependencies: []\n")
    assert (await render(chart)).manifests == ()


@pytest.mark.parametrize(
    ("rule", "value", "words"),
    [
        ({"format": "uri"}, "postgres://u:pa%zz@h/db", "is not valid uri"),
        ({"format": "uri-reference"}, "://u:pa%zz@h/db", "is not valid uri-reference"),
        ({"format": "ipv4"}, "10.0.0.pa%zz", "is not valid ipv4"),
        ({"format": "regex"}, "pa%zz\n(", "is not valid regex"),
        ({"pattern": "^a$"}, "pa%zz\\", "does not match pattern '^a$'"),
        ({"minimum": 1234567}, 34567, "minimum: want"),
        ({"multipleOf": 2}, 1234567, "multipleOf: want"),
    ],
)
async def test_nothing_of_a_value_is_shown_however_a_schema_refuses_it(
    chart: Path, rule: dict[str, Any], value: object, words: str
) -> None:
    schema = {"$schema": "http://json-schema.org/draft-07/schema#", "properties": {"dsn": rule}}
    (chart / "values.schema.json").write_text(json.dumps(schema))
    (chart / "templates" / "a.yaml").write_text("{}")
    (chart / "values.yaml").write_text(json.dumps({"dsn": value}))
    with pytest.raises(errors.FileFault) as caught:
        await render(chart)
    error = caught.value.text.facts["error"]
    (line,) = [line for line in error.splitlines() if line.startswith("- at '/dsn'")]
    assert line.startswith(f"- at '/dsn': {words}")
    assert "got" not in line
    assert "pa%zz" not in error


async def test_what_a_schema_refuses_is_not_shown(chart: Path) -> None:
    schema = {"properties": {"token": {"type": "string", "pattern": "^Ag[A-Z]{5}$"}}}
    (chart / "values.schema.json").write_text(json.dumps(schema))
    (chart / "templates" / "a.yaml").write_text("{}")
    for secret in ("hunter2", "it's \\ here", "x" * 5000):
        (chart / "values.yaml").write_text(json.dumps({"token": secret}))
        with pytest.raises(errors.FileFault) as caught:
            await render(chart)
        error = caught.value.text.facts["error"]
        assert "- at '/token': does not match pattern '^Ag[A-Z]{5}$'" in error
        assert secret[:5] not in error


@pytest.mark.parametrize("file", ["values.yaml", "values-dev.yaml", "templates/a.yaml"])
@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("*hunter2", "yaml: unknown anchor referenced"),
        ("!!int hunter2", "yaml: cannot decode !!str as a !!int"),
        ('!!float "hunter2 ` as a !!int"', "yaml: cannot decode !!str as a !!float"),
        ("!!bool |\n  hunter2\n  `'", "yaml: cannot decode !!str as a !!bool"),
        ("\n  ? {a: hunter2}\n  : 1", "invalid map key"),
        ("\n  ~: hunter2", "unsupported map key of type: %!s(<nil>)"),
    ],
)
async def test_what_is_refused_as_yaml_is_not_shown(
    chart: Path, file: str, value: str, words: str
) -> None:
    (chart / "templates" / "a.yaml").write_text("{}")
    (chart / file).write_text(f"token: {value}\n")
    values = [(chart / file).read_bytes()] if file == "values-dev.yaml" else []
    with pytest.raises(errors.FileFault) as caught:
        await render(chart, release="r", namespace="n", values=values)
    error = caught.value.text.facts["error"]
    assert error.endswith(words)
    assert "hunter2" not in error


async def test_a_byte_order_mark_within_a_file_is_part_of_a_key(chart: Path) -> None:
    """Helm reads the document without the comment that it prints before it; Argo CD gets both."""
    with pytest.raises(errors.FileFault) as caught:
        await rendered(chart, "kind: A\napiVersion: v1\n---\n\ufeffapiVersion: v1\nkind: B\n")
    assert "without kind or apiVersion" in caught.value.text.facts["error"]


@pytest.mark.parametrize(
    ("template", "lines"),
    [("", "\n"), ("# printed", "\n\n\n\n"), ("kind: A\napiVersion: v1\n", "\n\n\n\n")],
)
async def test_empty_lines_at_the_end_of_the_last_crd_are_those_that_helm_prints(
    chart: Path, template: str, lines: str
) -> None:
    crds = chart / "crds"
    crds.mkdir(exist_ok=True)
    (crds / "z.yaml").write_text("apiVersion: v1\nkind: Z\ndata: |+\n  x\n\n\n")
    documents = await rendered(chart, template)
    (crd,) = [document for document in documents if document["kind"] == "Z"]
    assert crd["data"] == f"x{lines}"


@pytest.mark.parametrize("begin", ["", "---\n", "\ufeff---\n", "\n \n---\n", "--- \t\n---\n"])
@pytest.mark.parametrize("between", ["\n---\n", "\n---", "\n--- \t", "\n\n---\n---\r\n"])
async def test_documents_are_between_the_lines_that_begin_with_dashes(
    chart: Path, begin: str, between: str
) -> None:
    config_map = (
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {a: '---', b: \"- ---\"}"
    )
    texts = [config_map % name for name in "abc"]
    documents = await rendered(chart, begin + between.join(texts) + "\n---")
    assert [document["metadata"]["name"] for document in documents] == ["a", "b", "c"]
    assert documents[0]["data"] == {"a": "---", "b": "- ---"}
