"""The rules of the house that a machine can check."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

import hanbae
from hanbae import errors
from hanbae.policy import labels

SOURCE = Path(hanbae.__file__).parent
MODULES = sorted(SOURCE.rglob("*.py"))
TESTS = Path(__file__).parents[1]
SUPPORT = sorted([*TESTS.glob("support/*.py"), *TESTS.glob("*.py")])
ROOT = TESTS.parent
OUTSIDE = [
    ROOT / "hatch_build.py",
    *(
        path
        for folder in ("bench", "docs", "tests", "tools")
        for path in ROOT.glob(f"{folder}/**/*.py")
    ),
]
"""The Python of the repository that is not in the package."""

LONGEST_MODULE = 500
LONGEST_FUNCTION = 80
BANNED_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "models"}


@dataclass(frozen=True)
class Facts:
    """What the tests want to know of a module; its tree, of a thousand nodes and more, is not kept.

    Attributes:
        lines: How many it has.
        is_explained: Whether it has a docstring.
        long_functions: Functions that do not fit on a screen.
        relative_imports: Where it imports relatively.
        shells: Where it calls something with ``shell=``.
        prints: Where it prints.
        placeholders: Names that say nothing.
        stand_ins: Variables that say hardly more.
        renamings: Where it gives a file its name, or makes one that is to get another's.
        cluster_fields: Where it reads ``control`` or ``workload`` of something that may be a policy's environment.
        starts: Where it starts a program, and a refusal of the system's would be a bug.
    """

    lines: int
    is_explained: bool
    long_functions: tuple[str, ...]
    relative_imports: tuple[str, ...]
    shells: tuple[str, ...]
    prints: tuple[str, ...]
    placeholders: tuple[str, ...]
    stand_ins: tuple[str, ...]
    renamings: tuple[str, ...]
    cluster_fields: tuple[str, ...]
    starts: tuple[str, ...]


@functools.cache
def facts(path: Path) -> Facts:
    text, place = path.read_text(), path.relative_to(ROOT)
    tree = ast.parse(text)
    nodes = tuple(ast.walk(tree))
    variables = _assigned(nodes)
    names = [*variables, *_fields(path, nodes), *_defined(nodes)]
    return Facts(
        lines=text.count("\n"),
        is_explained=bool(ast.get_docstring(tree)),
        long_functions=tuple(
            f"{place}:{node.lineno}: {node.name} has {size} lines"
            for node in nodes
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
            and (size := (node.end_lineno or node.lineno) - node.lineno) > LONGEST_FUNCTION
        ),
        relative_imports=tuple(
            f"{place}:{node.lineno}: relative import"
            for node in nodes
            if isinstance(node, ast.ImportFrom) and node.level
        ),
        shells=tuple(
            f"{place}:{node.value.lineno}: a shell string"
            for node in nodes
            if isinstance(node, ast.keyword) and node.arg == "shell"
        ),
        prints=tuple(
            f"{place}:{node.lineno}: {function}"
            for node in nodes
            if isinstance(node, ast.Call) and (function := called(node)) in PRINTING
        ),
        placeholders=tuple(
            f"{place}:{line}: {name}"
            for line, name in names
            if name.strip("_").casefold() in PLACEHOLDERS
        ),
        stand_ins=tuple(
            f"{place}:{line}: {name}"
            for line, name in variables
            if name.strip("_").casefold() in STAND_INS
        ),
        renamings=tuple(
            f"{place}:{node.lineno}: {ast.unparse(node.func)}"
            for node in nodes
            if isinstance(node, ast.Call) and renames(node)
        ),
        cluster_fields=tuple(
            f"{place}:{node.lineno}: {ast.unparse(node)}"
            for node in nodes
            if isinstance(node, ast.Attribute)
            and node.attr in CLUSTER_FIELDS
            and isinstance(node.ctx, ast.Load)
            and last_word(node.value) not in NO_ENVIRONMENTS
        ),
        starts=tuple(
            f"{place}:{call.lineno}: {ast.unparse(call.func)}"
            for call in _calls(nodes, STARTING) - _guarded(nodes)
        ),
    )


def all_of(paths: Iterable[Path], kind: Callable[[Facts], Sequence[str]]) -> list[str]:
    """The facts of one kind of some modules."""
    return [text for path in paths for text in kind(facts(path))]


def test_modules_explain_themselves_and_stay_small() -> None:
    lines = {path: facts(path).lines for path in [*MODULES, *SUPPORT]}
    assert not {str(path): count for path, count in lines.items() if count > LONGEST_MODULE}
    assert not [
        str(path) for path, count in lines.items() if count > 40 and not facts(path).is_explained
    ]
    assert not [str(path) for path in lines if path.stem in BANNED_NAMES]


def test_functions_fit_on_a_screen() -> None:
    assert not all_of([*MODULES, *SUPPORT], lambda module: module.long_functions)


def test_no_shell_and_no_relative_import() -> None:
    assert not all_of(MODULES, lambda module: module.relative_imports)
    assert not all_of(MODULES, lambda module: module.shells)


def test_what_children_say_is_no_text_in_the_users_encoding() -> None:
    assert not [path for path in MODULES if "text=True" in path.read_text()]


def test_labels_of_hanbaes_own_are_spelled_in_one_place() -> None:
    spelling = [path for path in MODULES if labels.PREFIX in path.read_text()]
    assert spelling == [SOURCE / "policy" / "labels.py"]


def last_word(expression: ast.expr) -> str:
    """The last name of ``a.b.c``; empty where it does not end in one."""
    return expression.id if isinstance(expression, ast.Name) else getattr(expression, "attr", "")


STARTING = {"subprocess.run", "subprocess.Popen", "asyncio.create_subprocess_exec"}
"""What starts a program."""


def _calls(nodes: Iterable[ast.AST], names: set[str]) -> set[ast.Call]:
    return {
        node
        for node in nodes
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and f"{node.func.value.id}.{node.func.attr}" in names
    }


def _guarded(nodes: Iterable[ast.AST]) -> set[ast.Call]:
    """The starts of programs for which somebody has words where the system refuses them."""
    guards = [
        node
        for node in nodes
        if (isinstance(node, ast.With) and "errors.starting(" in ast.unparse(node.items[0]))
        or (
            isinstance(node, ast.Try)
            and any("OSError" in ast.unparse(h.type) for h in node.handlers if h.type)
        )
    ]
    return {
        call
        for guard in guards
        for statement in guard.body
        for call in _calls(ast.walk(statement), STARTING)
    }


def test_a_program_that_the_system_does_not_start_is_no_bug() -> None:
    """It may be none of this machine's, or there may be no memory for it: `hanbae.errors.starting` says so."""
    callers_say_so = {"gates/own_command.py"}
    others = [path for path in MODULES if str(path.relative_to(SOURCE)) not in callers_say_so]
    assert not all_of(others, lambda module: module.starts)


