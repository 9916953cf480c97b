"""docs/policy-coverage.md names every row of the policy document, and only tests that there are."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from hanbae import libyaml

ROOT = Path(__file__).parents[2]
ROWS: list[dict[str, Any]] = libyaml.load((ROOT / "tests/data/policy-rows.yaml").read_text())  # type: ignore[assignment]
TEXT = (ROOT / "docs/policy-coverage.md").read_text()
KOREAN = (ROOT / "docs/policy-coverage.ko.md").read_text()
TEST = re.compile(r"(tests/[\w/]+\.py)::(\w+)")


def cells(text: str = TEXT) -> list[list[str]]:
    """The cells of the table's rows, without its head."""
    lines = [line for line in text.splitlines() if line.startswith("| ")][2:]
    return [
        [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in lines
    ]


@cache
def functions(path: str) -> frozenset[str]:
    """The functions of a test file."""
    module = ast.parse((ROOT / path).read_text())
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.walk(module) if isinstance(node, kinds))


def test_every_row_is_listed_once_as_the_policy_says_it() -> None:
    listed = [(row[0], row[1].strip("` ")) for row in cells()]
    assert listed == [(row["id"], row["row"].strip("` ")) for row in ROWS]


@pytest.mark.parametrize("row", cells(), ids=lambda row: row[0])
def test_each_row_names_a_command_and_a_test_that_there_is(row: list[str]) -> None:
    _, _, command, proof = row
    assert "`" in command
    named = TEST.findall(proof)
    assert named or proof.startswith("not yet: ")
    for path, name in named:
        assert name in functions(path), f"{path}::{name}"


def test_the_test_of_the_documents_is_there() -> None:
    ((path, name), *_) = TEST.findall(TEXT)
    assert name in functions(path)


def test_korean_page_has_the_same_rows_with_the_same_commands_and_tests() -> None:
    shapes = [
        [
            (row[0], row[1], sorted(re.findall(r"`([^`]+)`", row[2])), sorted(TEST.findall(row[3])))
            for row in cells(text)
        ]
        for text in (TEXT, KOREAN)
    ]
    assert shapes[0] == shapes[1]
