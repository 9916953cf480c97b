"""What hanbae takes a plain scalar for, the pinned Helm takes it for: in values, and in what it renders."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hanbae import errors, libyaml, yaml_scalars
from hanbae.charts import pools, rendering, values
from hanbae.repository import trees

WHOLE = """
0 1 -1 +12 12 1_000 1__0 1_ _1 017 08 09 0_7 00 007 0o17 0O17 0o8 -0o17 +0o7 0x1F 0X1f 0x_1f 0xg
-0x1F 0b101 0B101 -0b11 +0b1 0b 0x 0o 0b2 9223372036854775807 9223372036854775808
18446744073709551615 18446744073709551616 99999999999999999999 -9223372036854775808
-9223372036854775809 123456789012345678901234567890 1,000 1 +
"""
FLOATS = """
1.5 1. .5 +.5 -.5 1e5 1E5 1e+5 1e-05 1.5e3 1.5E-3 .5e3 1.e3 1_000.5 1_0e1_0 1e5_0 ._5 .5_0 .e3
1.2.3 1e 1e+ e5 0.0 -0 -0.0 +1.5 1.0 10.0 0x1p-2 0x1.8p1 1e400 1e-400 1:30 1:30.5 190:20:30
1:30:45.5
"""
OTHERS = """
.5__0 .5_ .5e1_0 .5e_1 .5_e1 -.5_0 .5e400 0x1.5 1__.5 +18446744073709551615
-18446744073709551615 0xFFFFFFFFFFFFFFFF 0x1FFFFFFFFFFFFFFFF 0777777777777777777777777 0b_1 _ __
-_ 0_b1 1_e5 y Y n N yes Yes YES no No NO on On ON off Off OFF true True TRUE tRue false False
FALSE t f T F ~ null Null NULL nULL none None Nil = << .Nan nan NaN .infx inf Inf 2026-11-25
2026-11-25T10:00:00Z 2001-12-14t21:59:43.10-05:00 12:30:45 1.2.3.4 v1 1a a1 0a 1-2 1+1 -a +a -_1
+_1 -. +. . .. -.x 0_ 0__ -0_0 0.1_1 1_.5 0b1_0 0o1_7 0x1_F 0x1e5 0e0 00.5 01.5 08.5 09e1 +08
-08 -017 +017 1e05 5e-324 1.7976931348623157e308 3.0000000000000001 0.1 1e21 123456789.0 1e6
1000000.0 12e03 -2E+05 +1e5 -1e5 0b 0o_7 0x- 1__000__000 --1 +-1
"""
#: JSON has no such numbers, so neither Helm nor Kubernetes reads a document with them.
REFUSED = (".nan", ".NaN", ".inf", "+.Inf", "-.INF")
CHART = "apiVersion: v2\nname: scalars\nversion: 0.1.0\n"
MANIFEST = """\
apiVersion: v1
kind: ConfigMap
metadata: {{name: values}}
data: {{v: {{{{ toJson .Values.read | quote }}}}}}
---
apiVersion: example.com/v1
kind: Scalars
metadata: {{name: rendered}}
read:
{}
"""


async def answer(folder: Path, block: str) -> pools.Answer:
    (folder / "templates").mkdir(parents=True, exist_ok=True)
    (folder / "Chart.yaml").write_text(CHART)
    (folder / "values.yaml").write_text(f"read:\n{block}\n")
    (folder / "templates/all.yaml").write_text(MANIFEST.format(block))
    async with pools.opened(1) as pool:
        request = pools.Release("r", "n", (), "v1.35.4")
        tree = trees.WorkingTree(folder.parent)
        (answered,) = await rendering.answers(pool, tree, folder.name, [request])
    return answered


def typed(value: object) -> object:
    """A value with its type; JSON does not tell a whole float from an integer, and values' numbers are all floats."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return type(value).__name__ if not is_number else "number", float(value) if is_number else value  # type: ignore[arg-type]


async def test_each_scalar_is_what_helm_takes_it_for(tmp_path: Path) -> None:
    words = dict.fromkeys(f"{WHOLE} {FLOATS} {OTHERS}".split())
    named = {f"k{number}": word for number, word in enumerate(words)}
    block = "\n".join(f"  {key}: {word}" for key, word in named.items())
    answered = await answer(tmp_path / "chart", block)
    assert answered.error is None
    by_kind = {item["kind"]: item for _, item in answered.documents}
    rendered = by_kind["Scalars"]["read"]
    by_values = json.loads(by_kind["ConfigMap"]["data"]["v"])
    plain = libyaml.load(block)
    edited = values.Values.parse(block.replace("\n  ", "\n").strip(), "values.yaml").data
    wrong = {
        word: (rendered[key], plain[key], edited[key])
        for key, word in named.items()
        if {typed(rendered[key]), typed(by_values.get(key))} != {typed(plain[key])}
        or typed(plain[key]) != typed(edited[key])
        or typed(plain[key]) != typed(yaml_scalars.scalar(word))
    }
    assert not wrong


