"""The rules of the house that a machine can check."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import hanbae
from hanbae import errors

SOURCE = Path(hanbae.__file__).parent
MODULES = sorted(SOURCE.rglob("*.py"))
IDS = [str(path.relative_to(SOURCE)) for path in MODULES]
TESTS = Path(__file__).parents[1]
SUPPORT = sorted([*TESTS.glob("support/*.py"), *TESTS.glob("*.py")])
CLEAN = sorted(
    [*TESTS.glob("e2e/*.py"), *TESTS.glob("crash/*.py"), *TESTS.glob("unit/sandbox/*.py")]
)
"""Tests in which placeholders are refused as well."""
SUPPORT_IDS = [str(path.relative_to(TESTS.parent)) for path in SUPPORT]

LONGEST_MODULE = 500
LONGEST_FUNCTION = 80
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "models"}


@pytest.mark.parametrize("path", [*MODULES, *SUPPORT], ids=[*IDS, *SUPPORT_IDS])
def test_module_explains_itself_and_stays_small(path: Path) -> None:
    text = path.read_text()
    lines = text.count("\n")
    tree = ast.parse(text)
    assert lines <= LONGEST_MODULE, f"{lines} lines"
    if lines > 40:
        assert ast.get_docstring(tree), "no docstring"
    assert path.stem not in BANNED_NAMES


@pytest.mark.parametrize("path", [*MODULES, *SUPPORT], ids=[*IDS, *SUPPORT_IDS])
def test_functions_fit_on_a_screen(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            size = (node.end_lineno or node.lineno) - node.lineno
            assert size <= LONGEST_FUNCTION, f"{node.name} has {size} lines"


@pytest.mark.parametrize("path", MODULES, ids=IDS)
def test_no_shell_and_no_relative_import(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative import"
        if isinstance(node, ast.keyword) and node.arg == "shell":
            pytest.fail(f"line {node.value.lineno}: a shell string")


@pytest.mark.parametrize("path", MODULES, ids=IDS)
def test_only_outputs_and_narration_print(path: Path) -> None:
    allowed = {"cli/outputs.py", "cli/text/narration.py", "cli/main.py", "cli/text/live_view.py"}
    if str(path.relative_to(SOURCE)) in allowed:
        return
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in {"print", "click.echo", "click.secho"}, (
                f"line {node.lineno}: {called}"
            )


def _public_errors() -> list[type[BaseException]]:
    return [
        value
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, Exception) and not name.startswith("_")
    ]


@pytest.mark.parametrize("error", _public_errors(), ids=lambda error: error.__name__)
def test_every_error_is_in_the_drawn_tree_below_the_root(error: type[BaseException]) -> None:
    assert issubclass(error, errors.Error)
    assert re.search(rf"\b{error.__name__}\b", errors.__doc__ or "")


#: Names that say nothing about what they hold: the field has a noun for each of them.
PLACEHOLDERS = frozenset({
    "asked", "at", "done", "each", "found", "given", "known", "made", "one", "said", "seen", "thing", "things",
    "told", "wanted", "what",
})  # fmt: skip
#: Packages and modules that still use some of them.
NOT_YET = frozenset(
    {
        "apis",
        "argo",
        "argocd_api",
        "charts",
        "clusters",
        "deploying",
        "diagnosing",
        "engines",
        "history",
        "images",
        "libyaml.py",
        "migrations",
        "planning",
        "policy",
        "repository",
        "results",
        "rules",
        "sealing",
        "streams",
    }
)


def _assigned(tree: ast.AST) -> list[tuple[int, str]]:
    """Variables, targets and parameters; fields of a class are left out: they are names of a format."""
    fields = {
        id(statement.target)
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for statement in node.body
        if isinstance(statement, ast.AnnAssign)
    }
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            names.append((node.lineno, node.arg))
        elif (
            isinstance(node, ast.Name)
            and isinstance(node.ctx, ast.Store)
            and id(node) not in fields
        ):
            names.append((node.lineno, node.id))
    return names


def _id(path: Path) -> str:
    return str(path.relative_to(TESTS.parent))


@pytest.mark.parametrize("path", [*MODULES, *SUPPORT, *CLEAN], ids=_id)
def test_assigned_names_say_what_they_hold(path: Path) -> None:
    if path in MODULES and path.relative_to(SOURCE).parts[0] in NOT_YET:
        return
    names = _assigned(ast.parse(path.read_text()))
    placeholders = [
        f"line {line}: {name}" for line, name in names if name.strip("_") in PLACEHOLDERS
    ]
    assert not placeholders


def test_only_packages_that_still_use_placeholders_are_exempt() -> None:
    using = {
        path.relative_to(SOURCE).parts[0]
        for path in MODULES
        if any(
            name.strip("_") in PLACEHOLDERS for _, name in _assigned(ast.parse(path.read_text()))
        )
    }
    assert using == NOT_YET
