"""Shell text, read without running it."""

from __future__ import annotations

import pytest

from hanbae.releases import shells
from hanbae.releases.shells import Computed, Variable


def words(text: str, *variables: str) -> list[list[object]]:
    """The words of each command; a word of one text as that text."""
    return [
        [
            shells.literal(word) if shells.literal(word) is not None else word
            for word in command.words
        ]
        for command in shells.commands(text, frozenset(variables))
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a 'b c' \"d e\" f\\ g", [["a", "b c", "d e", "f g"]]),
        ("a && b; c\nd | e & f", [["a"], ["b"], ["c"], ["d"], ["e"], ["f"]]),
        ("a x#y # z; b\nc", [["a", "x#y"], ["c"]]),
        ("a \\\n  b", [["a", "b"]]),
        ("a >log 2>&1 <in b", [["a", "b"]]),
        ("a '' \"\"", [["a", "", ""]]),
        ("a 'it'\\''s'", [["a", "it's"]]),
        ('a "say \\"x\\" \\n"', [["a", 'say "x" \\n']]),
        ("X=1 Y='a b' a", [["a"]]),
        ("", []),
        ("'", [["'"]]),
    ],
)
def test_words(text: str, expected: list[list[str]]) -> None:
    assert words(text) == expected


def test_variables_keep_whether_they_are_quoted_away() -> None:
    (command,) = shells.commands("a $X '$X' \"p${Y}s\" \\$Z $(cat x) `id` ${W:-1}", ())
    assert command.words[1:] == (
        (Variable("X"),),
        ("$X",),
        ("p", Variable("Y"), "s"),
        ("$Z",),
        (Computed("$(cat x)"),),
        (Computed("`id`"),),
        (Computed("${W:-1}"),),
    )


def test_two_dollars_are_one_before_the_shell() -> None:
    (command,) = shells.commands("a $$X \"p$${Y}s\" '$$X' $$(cat x) $$", ())
    assert command.words[1:] == (
        (Variable("X"),),
        ("p", Variable("Y"), "s"),
        ("$X",),
        (Computed("$(cat x)"),),
        ("$",),
    )


def test_kubernetes_expands_before_the_shell() -> None:
    assert words("a '$(X)' \"$(X)\" $(date)", "X") == [
        ["a", (Variable("X"),), (Variable("X"),), (Computed("$(date)"),)]
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("for x in a b; do run; done; after", ["loop", ""]),
        ("while test; do run; done", ["loop", "loop"]),
        ("if check; then run; else other; fi; after", ["condition"] * 3 + [""]),
        ("case $x in a) run;; esac; after", ["condition", ""]),
        ("[ -n x ] && run; after", ["", "condition", ""]),
        ("first || run", ["", "condition"]),
        ("first && run", ["", ""]),
        ("f() { run; }; after", ["condition", ""]),
        ("if x; then { run; }; more; fi", ["condition"] * 3),
        ("{ run; }; after", ["", ""]),
    ],
)
def test_what_may_not_run_once(text: str, expected: list[str]) -> None:
    assert [command.within for command in shells.commands(text, ())] == expected


def test_what_is_too_long_is_not_read() -> None:
    assert shells.commands("a" * (shells.LONGEST + 1), ()) == ()
