"""An object is written so that Kubernetes' reader, which is Helm's, reads the same object; whatever its text."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support import reading

from hanbae.charts import writing

TEXTS = [
    "on", "Yes", "n", "null", "~", "1e3", "12e4567", "0o14", "0755", "0x1F", "1_000", ".5", ".inf",
    "2001-12-14", "190:20:30", "a: b", "a #b", "- a", "{a}", "'", '"', "", " ", "a ", "\ta", "a\tb",
    "one\ntwo\n", "one\ntwo", "one\n\n", "\none", " one\ntwo", "a\r\nb", "한배", "\U0001f6f6", "a\u2028b",
    "--- a", "---", "...", "!tag", "&a", "*a", "%a", "@a", "`a", "=", "<<", "true", "x:y", "x: y",
    "a:", "http://a.b/c?d=e", "-", "--flag", "|", ">", "a\\b", "key=value", "0", "+1", "1.0", "\x7f", "\x85",
]  # fmt: skip


@pytest.fixture(scope="module")
def reader() -> Iterator[reading.Reader]:
    with reading.Reader() as reader:
        yield reader


@pytest.mark.parametrize("text", TEXTS)
def test_text_stays_text(reader: reading.Reader, text: str) -> None:
    manifest = {"kind": text, "data": {text: text, "list": [text, [text]]}}
    assert reader.read(writing.document(manifest)) == manifest


_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    # Go reads larger whole numbers as the nearest float, and says them as another integer.
    | st.floats(allow_nan=False, allow_infinity=False).filter(
        lambda number: not number.is_integer() or abs(number) <= 2**53
    )
    | st.text(st.characters(blacklist_categories=["Cs", "Cc"], whitelist_characters="\n\t"))
)
_TREES = st.recursive(
    _SCALARS, lambda part: st.lists(part) | st.dictionaries(st.text("abc-_./"), part), max_leaves=12
)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(_TREES)
def test_any_object_stays_itself(reader: reading.Reader, part: Any) -> None:
    manifest = {"apiVersion": "v1", "kind": "A", "spec": part}
    written = writing.document(manifest)
    assert reader.read(written) == manifest
    assert writing.document(reader.read(written)) == written


def test_the_bytes_do_not_depend_on_the_order_of_keys() -> None:
    manifest = {
        "spec": {"a": 1},
        "kind": "A",
        "metadata": {"name": "x"},
        "apiVersion": "v1",
        "data": {},
    }
    written = writing.document(dict(reversed(manifest.items())))
    assert written == writing.document(manifest)
    assert written.startswith(b"apiVersion: v1\nkind: A\nmetadata:\n  name: x\ndata: {}\n")
