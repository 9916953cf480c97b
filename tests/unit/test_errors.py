"""What hanbae fails with on purpose goes past whoever guards against Python's own errors."""

from __future__ import annotations

import pytest

from hanbae import errors

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
