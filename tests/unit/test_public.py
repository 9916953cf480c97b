"""What `import hanbae` offers to Python callers, and what it costs them."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import hanbae
from hanbae import errors

SOURCE = Path(hanbae.__file__)
ERRORS = [
    value
    for value in vars(errors).values()
    if isinstance(value, type) and issubclass(value, errors.Error)
]


def for_type_checkers() -> dict[str, str]:
    """Name → home, as the imports say that only type checkers read."""
    exported = {}
    for node in ast.walk(ast.parse(SOURCE.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("hanbae."):
            for alias in node.names:
                own = f":{alias.name}" if alias.asname else ""
                exported[alias.asname or alias.name] = f"{node.module}{own}".removeprefix("hanbae.")
    return exported


def test_names_are_sorted_and_unique() -> None:
    assert hanbae.__all__ == sorted(set(hanbae.__all__))


def test_type_checkers_and_callers_get_the_same_names_from_the_same_homes() -> None:
    assert for_type_checkers() == hanbae._HOMES
    assert set(hanbae._HOMES) == set(hanbae.__all__)


@pytest.mark.parametrize("name", hanbae.__all__)
def test_name_resolves_and_is_documented(name: str) -> None:
    value = getattr(hanbae, name)
    if inspect.isclass(value) or inspect.isfunction(value):
        assert value.__doc__
        assert value.__module__.startswith("hanbae.")


def test_dir_shows_the_names_before_they_are_used() -> None:
    shown = subprocess.run(
        [sys.executable, "-c", "import hanbae; print(*dir(hanbae))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert set(hanbae.__all__) <= set(shown)


def test_star_import_gives_the_names() -> None:
    names: dict[str, object] = {}
    exec("from hanbae import *", names)  # noqa: S102
    assert set(hanbae.__all__) <= set(names)


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'hanbae' has no attribute 'deploi'"):
        hanbae.deploi  # noqa: B018


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
def test_every_error_can_be_caught_by_its_public_name(error: type[errors.Error]) -> None:
    assert getattr(hanbae, error.__name__) is error
    assert issubclass(error, hanbae.Error)
    assert error.__name__ in hanbae.__all__


def test_import_brings_nothing_that_is_not_asked_for() -> None:
    """A run of the command begins with this import: it must not cost what only some callers need."""
    script = "import sys; import hanbae; print(*(m for m in sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.split()
    assert [name for name in loaded if name.startswith("hanbae.")] == []
    assert not {"asyncio", "click", "msgspec", "ruamel", "ssl"} & set(loaded)


def test_asking_for_the_types_does_not_import_a_client() -> None:
    script = "import sys; from hanbae import Event, Text, load_policy; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"httpx2", "pygit2"} & set(loaded)
