"""Reading YAML that nobody has checked: it never ends the process, and is the YAML that ruamel reads."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

import hanbae
from hanbae import libyaml
from hanbae.charts import values

DEEP = {
    "lists in brackets": "a: " + "[" * 100_000 + "]" * 100_000,
    "maps in braces": "{a: " * 60_000,
    "lists in a line": "- " * 60_000,
    "keys in a line": "? " * 60_000,
    "lists, a line each": "[\n" * 4900,
    "lists and maps, a line each": "[a:\n" * 4900,
    "lists after carriage returns": "".join(f"{'  ' * n}- a:\r" for n in range(300)),
    "lists in a line after a byte order mark": "\ufeff" + "- " * 60_000,
    "keys in a line after a second mark": "a: 1\n---\n\ufeff" + "? " * 60_000,
    "in the second document": "a: 1\n---\n" + "[" * 100_000,
}


READS: dict[str, Callable[[bytes | str], Any]] = {
    "check": libyaml.check,
    "load": libyaml.load,
    "load_all": lambda data: list(libyaml.load_all(data)),
    "compose": libyaml.compose,
    "compose_all": lambda data: list(libyaml.compose_all(data)),
    "both": lambda data: list(libyaml.both(data)),
}


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("name", DEEP)
@pytest.mark.parametrize("binary", [False, True])
def test_what_goes_too_deep_is_a_fault_and_not_the_end_of_the_process(
    name: str, read: str, binary: bool
) -> None:
    data = DEEP[name].encode() if binary else DEEP[name]
    with pytest.raises(libyaml.Fault, match="250 levels"):
        READS[read](data)


def test_what_goes_deep_line_by_line_is_read() -> None:
    text = "".join(f"{'  ' * level}- a:\n" for level in range(120))
    for name, read in READS.items():
        assert read(text) or name == "check"


WIDE = "a: &a {" + ",".join(f"k{n}: 1" for n in range(9000)) + "}\nb: [" + "*a," * 9000 + "]\n"
ENDLESS = {
    "aliases that double": "a0: &a0 {a: 1}\n"
    + "".join(f"a{n}: &a{n} {{a: *a{n - 1}, b: *a{n - 1}}}\n" for n in range(1, 60)),
    "merge keys that double": "a0: &a0 {a: 1}\n"
    + "".join(f"a{n}: &a{n}\n  <<: [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60)),
    "aliases side by side": WIDE,
    "merge keys side by side": WIDE.replace("b: [", "b:\n  <<: ["),
    "aliases of a long text": f"a: &a {'x' * 1_000_000}\nb: [{'*a,' * 9000}]\n",
    "a list in itself": "a: &a [*a]\n",
    "a map in itself": "a: &a {b: {c: *a}}\n",
    "aliases that go deep": "a0: &a0 [1]\n"
    + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 2000)),
    "directives": "".join(f"%TAG !a{n}! tag:x{n}:\n" for n in range(60_000)) + "--- a\n",
}


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("name", ENDLESS)
def test_what_grows_without_end_is_a_fault(name: str, read: str) -> None:
    for data in (ENDLESS[name], ENDLESS[name].encode()):
        with pytest.raises(
            libyaml.Fault, match=r"aliases of more|contains itself|directives|levels"
        ):
            READS[read](data)


def test_aliases_and_merge_keys_are_followed() -> None:
    text = "a: &a {b: 1, c: 2}\nd: {<<: *a, c: 3}\ne: *a\n"
    assert libyaml.load(text) == {
        "a": {"b": 1, "c": 2},
        "d": {"b": 1, "c": 3},
        "e": {"b": 1, "c": 2},
    }
    certificate = "x" * 2000
    assert libyaml.load(f"a: &a {certificate}\nb: [{'*a, ' * 1000}]\n")["b"] == [certificate] * 1000


def test_dates_and_times_are_text_and_numbers_are_numbers() -> None:
    text = "[2026-11-25, 1:30, 12:30:45.5, 017, 0x1F, 1_000, 1.5, 1e3, 1.0e+3, yes]"
    assert libyaml.load(text) == [
        *("2026-11-25", "1:30", "12:30:45.5"),
        *(15, 31, 1000, 1.5, 1000.0, 1000.0, True),
    ]
    long = "1" + ":1" * 500_000
    assert libyaml.load(f"a: {long}") == {"a": long}
    for tag in ("!!int", "!!float"):
        with pytest.raises(libyaml.Fault, match="is no"):
            libyaml.load(f"{tag} {long}")


def test_keys_are_those_of_json_as_helm_and_kubernetes_have_them() -> None:
    """A chart's ``position: {x: 1, y: 2}`` has no ``y`` to Helm, and an editor of values must not think otherwise."""
    text = "{x: 1, y: 2, 3: c, no: d}"
    expected = {"x": 1, "true": 2, "3": "c", "false": "d"}
    assert libyaml.load(text) == expected
    assert values.Values.parse(text, "values.yaml").data == expected


