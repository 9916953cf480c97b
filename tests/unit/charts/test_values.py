"""An edit of a values file changes one value, keeps every other byte, and is there completely or not at all."""

from __future__ import annotations

import difflib
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st
from ruamel.yaml import YAML

from hanbae import errors
from hanbae.charts import values

CHART = """\
# Values of auth in dev.
image:
    repository: registry.example.com/shop/auth   # no tag here
    tag: '1.4.2'
    digest: ""

# Sealed with `hanbae secrets seal`.
sealedSecret:
    encryptedData:
        DATABASE_URL: AgA1   # the main database

        # JWT_SECRET comes later
env: {LOG_LEVEL: info, list: [a, b]}   # braces
resources:
- name:   cpu
  value: 1
# the end
"""


def edited(text: str, path: str, value: str | int | bool) -> str:
    document = values.Values.parse(text, "values-dev.yaml")
    document.set(path, value)
    assert document.get(path) == value
    return document.text()


def diff(before: str, after: str) -> list[str]:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    return [line for line in lines if not line.startswith(("---", "+++", "@@"))]


@pytest.mark.parametrize(
    ("path", "value", "changed"),
    [
        ("image.tag", "1.5.0", ["-    tag: '1.4.2'", "+    tag: '1.5.0'"]),
        ("image.tag", "it's", ["-    tag: '1.4.2'", "+    tag: 'it''s'"]),
        ("image.digest", "sha256:ab", ['-    digest: ""', '+    digest: "sha256:ab"']),
        (
            "image.repository",
            "r/x",
            [
                "-    repository: registry.example.com/shop/auth   # no tag here",
                "+    repository: r/x   # no tag here",
            ],
        ),
        (
            "sealedSecret.encryptedData.DATABASE_URL",
            "AgB2+/=",
            [
                "-        DATABASE_URL: AgA1   # the main database",
                "+        DATABASE_URL: AgB2+/=   # the main database",
            ],
        ),
        ("sealedSecret.encryptedData.JWT_SECRET", "AgC3", ["+        JWT_SECRET: AgC3"]),
        ("sealedSecret.certificate", "sha256:00", ["+    certificate: sha256:00"]),
        (
            "env.DEBUG",
            "yes",
            [
                "-env: {LOG_LEVEL: info, list: [a, b]}   # braces",
                '+env: {LOG_LEVEL: info, list: [a, b], "DEBUG": "yes"}   # braces',
            ],
        ),
        ("new.nested.key", 5, ["+new:", "+    nested:", "+        key: 5"]),
        ("flag", True, ["+flag: true"]),
        ("number", "1e3", ['+number: "1e3"']),
        ("version", "1.10", ['+version: "1.10"']),
        ("answer", "no", ['+answer: "no"']),
        ("한글", "값", ['+"한글": "값"']),
    ],
)
def test_edit_changes_the_one_value(path: str, value: str | int | bool, changed: list[str]) -> None:
    assert diff(CHART, edited(CHART, path, value)) == changed


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "a:\n  b: x\n"),
        ("# only this\n", "# only this\na:\n  b: x\n"),
        ("a:\n", "a:\n  b: x\n"),
        ("a: # nothing yet\nc: 1\n", "a: # nothing yet\n  b: x\nc: 1\n"),
        ("a: {}\nc: 1\n", "a:\n  b: x\nc: 1\n"),
        ("a: {} # none\n", "a:  # none\n  b: x\n"),
        ("a: ~\n", "a:\n  b: x\n"),
        ("a:\n  b:\n", "a:\n  b: x\n"),
        ("a:\n  b: # why\n  c: 1\n", "a:\n  b: x # why\n  c: 1\n"),
        ("a: {b: 1}\n", 'a: {b: "x"}\n'),
        ("a: {c: 1,}\n", 'a: {c: 1,"b": "x"}\n'),
        ("a: {c: 1}", 'a: {c: 1, "b": "x"}\n'),
        ("a:\n  b: |\n    one\n    two\n\nc: 1\n", "a:\n  b: x\n\nc: 1\n"),
        ("a:\n  c: |\n    one\n\n# x\nd: 1\n", "a:\n  c: |\n    one\n  b: x\n\n# x\nd: 1\n"),
        ("a:\n  b: one\n    two\n", "a:\n  b: x\n"),
        ("a:\n  c: [1,\n    2]  # x\nd: 1\n", "a:\n  c: [1,\n    2]  # x\n  b: x\nd: 1\n"),
        ("a:\n  c:\n  - 1\n  - k: v  # last\nd: 1\n", "a:\n  c:\n  - 1\n  - k: v  # last\n  b: x\nd: 1\n"),
        ("a:\r\n  c: 1\r\nd: 2\r\n", "a:\r\n  c: 1\r\n  b: x\r\nd: 2\r\n"),
        ("---\na:\n  c: 1", "---\na:\n  c: 1\n  b: x\n"),
        ("{}\n", "\na:\n  b: x\n"),
        ("s: &s {z: 1}\nt: *s\na:\n  b: 1\n", "s: &s {z: 1}\nt: *s\na:\n  b: x\n"),
        ('"a":\n  "b" : 1\n', '"a":\n  "b" : x\n'),
    ],
)  # fmt: skip
def test_edit_fits_into_whatever_is_there(text: str, expected: str) -> None:
    assert edited(text, "a.b", "x") == expected


