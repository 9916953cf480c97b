"""Where everything in a values file stands, worked out once for files that differ in words."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanbae import libyaml, subjects
from hanbae.rules import valuesfiles

VALUES = """\
# The values of {service} in {environment}.
image:
  repository: registry.example.com/{service}
  digest: "sha256:{digest}"
databases:
  - {{name: main_db, urlKey: DATABASE_URL, dir: "", wave: -5}}
sealedSecret:
  encryptedData:
    DATABASE_URL: {ciphertext}
"""
DEV = VALUES.format(service="auth", environment="dev", digest="0" * 64, ciphertext="AgA+/" * 9)
PROD = VALUES.format(service="shop", environment="prod", digest="9f" * 32, ciphertext="AgB==")

#: Texts in which words between a colon and the end of a line are those of a key, or count otherwise.
ODD = (
    '{{"a: {}"\n}}',
    '{{"a: {}\n  b": 1}}',
    '{{x: "}}\n", "a: {}"\n}}',
    '{{x: y # }}\n, "a: {}"\n}}',
    "? |\n  a: {}\n: 1\n",
    '? "a\n  b: {}"\n: 1\n',
    "a: &b {}\nc: *b\n",
    'a: "{}\nb: c\n',
    "a: {}\na: {}\n",
    "a: one\nb:\n  a: {}\n  a: one\n",
    "a#b: {}\n'a #b': {}\na #b: {}\n",
    "a: |\n  b: {}\n  # {}\nc: {}\n",
    "a: b: {}\n",
    "- {}\n- a: {}\n  b: '{}'\n",
)
WORDS = ("one", "two three", "sha256:00", "AgA+/=", "1.10")

PIECES = (
    "a", "b", ": ", ": word", ": two words", "\n", "\n  ", "- ", '"', "'", "{", "}", "[", "]", ", ", " # note", "#",
    "? ", "&a ", "|\n", "sha256:00", "값", "\\", "---\n",
)  # fmt: skip


def alone(data: bytes) -> valuesfiles.ValuesFile:
    """A file as it is read where nothing is known of its layout."""
    return valuesfiles._parsed(data, "a.yaml")


@pytest.mark.parametrize("text", ODD)
def test_words_of_another_file_change_no_place(text: str) -> None:
    for word in WORDS:
        data = text.format(*[word] * 3).encode()
        assert valuesfiles.parse(data, "a.yaml") == alone(data)


@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
def test_places_are_those_of_the_file_itself(text: str) -> None:
    assert valuesfiles.parse(text.encode(), "a.yaml") == alone(text.encode())


def test_files_that_differ_in_words_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Any] = []
    compose = libyaml.compose

    def counted(data: bytes, **options: Any) -> Any:
        read.append(data)
        return compose(data, **options)

    monkeypatch.setattr(libyaml, "compose", counted)
    text = f"{DEV}own: 1\n"  # of a layout that no other test has
    first = valuesfiles.parse(text.encode(), "dev.yaml")
    second = valuesfiles.parse(f"{PROD}own: 1\n".encode(), "prod.yaml")
    assert len(read) == 1
    assert first.places == second.places == alone(text.encode()).places
    assert second.place(("sealedSecret",)) == subjects.Place("prod.yaml", 7, 1)


@pytest.mark.parametrize("piece", ["{", "# ", ": a", ": a ", '{""', ": sha256:", "{}"])
def test_no_text_takes_long(piece: str) -> None:
    begun = time.process_time()
    valuesfiles._layout(piece.encode() * (64 * 1024 // len(piece)))
    valuesfiles._has_plain_keys(piece.encode() * 100_000)
    assert time.process_time() - begun < 1