async def test_what_json_has_no_word_for_is_refused_by_helm_and_no_number_here(
    tmp_path: Path,
) -> None:
    for word in REFUSED:
        answered = await answer(tmp_path / "chart", f"  k: {word}")
        assert "unsupported value" in (answered.error or "")
        assert isinstance(yaml_scalars.scalar(word), float)


async def test_a_number_of_more_than_64_bits_ends_no_command(tmp_path: Path) -> None:
    """Go writes it without an exponent, and what msgspec reads of it then it writes nowhere."""
    answered = await answer(tmp_path / "chart", "  k: 99999999999999999999")
    assert [item["read"]["k"] for _, item in answered.documents if "read" in item] == [1e20]


MERGES = [
    "a: own\n<<: {a: merged}",
    "<<: {a: merged}\na: own",
    "<<: [{a: 1}, {a: 2, b: 3}]\nb: own",
    "b: own\n<<: [{a: 1}, {a: 2, b: 3}]",
    "<<: {a: 1}\n<<: {a: 2, b: 3}",
    "x: &x {a: 1, b: 2}\nz: {b: 3, <<: *x, a: 4}",
    "x: &x {b: 1, <<: {b: 2}}\nz: {b: 3, <<: *x}",
    "a: {k: 1}\n<<: {a: {l: 2}}",
    "x: {a: 1, !!merge <<: {a: 2}}",
    "<<: {<<: {a: 1}, b: 2}",
    "<<: []",
    "<<: [{a: b}, [c]]",
    "<<: text",
    "<<: {~: a}",
]


async def test_merge_keys_merge_where_they_stand_as_helm_has_it(tmp_path: Path) -> None:
    """Not as YAML 1.1 has it: an image's tag would be another in a plan than on the cluster."""
    for text in MERGES:
        answered = await answer(tmp_path / "chart", "  " + text.replace("\n", "\n  "))
        if answered.error is not None:
            assert "merge" in answered.error or "unsupported map key" in answered.error
            continue
        by_kind = {item["kind"]: item for _, item in answered.documents}
        assert libyaml.load(text) == by_kind["Scalars"]["read"], text
        assert values.Values.parse(text, "values.yaml").data == by_kind["Scalars"]["read"], text


def test_what_cannot_be_merged_has_its_line() -> None:
    for text in ("a: 1\n<<: [{a: b}, [c]]", "a: 1\n<<: text"):
        with pytest.raises(libyaml.Fault):
            libyaml.load(text)
        with pytest.raises(errors.FileFault) as caught:
            values.Values.parse(text, "values.yaml")
        assert caught.value.place is not None
        assert caught.value.place.line


KEYS = """
1.5 1e5 1.0 -0.0 1e21 1e20 1e-7 1e-5 0.0001 0.1 16777217.0 123456789.5 3.4e39 -1e308 5e-324 1e400
.inf -.Inf .nan 9223372036854775807 -9223372036854775808 0x1F true on No 1_000 -5 08 1234567.5
2097152.125 1e6 123456.0 999999.94 99999999999999999999 100000000.0 ~ null 9223372036854775808
18446744073709551615 0.30000001 1.17549435e-38 1.4e-45 3.4028235e38 1e23 8.5899346e9 text
"""


async def test_each_key_is_what_helm_takes_it_for(tmp_path: Path) -> None:
    for word in KEYS.split():
        text = f"{word}: v"
        answered = await answer(tmp_path / "chart", f"  {text}")
        if answered.error is not None:
            assert "unsupported map key" in answered.error
            refused(text)
            continue
        by_kind = {item["kind"]: item for _, item in answered.documents}
        assert libyaml.load(text) == by_kind["Scalars"]["read"], text
        assert values.Values.parse(text, "values.yaml").data == by_kind["Scalars"]["read"], text


async def test_keys_of_different_types_are_two_unless_json_has_one_word_for_them(
    tmp_path: Path,
) -> None:
    text = "true: a\n1: b"  # Python's are one
    answered = await answer(tmp_path / "chart", "  true: a\n  1: b")
    by_kind = {item["kind"]: item for _, item in answered.documents}
    assert libyaml.load(text) == by_kind["Scalars"]["read"] == {"true": "a", "1": "b"}
    assert values.Values.parse(text, "values.yaml").data == {"true": "a", "1": "b"}
    # Which of these Helm takes differs from one time to the other.
    for doubled in ("1: a\n1.0: b", 'true: a\n"true": b', '<<: {1: a}\n"1": b'):
        refused(doubled)


def refused(text: str) -> None:
    with pytest.raises(libyaml.Fault) as fault:
        libyaml.load(text)
    with pytest.raises(errors.FileFault) as caught:
        values.Values.parse(text, "values.yaml")
    assert caught.value.place is not None
    assert caught.value.place.line == fault.value.line > 0