def test_a_key_is_edited_where_helm_has_it() -> None:
    """``y`` is true; with ``"true"`` beside it Helm would take either."""
    assert edited("y:\n  b: 1\n", "true.b", "x") == "y:\n  b: x\n"
    assert edited("y:\n  b: 1\n", "y.b", "x") == 'y:\n  b: 1\n"y":\n  b: x\n'


@pytest.mark.parametrize(
    "text",
    [
        "a: text\n",
        "a: [1]\n",
        "a:\n  b: {c: 1}\n",
        "a:\n  b: &x 1\nc: *x\n",
        "a:\n  b: !!str 1\n",
        "z: &z {b: 1}\na: *z\n",
        "z: &z\n  b: 1\na:\n  <<: *z\n  c: *z\nq: [*z]\nw: &w {b: 2}\nx: *w\na2: 1\n? [1, 2]\n: 3\n",
    ],
)
def test_what_cannot_be_edited_alone_is_refused_and_stays(text: str) -> None:
    document = values.Values.parse(text, "values-dev.yaml")
    path = "a.b" if "<<" not in text else "w.b"
    with pytest.raises(errors.FileFault) as caught:
        document.set(path, "x")
    assert caught.value.place is not None
    assert caught.value.place.file == "values-dev.yaml"
    assert document.text() == text


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: [", 1),
        ("a: 1\na: 2\n", 2),
        ("- 1\n", 1),
        ("a: 1\n---\nb: 1\n", 2),
        ("a:\n\t- 1\n", 2),
        ("a: *nowhere\n", 1),
        ("a: !!python/object:os.system x\n", 1),
        ("a: \x00\n", 1),
    ],
)
def test_fault_has_a_place(text: str, line: int) -> None:
    with pytest.raises(errors.FileFault) as caught:
        values.Values.parse(text, "values-dev.yaml")
    assert caught.value.place is not None
    assert caught.value.place.line == line


def test_alias_bomb_is_refused() -> None:
    text = "a0: &a0 [x, x]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30)
    )
    for odd in ("", "# A tab:\t\n"):
        with pytest.raises(errors.FileFault, match=r"values-dev\.yaml:\d+:.*too-many-values"):
            values.Values.parse(odd + text, "values-dev.yaml")


@pytest.mark.parametrize("odd", ["", "\t", "!"])
@pytest.mark.parametrize("text", ["[" * 5000, "- " * 5000])
def test_what_goes_too_deep_is_told_at_its_line(odd: str, text: str) -> None:
    """Also where only the slow parser reads a file, whose own fault has no place."""
    with pytest.raises(errors.FileFault) as caught:
        values.Values.parse(f"# A comment. {odd}\na: 1\nb:\n  {text}\n", "values-dev.yaml")
    assert caught.value.text.facts == {"problem": "more than 250 levels"}
    assert caught.value.place is not None
    assert caught.value.place.line == 4


