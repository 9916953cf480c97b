"""Foreign text for readers: honest examples, damaged in the ways that have broken readers before.

A property test draws from here, calls one reader, and lets nothing out of it but a result or an error of hanbae's.
How many are drawn, and whether the same each time, is said in :mod:`tests.support.properties`.
"""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

import hypothesis
from hypothesis import strategies as st
from tests.support import properties

from hanbae import errors

_TOKENS: Final = [
    *(b"\0", b"\n", b"\r", b"\t", b" ", b"\xff", b"\xc3", b"\xef\xbb\xbf", b"\xff\xfe", b"\x1b[31m"),
    *("\u202e", "\u2028", "\x85", "\ufeff", "한", "\U0001d7d9", "\u017f", "\u0130"),
    *("[" * 2000, "{a: " * 2000, '{"a":' * 3000, "(" * 3000, "- " * 700, "&a [*a]", "*nothing", "<<: ", "? "),
    *("!!python/object:os.system", "!!binary x", "!!int x", "!!timestamp x", "!!set {a}", "%TAG ! x", "---\n", "...\n"),
    *('"\\ud800"', "\\ud800", "\\u0000", "9" * 5000, "1e999", "-0", "NaN", ".inf", "0x", "1:30:00", "null", "true"),
    *("../" * 30, "/etc/passwd", "-", "--", "'", '"', "`", "$(", "${", "{{", "}}", "\\", "#", ":", ",", "=", "%s", "%"),
    *("a" * 5000, " " * 3000, "\n" * 3000, "*a" * 50, "?" * 100, "[a-", "[]", "{}", '""'),
]  # fmt: skip
TOKENS: Final = [token if isinstance(token, bytes) else token.encode() for token in _TOKENS]
ODD: Final[list[Any]] = [
    *(None, True, 0, -1, 2**70, 1.5, float("inf"), "", "x", "\0", "\n", "\u202e", "한", "9" * 400),
    *([], [None], [[]], ["x"], {}, {"a": None}, {"": {}}, "\ud800", "a" * 3000, "1e999", "2026-13-45T99:99:99Z"),
]  # fmt: skip


def bounded(examples: int) -> hypothesis.settings:
    """Settings for a property whose examples are expensive.

    Args:
        examples: How many are drawn in an ordinary run.
    """
    checks = [hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.function_scoped_fixture,
              hypothesis.HealthCheck.data_too_large, hypothesis.HealthCheck.large_base_example]  # fmt: skip
    return hypothesis.settings(
        max_examples=examples * properties.TIMES,
        suppress_health_check=checks,
        derandomize=properties.TIMES == 1,
    )


@contextlib.contextmanager
def expected_errors() -> Iterator[None]:
    """Let a reader refuse what it is given: by an error that has words, and not by one of a library's."""
    with contextlib.suppress(errors.Error):
        yield


@st.composite
def damaged(draw: st.DrawFn, *examples: str | bytes) -> bytes:
    """One of some texts, cut, doubled, mixed with another and with what has broken readers before."""
    texts = [text.encode() if isinstance(text, str) else text for text in examples]
    text = draw(st.sampled_from(texts))
    for _ in range(draw(st.integers(0, 4))):
        first, second = sorted(draw(st.tuples(*[st.integers(0, len(text))] * 2)))
        middle = text[first:second]
        token = draw(st.sampled_from(TOKENS))
        text = draw(
            st.sampled_from(
                [
                    text[:first] + text[second:],
                    text[:second] + middle + text[second:],
                    text[:first] + token + text[first:],
                    text[:first] + token + text[second:],
                    text[:first],
                    text[:first] + draw(st.sampled_from(texts)) + text[second:],
                ]
            )
        )[: 1 << 17]
    if draw(st.integers(0, 19)) == 0:
        return draw(st.binary(max_size=200))
    return text


@st.composite
def changed(draw: st.DrawFn, document: Any) -> Any:
    """A document of plain data with some of its parts replaced by what nothing expects there, removed or doubled."""
    root = {"": copy.deepcopy(document)}
    for _ in range(draw(st.integers(1, 3))):
        holder, key = draw(st.sampled_from(list(_holders(root))))
        odd = copy.deepcopy(draw(st.sampled_from(ODD)))
        if isinstance(holder, dict) and key != "" and draw(st.integers(0, 3)) == 0:
            del holder[key]
        else:
            holder[key] = odd
    return root[""]


def changed_json(document: Any) -> st.SearchStrategy[bytes]:
    """The JSON of such a document, or damaged JSON of the honest one."""
    honest = json.dumps(document)
    texts = changed(document).map(lambda part: json.dumps(part, ensure_ascii=True).encode())
    return st.one_of(texts, texts, damaged(honest))


def _holders(value: Any) -> Iterator[tuple[Any, Any]]:
    """The containers in a value, each with each of its keys."""
    items: Sequence[tuple[Any, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    for key, part in items:
        yield value, key
        yield from _holders(part)