@given(st.text("0123456789_.eExXobB+-naifNy~", max_size=8))
@settings(max_examples=500)
def test_what_is_read_quickly_and_slowly_is_the_same(text: str) -> None:
    """Values are read by libyaml, and where that cannot by ruamel."""
    try:
        quick = libyaml.load(f"a: {text}\nb: c\n")
    except libyaml.Fault:
        return
    slow = values.Values.parse(f"a: {text}\nb: &b c\n", "values.yaml").data
    assert repr(slow) == repr(quick)


def depth(text: str) -> int:
    """How deep a file goes, by the parser's own events; as far as they come."""
    import yaml

    deepest = level = 0
    with contextlib.suppress(yaml.YAMLError):
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            level += isinstance(event, yaml.CollectionStartEvent)
            level -= isinstance(event, yaml.CollectionEndEvent)
            deepest = max(deepest, level)
    return deepest


PIECES = (
    *(
        "- ",
        "? ",
        ": ",
        "a: ",
        "a",
        "\n",
        "  ",
        " ",
        "[",
        "]",
        "{",
        "}",
        ",",
        "&x ",
        "!t ",
        "--- ",
        "...\n",
    ),
    *("\ufeff", "\r", "\x85", "\u2028", "\t", "|\n", "'a': ", '"', "#", "%YAML 1.1\n"),
)


@given(st.lists(st.sampled_from(PIECES), max_size=60).map("".join))
@settings(max_examples=500)
@example("\ufeff- - - - - - - -")
@example("- a:\n  - b:\n    - c:\n      - d")
def test_no_file_goes_deeper_than_is_known_without_parsing_it(text: str) -> None:
    deep = depth(text)
    assert deep <= libyaml.at_most(text)
    assert deep <= libyaml.at_most(text.encode())


@pytest.mark.parametrize(
    ("read", "value"),
    [
        *((read, "*hunter2") for read in ("load", "load_all", "compose", "compose_all", "both")),
        *(("load", f"!!{tag} hunter2") for tag in ("int", "float", "bool", "timestamp")),
        *(
            (read, value)
            for read in ("load", "load_all", "both")
            for value in ("!hunter2", "!<hunter2>")
        ),
        ("load", "!hun!hunter2 x"),
        ("load", "&hunter2 [&hunter2 x]"),
    ],
)
def test_a_fault_does_not_repeat_the_value(read: str, value: str) -> None:
    with pytest.raises(libyaml.Fault) as caught:
        READS[read](f"token: {value}")
    assert "hunter2" not in str(caught.value)


def test_fault_has_its_place() -> None:
    with pytest.raises(libyaml.Fault) as caught:
        libyaml.load("a: 1\nb: [\n")
    assert (caught.value.line, caught.value.column) == (3, 1)
    with pytest.raises(libyaml.Fault) as caught:
        libyaml.compose("\n" + "[" * 10_000)
    assert (caught.value.line, caught.value.column) == (2, 251)


