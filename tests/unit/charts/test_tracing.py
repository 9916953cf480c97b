"""A part of a rendered object is traced to the template's line, and through it to the value; or honestly not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanbae.charts import pools, tracing

TEMPLATE = """\
{{- /* a comment
that goes on */}}
{{- if .Values.enabled }}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
  labels: {app: x}   # a comment of the template's
  annotations:
    {{- include "c.annotations" . | nindent 4 }}
data:
  literal: "yes"
  direct: {{ .Values.direct | quote }}
  image: {{ include "c.image" . }}
  two: {{ .Values.image.repository }}:{{ .Values.image.tag }}
  script: |
    # not a comment
    echo {{ .Values.direct }}
    echo done
  folded: >-
    one
    two
  {{- with .Values.more }}
  more: {{ toYaml . | b64enc }}
  {{- end }}
  {{- range $key, $value := .Values.pairs }}
  {{ $key }}: {{ $value | quote }}
  {{- end }}
  {{- with .Values.block }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  last: end
---
{{- if .Values.second }}
apiVersion: v1
kind: ConfigMap
metadata: {name: second}
data:
  {{- toYaml .Values.second | nindent 2 }}
{{- end }}
{{- end }}
"""
NAMES = """\
{{- define "c.image" -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- end }}
{{- define "c.annotations" -}}
example.com/one: "1"
example.com/two: "2"
{{- end }}
"""
VALUES = b"""\
enabled: true
direct: d
image: {repository: r, tag: t, digest: s}
more: {a: b}
pairs: {p: q, r: s}
block: {inblock: z}
second: {k: v, l: w}
"""
PLACES = {
    ("direct",): 1,
    ("image",): 1,
    ("image", "tag"): 1,
    ("more",): 1,
    ("block",): 1,
    ("block", "inblock"): 1,
    ("second",): 1,
    ("second", "k"): 1,
    ("second", "l"): 1,
}


async def rendered(template: str) -> pools.Answer:
    files = {
        "Chart.yaml": b"apiVersion: v2\nname: c\nversion: 0.1.0\n",
        "templates/x.yaml": template.encode(),
        "templates/_names.tpl": NAMES.encode(),
    }
    async with pools.opened(1) as pool:
        request = pools.Request([pools.Release("release", "default", (VALUES,))], texts=True)
        (answer,) = await pool.render(files, request, chart="c")
    assert answer.error is None, answer.error
    return answer


async def traced(document: int, *pointer: str) -> tracing.Origin:
    answer = await rendered(tracing.numbered(TEMPLATE))
    text = answer.texts["c/templates/x.yaml"]
    numbered = tracing.NumberedText(text)
    return tracing.trace(TEMPLATE, numbered, document, pointer, tracing.named([NAMES, TEMPLATE]))


async def test_numbers_change_no_object() -> None:
    plain, numbered = await rendered(TEMPLATE), await rendered(tracing.numbered(TEMPLATE))
    assert plain.documents == numbered.documents
    assert len(plain.documents) == 2


@pytest.mark.parametrize(
    ("document", "pointer", "says", "values"),
    [
        (0, ("kind",), "kind: ConfigMap", None),
        (0, ("data", "literal"), 'literal: "yes"', None),
        (0, ("data", "last"), "last: end", None),
        (0, ("data", "direct"), "direct: {{", ("direct",)),
        (0, ("data", "image"), 'image: {{ include "c.image"', ("image",)),
        (0, ("data", "two"), "two: {{", ("image",)),
        (0, ("data", "script"), "script: |", None),
        (0, ("data", "more"), "more: {{", ("more",)),
        (0, ("data", "p"), "{{ $key }}", None),
        (0, ("data", "r"), "{{ $key }}", None),
        (0, ("data", "inblock"), "{{- toYaml . | nindent 2 }}", ("block", "inblock")),
        (0, ("metadata", "annotations", "example.com/one"), "include", None),
        (0, ("data", "missing"), "data:", None),
        (1, ("data", "k"), "{{- toYaml .Values.second", ("second", "k")),
        (1, ("data", "l"), "{{- toYaml .Values.second", ("second", "l")),
    ],
)
async def test_part_is_traced_to_its_line_and_its_value(
    document: int, pointer: tuple[str, ...], says: str, values: tuple[str, ...] | None
) -> None:
    origin = await traced(document, *pointer)
    assert says in TEMPLATE.split("\n")[origin.line - 1]
    assert tracing.value_keys(origin, pointer, PLACES) == values
    assert origin.literal == ("{{" not in TEMPLATE.split("\n")[origin.line - 1])


async def test_line_without_a_number_of_its_own_is_not_made_up() -> None:
    assert tracing.trace("a: 1\n", tracing.NumberedText("a: 1\n"), 0, ("a",)) == tracing.Origin(
        reached=("a",)
    )
    assert tracing.trace("a: 1\n", tracing.NumberedText("a: ["), 0, ("a",)) == tracing.Origin()
    assert tracing.trace("a: 1\n", tracing.NumberedText("a: 1\n"), 7, ("a",)) == tracing.Origin()


LINES = st.sampled_from(
    [
        "{{- if true }}",
        "{{- end }}",
        "{{- with .Values.more }}",
        "  key: value",
        "  key: |",
        "    text",
        "- item",
        "---",
        "",
        "# comment",
        "{{ define",
        '"x" }}',
        "{{/* a",
        "*/}}",
        "a: 'b",
        "a: {{ .Values.a -}}",
    ]
)


@given(st.lists(LINES, min_size=1, max_size=20))
def test_any_text_can_be_numbered_and_loses_nothing(lines: list[str]) -> None:
    numbered = tracing.numbered("\n".join(lines)).split("\n")
    assert [line.partition(" #@@")[0] for line in numbered] == lines


@pytest.mark.parametrize("break_", ["\n", "\r\n"])
@pytest.mark.parametrize("inside", ["", "\u2028", "\x85", "\r"])
def test_lines_are_those_of_a_template_however_they_end(break_: str, inside: str) -> None:
    lines = [f"# comment{inside}", "a: 1", "b:", "  c: 2", "  d: 3", ""]
    template = break_.join(lines)
    text = tracing.NumberedText(tracing.numbered(template))
    for line, pointer in ((2, ("a",)), (4, ("b", "c")), (5, ("b", "d"))):
        origin = tracing.trace(template, text, 0, pointer)
        assert (origin.line, origin.literal, origin.reached) == (line, True, pointer)


@pytest.mark.parametrize("nothing", ["{}", "null", "~", "# a comment", ""])
def test_documents_of_nothing_are_not_counted(nothing: str) -> None:
    template = "{{ toYaml .Values.extra }}\n---\nkind: Service\nspec:\n  type: {{ .Values.t }}\n"
    text = f"{nothing} #@@1\n---\nkind: Service #@@3\nspec: #@@4\n  type: x #@@5\n"
    origin = tracing.trace(template, tracing.NumberedText(text), 0, ("spec", "type"))
    assert (origin.line, origin.values) == (5, ("t",))


def test_document_of_a_text_is_counted() -> None:
    numbered = tracing.NumberedText("'null' #@@1\n---\na: 1 #@@3\n")
    assert tracing.trace("'null'\n---\na: 1\n", numbered, 1, ("a",)).line == 3
