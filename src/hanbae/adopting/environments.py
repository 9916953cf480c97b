"""Which environments a repository has, by the words that people call them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from typing import Final

from hanbae import patterns

_ORDER: Final = (
    ("dev", "develop", "development"),
    ("test", "testing", "tst", "int", "integration"),
    ("qa",),
    ("sandbox", "demo"),
    ("uat", "acceptance"),
    ("stg", "stage", "staging"),
    ("preprod", "pre-prod", "preproduction"),
    ("prd", "prod", "production", "live"),
)
"""The words, in the order of promotion; those of one row mean the same."""

WORDS: Final = tuple(word for row in _ORDER for word in row)
_AMBIGUOUS: Final = frozenset(
    ("test", "testing", "tst", "int", "integration", "sandbox", "demo", "acceptance", "live")
)
"""Those of the words that people call other things by as well."""
_RANK: Final = {word: rank for rank, row in enumerate(_ORDER) for word in row}
_FILE: Final = patterns.lazy(
    r"(?:^|/)(?:values[-_.])?(?P<word>[a-z][a-z-]{1,14}?)(?:[-_.]values)?\.ya?ml$"
)
_SURE: Final = patterns.lazy(r"(?:^|/)(?:envs?|environments?|overlays?|values)/")
"""Folders whose files hold values whatever they are called."""
_FOLDER: Final = patterns.lazy(r"(?:^|/)(?:envs?|environments?|overlays?)/(?P<word>[a-z-]{2,15})/")

_OF_TESTS: Final = patterns.lazy(r"(?:^|/)ci/[^/]*values\.ya?ml$")
"""Values with which chart-testing installs a chart once for each file."""


def of_file(path: str) -> str:
    """The environment that a values file is of, by its name or its folder; empty for none."""
    if _OF_TESTS.search(path):
        return ""
    match = _FILE.search(path.lower()) or _FOLDER.search(path.lower())
    word = match["word"] if match else ""
    # `test.yaml` may be anything; `values-test.yaml` is not, nor is `envs/test.yaml`.
    if word in _RANK and (word not in _AMBIGUOUS or _holds_values(path.lower())):
        return word
    match = _FOLDER.search(path.lower())
    return match["word"] if match and match["word"] in _RANK else ""


def _holds_values(path: str) -> bool:
    return "values" in posixpath.basename(path) or _SURE.search(path) is not None


def in_text(text: str, words: Iterable[str] = WORDS) -> str:
    """The environment that a name holds as one of its parts, such as ``dev`` in ``cart-dev``; empty for none."""
    parts = re.split(r"[^a-z0-9]+", text.lower())
    return next((part for part in reversed(parts) if part in words), "")


def is_plain(word: str) -> bool:
    """Whether a word is one for an environment and hardly for anything else."""
    return word in _RANK and word not in _AMBIGUOUS


def rank(word: str) -> int:
    """How far it is on the way to production."""
    return _RANK.get(word, len(_ORDER))


def same(word: str, other: str) -> bool:
    """Whether two words mean the same environment."""
    return word == other or (word in _RANK and _RANK[word] == _RANK.get(other, -1))


def is_production(word: str) -> bool:
    """Whether it is the last one."""
    return rank(word) == len(_ORDER) - 1


def is_before_production(word: str) -> bool:
    """Whether it is where production's next version is tried: staging and the like."""
    return rank("staging") <= rank(word) < len(_ORDER) - 1
