"""Shell text, read without running it."""

from __future__ import annotations

import pytest

from hanbae.releases import shell_commands, shells
from hanbae.releases.shells import Computed, Variable


def commands(text: str, *variables: str) -> tuple[shell_commands.Command, ...]:
    """The commands of an argument of a container with some variables."""
    return shell_commands.commands(shells.argument(text, variables))


def words(text: str, *variables: str) -> list[list[object]]:
    """The words of each command; a word of one text as that text."""
    return [
        [
            shells.literal(word) if shells.literal(word) is not None else word
            for word in command.words
        ]
        for command in commands(text, *variables)
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
        ("[[ a && ( b || c ) ]] && d; X=(a b) e", [["[[", "a", "b", "c", "]]"], ["d"], [], ["e"]]),
        ("function f { a; }; g() (b); g", [["a"], ["b"], ["g"]]),
        ("case $x in a | b) c;; (d) e; esac; f", [["c"], ["e"], ["f"]]),
        (") fi; a; } ;; done b; (c; d", [["a"], ["b"], ["c"], ["d"]]),
        ("a && | ; && b || ", [["a"], ["b"]]),
    ],
)
def test_words(text: str, expected: list[list[str]]) -> None:
    assert words(text) == expected


def test_variables_keep_whether_they_are_quoted_away() -> None:
    (command,) = commands("a $X '$X' \"p${Y}s\" \\$Z $(cat x) `id` ${W:-1}")
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
    (command,) = commands("a $$X \"p$${Y}s\" '$$X' $$(cat x) $$ $$$$ $$(X)", "X")
    assert command.words[1:] == (
        (Variable("X"),),
        ("p", Variable("Y"), "s"),
        ("$X",),
        (Computed("$(cat x)"),),
        ("$",),
        (Computed("$$"),),
        (Computed("$(X)"),),
    )


def test_kubernetes_expands_before_the_shell() -> None:
    put_in = Variable("X", expanded=True)
    assert words("a '$(X)' \"-$(X)\" \\$(X) $(date) $(cat $(X)) $$$(X)", "X") == [
        [
            "a",
            (put_in,),
            ("-", put_in),
            (put_in,),
            (Computed("$(date)"),),
            (Computed("$(cat $(X))"),),
            ("$", put_in),
        ]
    ]


def test_what_no_program_can_be_given_is_not_read() -> None:
    assert commands("a\0") == ()


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
        ("run || true; after", ["", "condition", ""]),
        ("[ -n x ] && run || exit 1", ["", "", "condition"]),
        ("[ -n x ] && run || exit 0", ["", "condition", "condition"]),
        ("[ -n x ] && run || { echo x; exit 2; }", ["", "", "condition", "condition"]),
        ("[ -n x ] && run || { echo x; exit; }", ["", "condition", "condition", "condition"]),
        ("([ -n x ] && run || exit 1); after", ["", "condition", "condition", ""]),
        ("if ! run; then exit 1; fi; after", ["", "condition", ""]),
        ("if ! run\nthen\n echo x\n exit 3\nfi\nafter", ["", "condition", "condition", ""]),
        ("if run; then echo; else exit 1; fi", ["", "", "condition"]),
        ("if [ x ]; then echo; exit 1; else run; fi", ["condition"] * 3 + [""]),
        (
            "if [ x ]; then run; elif y; then exit 1; else exit 1; fi",
            ["condition", ""] + ["condition"] * 3,
        ),
        ("if ! run; then exit 0; fi", ["condition"] * 2),
        ("if ! run; then exit; fi", ["condition"] * 2),
        ("if ! run; then exit 256; fi", ["condition"] * 2),
        ("if ! run; then exit $?; fi", ["condition"] * 2),
        ("if ! run; then exit $CODE; fi", ["condition"] * 2),
        ("if ! run; then exit 1 || true; fi", ["condition"] * 3),
        ("if ! run; then [ x ] && exit 1; fi", ["condition"] * 3),
        ("if ! run; then exit 1 | cat; fi", ["condition"] * 3),
        ("if ! run; then exit 1 & fi", ["condition"] * 2),
        ("if ! run; then (exit 1); fi", ["condition"] * 2),
        ("if ! run; then if x; then exit 1; fi; fi", ["condition"] * 3),
        ("if ! run | tee log; then exit 1; fi", ["condition"] * 3),
        ("if ! run || x; then exit 1; fi", ["condition"] * 3),
        ("if ! { ! run; }; then exit 1; fi", ["condition"] * 2),
        ("if ! run & then exit 1; fi", ["condition"] * 2),
        ("if run; then exit 1; fi", ["condition"] * 2),
        ("if run; then :; elif x; then y; else exit 1; fi", ["condition"] * 5),
        ("if run; else exit 1; fi", ["condition"] * 2),
        ("(if ! run; then exit 1; fi); after", ["condition"] * 2 + [""]),
        ("if ! run; then exit 1; fi | tee log", ["condition"] * 2 + [""]),
        ("{ [ x ] && run || exit 1; } & wait", ["", "condition", "condition", ""]),
        ("for x in a; do if ! run; then exit 1; fi; done", ["loop"] * 2),
        ("if x; then if ! run; then exit 1; fi; fi", ["condition"] * 3),
        ("until ! run; do sleep 1; done", ["loop"] * 2),
    ],
)
def test_what_may_not_run_once(text: str, expected: list[str]) -> None:
    assert [command.within for command in commands(text)] == expected


def test_what_is_too_long_or_too_deep_is_not_read() -> None:
    assert commands("a" * (shells.LONGEST + 1)) == ()
    assert commands("(" * 1000) == commands("if " * 1000) == commands("f() " * 1000) == ()