@pytest.mark.parametrize(
    "text",
    ['!!int ""', "!!bool maybe", "!!float x", "? {a: 1}\n: b", "!x a", b"\xff"],
)
def test_whatever_the_parser_raises_is_a_fault(text: str | bytes) -> None:
    with pytest.raises(libyaml.Fault):
        libyaml.load(text)


PLAIN = (
    *("a", "develop", "1", "017", "0x1F", "1_000", "1.5", "1e3", "-1", "+1.", ".5", ".inf", "0o7"),
    *("~", "null", "Null", "", "true", "False", "yes", "on", "y", "0b1", "2026-11-25", "12:30:00"),
    *("1.2.3", "가나다", "-", "a b", "a-b", "="),
)
WORDS = st.builds(
    str.format,
    st.sampled_from(["{0}", "'{0}'", '"{0}"', "!!str {0}", "&x {0}"]),
    st.sampled_from(PLAIN),
)
TEXTS = st.recursive(
    WORDS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(items)}]"),
        st.lists(st.tuples(WORDS, inner), max_size=3).map(
            lambda items: "{" + ", ".join(f"{key}: {value}" for key, value in items) + "}"
        ),
    ),
    max_leaves=6,
)
LINES = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.sampled_from(["", "- ", "# ", "? ", "a: ", "b: ", "b: |\n   ", "*x "]),
        TEXTS,
    ).map(lambda line: f"{'  ' * line[0]}{line[1]}{line[2]}"),
    max_size=6,
).map("\n".join)


@pytest.mark.parametrize("text", ["a: =\n=: b\nc: [=]\n", "a: &x =\n=: b\nc: [*x]\n"])
def test_an_equals_sign_is_text_as_it_is_to_helm_and_kubernetes(text: str) -> None:
    """Alertmanager's ``matchType: =``; YAML 1.1 has a type of its own for it."""
    expected = {"a": "=", "=": "b", "c": ["="]}
    assert libyaml.load(text) == expected
    document = values.Values.parse(text, "values.yaml")
    assert {key: document.get((key,)) for key in expected} == expected


def shape(node: Any) -> Any:
    """A tree of either parser's nodes: tags, values, and where they begin."""
    if node is None:
        return None
    # Where nothing is, its place is before or after the line's end.
    place = (node.start_mark.line, node.start_mark.column) if node.value else None
    if node.id == "mapping":
        return place, [(shape(key), shape(value)) for key, value in node.value]
    if node.id == "sequence":
        return place, [shape(item) for item in node.value]
    tag = str(node.tag).rpartition(":")[2]
    # Nothing that hanbae reads is a date; "<<" and "=" mean nothing to YAML 1.2's core schema.
    return place, "str" if tag in {"timestamp", "merge", "value"} else tag, str(node.value)


@pytest.mark.filterwarnings("ignore::ruamel.yaml.error.ReusedAnchorWarning")
@given(LINES)
@settings(max_examples=300, deadline=None)
@example("a: 1\n가: [나, {다: 라}] # 마\n")
@example("a: !!int 5\nb: !!str 5\nc: ! 5\n")
@example("? a\n: - b\n  - c: d\n")
@example("a: >-\n  b\n  c\n\nd: |+\n  e\n\n")
def test_core_schema_is_what_ruamel_reads(text: str) -> None:
    try:
        expected = shape(YAML(typ="safe", pure=True).compose(text))
    except (YAMLError, ValueError, TypeError, AttributeError, AssertionError):
        return
    try:
        node = libyaml.compose(text, tags="core")
    except libyaml.Fault:
        return  # the policy is then read by ruamel
    assert shape(node) == expected


def test_nothing_else_reads_yaml_by_pyyaml() -> None:
    """Else the depth of a file is not looked at."""
    root = Path(hanbae.__file__).parent
    importing = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if "yaml" in (text := path.read_text())
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import) and any(alias.name == "yaml" for alias in node.names)
    }
    assert importing == {
        "libyaml.py",
        "charts/writing.py",  # only writes
    }
