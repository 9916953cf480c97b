"""Values that are another text afterwards, as Helm itself has them."""

from __future__ import annotations

import asyncio

import pytest
from tests.support import trees

from hanbae import libyaml
from hanbae.charts import pools, rendering, rewriting

SOURCES = (
    *("10485760", "999999", "1000000", "0644", "1.10", "1.0", "1.", ".5", "1_000", "0x1F", "0b11"),
    *("+8210", "0.5", "12", "1e3", "6063e25", "20240715", "0.00001", "0.0001", "-0", "0", "08"),
    *("012345678", "1234567.5", "yes", "No", "on", "OFF", "y", "n", "2024-07-15", "12:30", "1.2.3"),
    *("v1", "a_b", "0o17", "-1_0", "1e400", "123456789012345678901234", "190:20:30", "0xfg"),
)
TEMPLATE = """apiVersion: v1
kind: ConfigMap
metadata: {name: a}
data:
{{- range $index, $value := .Values.texts }}
  v{{ $index }}: {{ $value | quote }}
  j{{ $index }}: {{ ternary $value (toJson $value) (kindIs "string" $value) | quote }}
{{- end }}
"""


def rendered(values: str) -> dict[str, str]:
    tree = trees.MemoryTree(
        {
            "chart/Chart.yaml": b"apiVersion: v2\nname: a\nversion: 1.0.0\n",
            "chart/templates/a.yaml": TEMPLATE.encode(),
        }
    )
    request = pools.Release("a", "b", values=(values.encode(),))
    data: dict[str, str] = (
        asyncio.run(rendering.render(tree, "chart", request)).manifests[0].object["data"]
    )
    return data


def test_helm_makes_one_of_the_forms_of_each_value() -> None:
    plain = "texts:\n" + "".join(f"- {source}\n" for source in SOURCES)
    data = rendered(plain)
    for index, source in enumerate(SOURCES):
        texts = {data[f"v{index}"], data[f"j{index}"]}
        assert texts <= {source, *rewriting.forms(source)}, source
        assert (texts == {source}) == (rewriting.forms(source) == ()), source


def test_quoted_values_are_what_they_are_written_as() -> None:
    plain = "texts:\n" + "".join(f"- {source} # é\n" for source in SOURCES)
    scalars = rewriting.scalars(plain)
    assert {scalar.source for scalar in scalars} == {
        source for source in SOURCES if rewriting.forms(source)
    }
    data = rendered(rewriting.quoted(plain, scalars))
    assert [data[f"v{index}"] for index in range(len(SOURCES))] == list(SOURCES)


@pytest.mark.parametrize(
    "text", ["a: '0644'\n", "a: !!str 0644\n", "0644: a\n", "a: |\n  0644\n", "a: [b, 12]\n", ": :"]
)
def test_what_is_text_or_stays_itself_is_left(text: str) -> None:
    assert rewriting.scalars(text) == ()


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ('{"a":0644}', "0644"),
        ("{'a':0644, b: 1}", "0644"),
        ('{"a":yes}', "yes"),
        ("{? [b] :0644}", "0644"),
        ("[0644,1.10]", "0644"),
        ("-\n  0644\n", "0644"),
        ("a:\n  0644\n", "0644"),
        ("a:\t0644\n", "0644"),
        ("--- 0644\n", "0644"),
        ("? a\n: 0644\n", "0644"),
        ("a: -0\n", "-0"),
        ("[-0]", "-0"),
    ],
)
def test_values_are_known_however_they_are_set_off(text: str, source: str) -> None:
    assert source in {scalar.source for scalar in rewriting.scalars(text)}


def test_digits_behind_a_colon_or_dash_within_a_text_do_not_have_it_parsed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(libyaml, "compose", None)
    digest = f"sha256:{'0' * 64}"
    texts = (
        f"a: {digest}\nb: registry/auth:1.10\nc: auth-1.10\nd: [{digest}, x-0644]\ne: '9:0644'\n"
    )
    assert rewriting.scalars(texts) == ()