PRINTING = {"print", "click.echo", "click.secho"}
LAST_WORDS = {name.rpartition(".")[2] for name in PRINTING}


def called(call: ast.Call) -> str | None:
    """The function that a call names, if it may be one that prints; to write out every name takes seconds."""
    return ast.unparse(call.func) if last_word(call.func) in LAST_WORDS else None


def test_only_outputs_and_narration_print() -> None:
    allowed = {"cli/outputs.py", "cli/text/narration.py", "cli/main.py", "cli/text/live_view.py"}
    others = [path for path in MODULES if str(path.relative_to(SOURCE)) not in allowed]
    assert not all_of(others, lambda module: module.prints)


NAMING = {
    "NamedTemporaryFile", "link", "mkdtemp", "mkstemp", "move", "rename", "renames",
}  # fmt: skip
#: Everybody else writes through `files`, which knows what mode a file has and what is left after a crash.
RENAMES = {
    "files.py": "the one place",
    "actions/save_rendered.py": "rendered files take their places when all of them are there",
    "charts/compiling.py": "a program that the compiler writes, and a link to it",
    "cli/failures.py": "a new file in the system's own folder for such; it replaces none",
    "history/database_files.py": "SQLite writes its file itself, and it must not replace another process's",
    "repository/keeping.py": "the first of two runs wins, which a file that is replaced cannot tell",
    "sandbox/caching.py": "a folder, not a file",
}


