"""No pattern of hanbae's takes more than linear time on a text that somebody else made up.

Every use of :mod:`re` in the source is judged by its syntax; one that is not plainly linear is named here with the
reason why it may stay, and nothing is named that is not there any more.
"""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from tests.support import patterns

import hanbae

SOURCE = Path(hanbae.__file__).parent
MODULES = sorted(SOURCE.rglob("*.py"))
SEARCHES = frozenset({"search", "finditer", "findall", "sub", "subn", "split"})
USES = SEARCHES | {"match", "fullmatch"}
FLAGS = {
    "IGNORECASE": re.IGNORECASE,
    "MULTILINE": re.MULTILINE,
    "DOTALL": re.DOTALL,
    "VERBOSE": re.VERBOSE,
    "ASCII": re.ASCII,
}

#: Module and beginning of the pattern → why it is linear all the same, or meets no foreign text.
EXCUSED: dict[tuple[str, str], str] = {
    ("actions/fix.py", "[^\\n]*\\n"): "the second alternative takes the rest, so no try fails",
    ("charts/rendering.py", "(?P<file>(?:charts/"): "the beginning of a message, up to a bound",
    ("charts/tracing.py", '\\{\\{-?\\s*define\\s+\\"'): "each round takes the text up to the next one, and quotes end",
    ("diagnosing/admission.py", "exceeded quota"): "a message up to a bound",
    ("diagnosing/admission.py", "ValidatingAdmissionPolicy"): "a message up to a bound",
    ("diagnosing/sealedsecrets.py", "(?:no key could"): "a message up to a bound",
    ("foreign_json.py", '"[^"\\\\]*'): "a round begins with a backslash, and no try fails",
    ("images/authorizing.py", "[0-9.]+|"): "a host out of a header, which is looked at up to a bound",
    ("images/authorizing.py", "([A-Za-z_]+)="): "a header is looked at up to a bound",
    ("migrations/hazards.py", "--[^\\n]*"): "each alternative reaches the end where it is not closed",
    ("migrations/hazards.py", "\\$(?P<tag>"): "a body that is not closed reaches the end, and a tag begins once",
    ("migrations/hazards.py", "DELETE\\s+FROM"): "only handed on to be used by match",
    ("migrations/hazards.py", "ALTER\\s+TYPE"): "only handed on to be used by match",
    ("migrations/hazards.py", "(?:SET|RESET"): "what follows each word that is tried again is its own run of spaces",
    ("sealing/envfiles.py", '"((?:'): "only handed on to be used by match, on the user's own file",
    ("masking/shapes.py", "[A-Z]+(?![a-z])"): "a run gives back one character at most",
    ("masking/spellings.py", "[A-Za-z][A-Za-z0-9+.-]*://"): "the user's own secret, not a foreign text",
    ("policy/naming.py", "([0-9]+)([hms])"): "durations were matched by a bounded pattern when the policy was read",
    ("rules/ignores.py", "\\s+(?P<codes>"): "one line up to a bound; the alternatives differ in their fourth character",
    ("rules/ignores.py", "\\s*(?:(?:#|--)"): "one line up to a bound, and what is tried again is a word",
    ("rules/kubernetes/metadata.py", "[a-z0-9]([-a-z0-9]*[a-z0-9])?"): "only handed on to be used by fullmatch",
    ("rules/kubernetes/metadata.py", "[a-z]([-a-z0-9]*[a-z0-9])?"): "only handed on to be used by fullmatch",
    ("rules/layout/charts.py", "(?:0|[1-9]\\d*)"): "which alternative takes a part of a version, its end decides",
    ("rules/layout/plaintexts.py", "[\\^~<>=!v]{0,3}"): "fullmatch of a bounded value, each repeat bounded",
    ("sandbox/packages.py", "^\\s*(\\S+) => not found"): "what ldd prints of programs that hanbae built",
    ("sandbox/system_images.py", "(?:=> )?"): "what ldd prints of programs that hanbae built",
}  # fmt: skip
#: Module and the expression of a pattern that is put together → why it is linear.
COMPOSED: dict[tuple[str, str], str] = {
    (
        "cli/text/wrapping.py",
        "f'\\\\b(?:kubectl",
    ): "a choice of words without repeats, of which those of hanbae come from the front door",
    ("patterns.py", "*self._source"): "what others hand to it, each of which is looked at there",
    (
        "masking/spellings.py",
        "''.join",
    ): "atomic groups around every character; test_masking's hostile lines",
}


class Use(NamedTuple):
    module: str
    line: int
    pattern: str | None
    flags: int
    how: str
    shown: str


