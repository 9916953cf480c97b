"""What hanbae fails with on purpose goes past whoever guards against Python's own errors."""

from __future__ import annotations

import errno
import importlib
import pkgutil

import pytest

import hanbae
from hanbae import errors, wording
from hanbae.deploying import preflight


def test_no_error_of_ours_is_a_kind_of_pythons_own() -> None:
    """``except ValueError`` around a library's call would swallow it, or put it into other words."""
    for module in pkgutil.walk_packages(hanbae.__path__, "hanbae."):
        importlib.import_module(module.name)
    kinds: list[type[errors.Error]] = [errors.Error]
    for kind in kinds:
        kinds += kind.__subclasses__()
    own = (Exception, BaseException, object)
    assert {
        kind.__name__: base.__name__
        for kind in kinds
        for base in kind.__mro__
        if base.__module__ == "builtins" and base not in own
    } == {}
    assert len(kinds) > 20


def test_an_error_says_a_text_whose_facts_are_named_like_its_own_arguments() -> None:
    text = wording.Text("a.b", {"place": "file:1", "text_id": "x"})
    error = errors.Refused.saying(text)
    assert (error.text, error.place, str(error)) == (text, None, str(text))
    assert preflight.KnownToFail((text,)).text == text


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (OSError(errno.ENOEXEC, "Exec format error", "/bin/helm"), "Exec format error"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "Cannot allocate memory"),
        (FileNotFoundError(errno.ENOENT, "No such file", "/gone"), "/gone: No such file"),
        (OSError(), "OSError"),
    ],
)
def test_a_program_that_the_system_does_not_start_is_named_with_its_reason(
    error: OSError, why: str
) -> None:
    with pytest.raises(errors.Lacking) as caught, errors.starting("/bin/helm"):
        raise error
    facts = {"program": "/bin/helm", "why": why}
    assert caught.value.text == wording.Text("main.unstarted", facts)