def renames(call: ast.Call) -> bool:
    """Whether a call gives a file its name: by its function's, or as ``Path.replace`` with the new path alone."""
    word = last_word(call.func)
    is_path = len(call.args) == 1 and not call.keywords
    is_system = isinstance(call.func, ast.Attribute) and last_word(call.func.value) == "os"
    return word in NAMING or (word == "replace" and (is_path or is_system))


def test_files_are_replaced_in_one_way() -> None:
    using = {str(path.relative_to(SOURCE)) for path in MODULES if facts(path).renamings}
    others = [path for path in MODULES if str(path.relative_to(SOURCE)) not in RENAMES]
    assert not all_of(others, lambda module: module.renamings)
    assert using == RENAMES.keys()


CLUSTER_FIELDS = {"control", "workload"}
#: What has such an attribute and is no environment of a policy.
NO_ENVIRONMENTS = {
    "_begun", "beforehand", "begun",  # an engine's watch over the pods
    "_clusters", "clusters", "target",  # connections that are open
    "environments", "policy_environments",  # the functions that decide
    "guard", "step",  # an object of the cluster
}  # fmt: skip
DECIDE_CLUSTERS = {
    "policy/environments.py": "the one place",
    "workspaces.py": "its own attributes; and the line of the policy that has the name",
    "adopting/policy_text.py": "an environment that is only suggested, as its policy will have it",
    "adopting/proposal.py": "likewise",
    "cli/asking.py": "likewise",
}


def test_one_module_decides_which_cluster_an_environment_uses() -> None:
    using = {str(path.relative_to(SOURCE)) for path in MODULES if facts(path).cluster_fields}
    others = [path for path in MODULES if str(path.relative_to(SOURCE)) not in DECIDE_CLUSTERS]
    assert not all_of(others, lambda module: module.cluster_fields)
    assert using == DECIDE_CLUSTERS.keys()


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
#: Their kin, which are refused where they stand alone as a variable: as a function or a field they read as a sentence.
STAND_INS = frozenset({"chosen", "held", "here", "kept", "left", "shown", "taken", "there"})
#: Fields that are names of a format which is not hanbae's alone: the renderer's answer, the examples of a rule.
FORMATS = {
    SOURCE / "charts/pools.py": {"asked", "what"},
    SOURCE / "rules/casebook.py": {"at"},
}


def _assigned(module: Sequence[ast.AST]) -> list[tuple[int, str]]:
    """Variables, targets and parameters, without the fields of classes."""
    fields = {id(field) for field in _declared(module)}
    names: list[tuple[int, str | None]] = []
    for node in module:
        if isinstance(node, ast.arg):
            names.append((node.lineno, node.arg))
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar):
            names.append((node.lineno, node.name))
        elif isinstance(node, ast.alias):
            names.append((node.lineno, node.asname))
        elif (
            isinstance(node, ast.Name)
            and isinstance(node.ctx, ast.Store)
            and id(node) not in fields
        ):
            names.append((node.lineno, node.id))
    return [(line, name) for line, name in names if name]


def _declared(module: Sequence[ast.AST]) -> list[ast.expr]:
    """What the bodies of classes annotate."""
    return [
        statement.target
        for node in module
        if isinstance(node, ast.ClassDef)
        for statement in node.body
        if isinstance(statement, ast.AnnAssign)
    ]


def _fields(path: Path, module: Sequence[ast.AST]) -> list[tuple[int, str]]:
    """The fields of classes, where they are not the names of a format; those of `results` are the JSON."""
    if path.is_relative_to(SOURCE / "results"):
        return []
    names = [(field.lineno, field.id) for field in _declared(module) if isinstance(field, ast.Name)]
    return [(line, name) for line, name in names if name not in FORMATS.get(path, ())]


def _defined(module: Sequence[ast.AST]) -> list[tuple[int, str]]:
    """Functions, methods, classes and the attributes that are set."""
    names = []
    for node in module:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.append((node.lineno, node.name))
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.append((node.lineno, node.attr))
    return names


def test_names_say_what_they_hold() -> None:
    assert not all_of([*MODULES, *OUTSIDE], lambda module: module.placeholders)


def test_variables_do_not_stand_in_for_a_noun() -> None:
    assert not all_of(MODULES, lambda module: module.stand_ins)
