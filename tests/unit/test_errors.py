"""What hanbae fails with on purpose goes past whoever guards against Python's own errors."""

from __future__ import annotations

import pytest

from hanbae import errors, wording
from hanbae.deploying import preflight

TREE = [errors.Error]
for kind in TREE:
    TREE += kind.__subclasses__()


@pytest.mark.parametrize("kind", TREE, ids=lambda kind: kind.__name__)
def test_no_error_of_ours_is_a_kind_of_pythons_own(kind: type[errors.Error]) -> None:
    """``except ValueError`` around a library's call would swallow it, or put it into other words."""
    assert {base for base in kind.__mro__ if base.__module__ == "builtins"} == {
        Exception,
        BaseException,
        object,
    }


def test_an_error_says_a_text_whose_facts_are_named_like_its_own_arguments() -> None:
    text = wording.Text("a.b", {"place": "file:1", "text_id": "x"})
    error = errors.Refused.saying(text)
    assert (error.text, error.place, str(error)) == (text, None, str(text))
    assert preflight.KnownToFail((text,)).text == text