def test_place_of_a_value_is_its_line() -> None:
    document = values.Values.parse(CHART, "values-dev.yaml")
    assert str(document.place("image.tag")) == "values-dev.yaml:4:5"
    assert str(document.place("image.nothing")) == "values-dev.yaml"


KEYS = st.text("abcXYZ_09.-", min_size=1, max_size=5)
SCALARS = st.text(max_size=12) | st.sampled_from(
    ["yes", "1e3", "0x1", "12:30", "~", "null", "=", "<<"]
)
TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("ab c:#'\"\n", max_size=8),
    lambda inner: st.dictionaries(KEYS, inner, max_size=4) | st.lists(inner, max_size=3),
    max_leaves=12,
)


@given(
    st.dictionaries(KEYS, TREES, max_size=5),
    st.lists(KEYS, min_size=1, max_size=3),
    # Helm counts no further.
    SCALARS | st.integers(-(2**63), 2**63 - 1) | st.booleans(),
    st.booleans(),
)
def test_any_edit_of_any_document_sets_the_value_or_is_refused(
    data: dict[str, object], path: list[str], value: str | int | bool, flow: bool
) -> None:
    if flow:
        text = json.dumps(data)  # which is YAML, too
    else:
        stream = io.StringIO()
        dumper = YAML(typ="safe", pure=True)
        dumper.default_flow_style = False
        dumper.dump(data, stream)
        text = stream.getvalue()
    try:
        document = values.Values.parse(text, "v.yaml")
    except errors.FileFault:
        reject()  # the dumper cannot write everything so that the parser reads it
    before = document.text()
    try:
        document.set(path, value)
    except errors.FileFault:
        assert document.text() == before
        # Only what stands on the way may refuse: a path through mappings and missing keys always works.
        node: object = data
        for key in path[:-1]:
            node = node.get(key) if isinstance(node, dict) else node
        assert not isinstance(node, dict) or isinstance(node.get(path[-1]), dict | list)
        return
    again = values.Values.parse(document.text(), "v.yaml")
    assert again.get(path) == value
    assert type(again.get(path)) is type(value)


def test_file_is_replaced_in_one_step_and_keeps_its_mode(tmp_path: Path) -> None:
    file = tmp_path / "values-dev.yaml"
    file.write_text(CHART)
    file.chmod(0o640)
    inode = file.stat().st_ino
    with values.editing(file, "values-dev.yaml") as document:
        document.set("image.tag", "2")
        assert file.read_text() == CHART
    assert "tag: '2'" in file.read_text()
    assert file.stat().st_ino != inode
    assert file.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in tmp_path.iterdir()] == ["values-dev.yaml"]


def test_error_while_editing_leaves_the_file(tmp_path: Path) -> None:
    file = tmp_path / "values-dev.yaml"
    file.write_text(CHART)

    def fail() -> None:
        with values.editing(file, "values-dev.yaml") as document:
            document.set("image.tag", "2")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert file.read_text() == CHART
    assert [path.name for path in tmp_path.iterdir()] == ["values-dev.yaml"]


def test_edit_that_changes_nothing_writes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "values-dev.yaml"
    file.write_text(CHART)
    inode = file.stat().st_ino
    with values.editing(file, "values-dev.yaml") as document:
        document.set("image.tag", "1.4.2")
    assert file.stat().st_ino == inode


@pytest.mark.parametrize("kind", ["link", "missing", "no folder", "latin-1"])
def test_file_that_is_not_one_is_a_fault(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "values-dev.yaml"
    if kind == "link":
        (tmp_path / "elsewhere.yaml").write_text(CHART)
        file.symlink_to(tmp_path / "elsewhere.yaml")
    elif kind == "no folder":
        file = tmp_path / "nowhere" / "values-dev.yaml"
    elif kind == "latin-1":
        file.write_bytes(b"a: \xe9\n")
    with pytest.raises(errors.FileFault), values.editing(file, "values-dev.yaml") as document:
        document.set("image.tag", "2")


WRITER = """
import sys
from pathlib import Path
from hanbae.charts import values
for n in range(20):
    with values.editing(Path(sys.argv[1]), "v") as document:
        document.set(f"counts.w{sys.argv[2]}_{n}", n)
"""


def test_commands_that_edit_at_the_same_time_lose_nothing(tmp_path: Path) -> None:
    file = tmp_path / "values-dev.yaml"
    file.write_text(CHART)
    source = str(Path(values.__file__).parents[2])
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(file), str(n)],
            env=os.environ | {"PYTHONPATH": source},
        )
        for n in range(3)
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]
    assert len(values.read(file, "v").get("counts")) == 60