def uses(path: Path) -> Iterator[Use]:
    """The patterns of a module, each with the ways in which it is used there."""
    module, text = path.relative_to(SOURCE).as_posix(), path.read_text()
    if not re.search(r"\b(?:re|patterns)\.", text):
        return  # parsing is most of the work, and each process of the tests does it for the names of its tests
    tree = ast.parse(text)
    constants, names, methods = dict(_constants(tree)), dict(_compiled(tree)), _methods(tree)
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        verb = node.func.attr
        named = (ast.unparse(node.func.value), verb)
        is_compiled = named in {("re", "compile"), ("patterns", "lazy")}
        if not is_compiled and (named[0] != "re" or verb not in USES):
            continue
        pattern = _text(node.args[0], constants)
        if pattern is None and node in names:
            value = getattr(importlib.import_module(_dotted(module)), names[node], None)
            pattern = getattr(value, "pattern", None)
        # A pattern without a name is handed on, and may be used in any way.
        hows = {verb} if not is_compiled else methods.get(names.get(node, ""), {"search"})
        shown = ast.unparse(node.args[0]).replace('"', "'")  # Pythons differ in the quotes
        for how in sorted(hows):
            yield Use(module, node.lineno, pattern, _flags(node), how, shown)


def _methods(tree: ast.Module) -> dict[str, set[str]]:
    """Name of a pattern → the ways in which it is used."""
    methods: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Attribute)
            and node.attr in USES
            and isinstance(node.value, ast.Name)
        ):
            methods.setdefault(node.value.id, set()).add(node.attr)
    return methods


def _flags(call: ast.Call) -> int:
    arguments = (*call.args[1:], *(keyword.value for keyword in call.keywords))
    parts = [part for argument in arguments for part in ast.walk(argument)]
    return sum(
        {
            FLAGS[part.attr]
            for part in parts
            if isinstance(part, ast.Attribute) and part.attr in FLAGS
        }
    )


def _dotted(module: str) -> str:
    return "hanbae." + module.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _constants(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(target, ast.Name) and (text := _text(node.value, {})) is not None:
                yield target.id, text


def _compiled(tree: ast.Module) -> Iterator[tuple[ast.Call, str]]:
    """The calls that compile a pattern, each with the name that it is given."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(node.value, ast.Call):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(target, ast.Name):
                yield node.value, target.id


def _text(node: ast.expr, constants: dict[str, str]) -> str | None:
    """What an expression is, where it is a text; what ``re.escape`` makes stands for a letter."""
    text: str | None = None
    if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
        text = node.value if isinstance(node.value, str) else node.value.decode("latin-1")
    elif isinstance(node, ast.JoinedStr):
        parts = [_text(part, constants) for part in node.values]
        text = None if None in parts else "".join(part or "" for part in parts)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        sides = [_text(side, constants) for side in (node.left, node.right)]
        text = None if None in sides else "".join(side or "" for side in sides)
    elif isinstance(node, ast.FormattedValue):
        text = _text(node.value, constants)
    elif isinstance(node, ast.Name):
        text = constants.get(node.id)
    elif isinstance(node, ast.Call) and ast.unparse(node.func) == "re.escape":
        text = "q"
    return text


ALL = [use for path in MODULES for use in uses(path)]


def _excuse(use: Use) -> tuple[str, str] | None:
    table, text = (COMPOSED, use.shown) if use.pattern is None else (EXCUSED, use.pattern)
    return next((key for key in table if use.module == key[0] and text.startswith(key[1])), None)


def _complaints(use: Use) -> list[str]:
    if use.pattern is None:
        return [f"a pattern that is put together: {use.shown}"]
    search, whole = use.how in SEARCHES, use.how == "fullmatch"
    return patterns.complaints(use.pattern, use.flags, search=search, whole=whole)


@pytest.mark.parametrize("use", ALL, ids=[f"{use.module}:{use.line}:{use.how}" for use in ALL])
def test_pattern_is_linear(use: Use) -> None:
    if _excuse(use) is None:
        assert not _complaints(use), f"{use.pattern!r} in {use.how}"


def test_only_what_needs_it_is_excused() -> None:
    wrong = [use for use in ALL if _complaints(use)]
    assert {_excuse(use) for use in wrong} - {None} == {*EXCUSED, *COMPOSED}


@pytest.mark.parametrize(
    ("pattern", "use"),
    [
        (r"\s*[\r\n\t]\s*", "sub"),
        (r"\s+#.*x", "search"),
        (r"a[ab]*c", "search"),
        (r'"(?:[^"\\]|\\.)*"', "finditer"),
        (r"(?m)^\s+certificate:", "findall"),
        (r"(?:a+)+b", "match"),
        (r"(?:a|a?b?)*c", "match"),
        (r".*x.*y", "match"),
        (r"[^/]*a[^/]*a[^/]*b", "fullmatch"),
        (r"a+a+", "fullmatch"),
        (r"(?:[a-z]+-?)*", "fullmatch"),
    ],
)
def test_pattern_that_blows_up_is_known(pattern: str, use: str) -> None:
    assert patterns.complaints(pattern, search=use in SEARCHES, whole=use == "fullmatch")


@pytest.mark.parametrize(
    ("pattern", "use"),
    [
        (r"[a-z]+=", "match"),
        (r"password\s*[=:]\s*\S+", "search"),
        (r'violates "([^"]+)": (.*)', "search"),
        (r"(?m)^kind: *Secret *$", "search"),
        (r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", "fullmatch"),
        (r"(?:[\w-]+\.)*example", "match"),
        (r"a?a?a?aaa", "search"),
    ],
)
def test_pattern_that_is_linear_is_accepted(pattern: str, use: str) -> None:
    assert not patterns.complaints(pattern, search=use in SEARCHES, whole=use == "fullmatch")
