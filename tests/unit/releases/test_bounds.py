"""What a container's text and variables may come to, whoever has written them."""

from __future__ import annotations

from typing import Any

from hanbae.releases import goose, invocations, shells, variables
from hanbae.releases.variables import Value


def folder(container: dict[str, Any]) -> str:
    """The folder that the goose of a container reads."""
    own = variables.Variables(container, variables.Sources())
    (invocation,) = invocations.of(container, own)
    return goose.read(invocation, own).folder


def value(name: str, *entries: str) -> Value:
    """What a variable holds; entries are ``NAME=value``."""
    pairs = [entry.partition("=") for entry in entries]
    container = {"env": [{"name": name, "value": text} for name, _, text in pairs]}
    word = (shells.Variable(name),)
    return variables.Variables(container, variables.Sources()).value(word)


def test_a_script_that_doubles_a_variable_is_not_followed_for_ever() -> None:
    script = "D=/m;" + "D=$D$D;" * 18 + "goose -dir $D up"
    assert folder({"command": ["sh", "-c", script]}) == ""
    assert folder({"command": ["sh", "-c", "D=/m;D=$D$D;goose -dir $D up"]}) == "/m/m"


def test_values_that_double_are_not_put_together_without_an_end() -> None:
    doubling = [f"A{index + 1}=$(A{index})$(A{index})" for index in range(7)]
    assert variables.text(value("A7", "A0=x", *doubling)) == "x" * 128
    assert variables.text(value("A7", f"A0={'x' * 100_000}", *doubling)) is None


def test_variables_that_name_each_other_are_followed_to_the_first() -> None:
    chain = [f"A{index + 1}=$(A{index})" for index in range(5000)]
    assert value("A5000", "A0=x", *chain) == ("x",)