def removed(text: str, *paths: str) -> str:
    document = values.Values.parse(text, "values-dev.yaml")
    document.remove([tuple(path.split(".")) for path in paths])
    return document.text()


@pytest.mark.parametrize(
    ("paths", "changed"),
    [
        (["image.tag"], ["-    tag: '1.4.2'"]),
        (["image.tag", "image.digest"], ["-    tag: '1.4.2'", '-    digest: ""']),
        (["resources"], ["-resources:", "-- name:   cpu", "-  value: 1"]),
        (["nowhere", "image.nowhere"], []),
        (
            ["sealedSecret.encryptedData.DATABASE_URL"],
            [
                "-    encryptedData:",
                "-        DATABASE_URL: AgA1   # the main database",
                "+    encryptedData: {}",
            ],
        ),
    ],
)
def test_removed_entries_take_nothing_with_them(paths: list[str], changed: list[str]) -> None:
    assert diff(CHART, removed(CHART, *paths)) == changed


def test_entry_in_braces_is_not_removed() -> None:
    with pytest.raises(errors.FileFault):
        removed(CHART, "env.LOG_LEVEL")


_KEYS = st.sampled_from(["a", "b", "c.d", "1", "yes", "<<", "x y"])
_SCALARS = st.one_of(
    st.text(max_size=6),
    st.integers(),
    st.booleans(),
    st.none(),
    st.floats(allow_nan=False),
    st.sampled_from(["0123", "1_000", "yes", "2026-01-01", "1e3", "0x1f", "~", "null", "{", "한"]),
)
_TREES = st.dictionaries(
    _KEYS,
    st.recursive(_SCALARS, lambda inner: st.lists(inner, max_size=3), max_leaves=5),
    max_size=5,
)


@given(_TREES, st.booleans())
def test_both_parsers_read_the_same(tree: dict[str, object], braces: bool) -> None:
    """libyaml reads what is plain; whatever it reads, ruamel reads so too, and at the same places."""
    buffer = io.StringIO()
    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = braces
    writer.dump(tree, buffer)
    text = buffer.getvalue()
    quick = values._by_libyaml(text)
    if quick is None:
        return
    slow = values._by_ruamel(text, "x")
    assert repr(quick.data) == repr(slow.data)
    assert places(quick.root) == places(slow.root)


def places(root: Any) -> list[tuple[int, int]]:
    """Line and column of every key."""
    if root is None or root.id != "mapping":
        return []
    return [
        place
        for key, value in root.value
        for place in [(key.start_mark.line, key.start_mark.column), *places(value)]
    ]


def test_plain_files_are_read_by_libyaml() -> None:
    assert values._by_libyaml(CHART) is not None
    assert values._by_libyaml("# 한국어 — 주석\na: 1\n") is not None


@pytest.mark.parametrize(
    "text",
    [
        "a: &x 1\n",
        "a: !!str 1\n",
        "a: 1\na: 2\n",
        "<<: {a: 1}\n",
        "1: a\n",
        "a:\t1\n",
        "a: 1\r\n",
        "---\na: 1\n",
    ],
)
def test_what_is_not_plain_is_left_to_ruamel(text: str) -> None:
    assert values._by_libyaml(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "a:\n  password: *hunter2\n",
        "a: !hunter2\n",
        "a: !hun!hunter2 x\n",
        "a: hunter2\na: hunter2\n",
    ],
)
def test_a_fault_does_not_repeat_the_value(tmp_path: Path, text: str) -> None:
    path = tmp_path / "values.yaml"
    path.write_text(text)
    with pytest.raises(errors.FileFault) as caught:
        values.read(path, "values.yaml")
    assert "hunter2" not in json.dumps(caught.value.text.facts)
    assert caught.value.__cause__ is None
