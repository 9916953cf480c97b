"""Shell text, read without running it."""

from __future__ import annotations

import sys
from types import FrameType

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
        ("a <<X\nselect b;\nX\nc", [["a"], ["c"]]),
        ("a <<'X Y' b\n'$(\nX Y\nc", [["a", "b"], ["c"]]),
        ('a <<\\X 2>&1 | b <<-"Y"; c\nX1\nX\n\tY1\n\t\tY\nd', [["a"], ["b"], ["c"], ["d"]]),
        ("a <<X\n\tX\n X\nX \nx\\\nX\n\\\\\nX\nb", [["a"], ["b"]]),
        ("a <<X\n\\\nX\nb", [["a"], ["b"]]),
        ("a <<'X'\n\\\nX\nb", [["a"], ["b"]]),
        ("a 3<<X # <<Y\nX\nb", [["a"], ["b"]]),
        ("a <<<X\nb", [["a"], ["b"]]),
        ("a <<X\r\nb\r\nX\r\nc", [["a"], ["c"]]),
        ("a <<X\nb", [["a"]]),
        ("a <<\nb", [["a"], ["b"]]),
        ("select a; case b; for c; d", [["select", "a"], ["case", "b"], ["for", "c"], ["d"]]),
        ("X=(a (b) c) d; e", [[], ["d"], ["e"]]),
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
        ("if x; then a (b(), c); run; fi", ["condition"] * 3),
        ("if x; then a; ) run; fi; after", ["condition"] * 4),
        ("if ! run; then [ x ] && exit 0; exit 1; fi", ["condition"] * 4),
        ("if ! run; then [ x ] && exit 2; exit 1; fi", [""] + ["condition"] * 3),
        ("if ! run; then if x; then exit; fi; exit 1; fi", ["condition"] * 4),
        ("if ! run; then . ./x; exit 1; fi", ["condition"] * 3),
    ],
)
def test_what_may_not_run_once(text: str, expected: list[str]) -> None:
    assert [command.within for command in commands(text)] == expected


@pytest.mark.parametrize(
    ("definition", "is_end"),
    [
        ("f() { echo $1 >&2; exit 1; }", True),
        ("function f() {\n exit 1\n}", True),
        ("g() { exit 1; }; f() { g; }", True),
        ("f() { return; }; f() { exit 1; }", True),
        ("f() { [ x ] && exit 2; exit 1; }", True),
        ("f() { echo; }", False),
        ("f() { exit 0; }", False),
        ("f() { exit $1; }", False),
        ("f() { [ x ] || return; exit 1; }", False),
        ("f() { [ x ] && exit 0; exit 1; }", False),
        ("f() { exec x; exit 1; }", False),
        ("g() { [ x ] && exit 0; }; f() { g; exit 1; }", False),
        ("f() ( exit 1 )", False),
        ("f() { exit 1; }; f() { echo; }", False),
        ("f() { exit 1; }; if x; then f() { echo; }; fi", False),
        ("if x; then f() { exit 1; }; fi", False),
        ("(f() { exit 1; })", False),
        ("f() { exit 1; } | cat", False),
        ("g() { f() { exit 1; }; }", False),
        ("f$X() { exit 1; }", False),
        ("exit() { echo; }; f() { exit 1; }", False),
    ],
)
def test_a_function_whose_call_is_a_failure(definition: str, is_end: bool) -> None:
    text = f"{definition}; if ! run; then f a; fi; [ x ] && run || f"
    runs = [command.within for command in commands(text) if command.name == "run"]
    assert runs == ["" if is_end else "condition"] * 2


def test_a_function_may_end_the_shell_before_a_failure_does() -> None:
    first, run, *_ = commands("g() { exit 0; }; if ! run; then g; exit 1; fi")
    assert [first.within, run.within] == ["condition", "condition"]


@pytest.mark.parametrize(
    ("text", "is_end"),
    [
        ("set -e; [ x ] && run || (echo; exit 1)", True),
        ("set -euo pipefail\n[ x ] && run || (echo; exit 1)\nafter", True),
        ("set -u -o errexit; set +x; [ x ] && run || (exit 1) >&2; after", True),
        ("[ x ] && run || (exit 1)", False),
        ("set -u; [ x ] && run || (exit 1)", False),
        ("set -- -e; [ x ] && run || (exit 1)", False),
        ("set -e; set +e; [ x ] && run || (exit 1)", False),
        ("set -e; set +o errexit; [ x ] && run || (exit 1)", False),
        ("set -e; set $X; [ x ] && run || (exit 1)", False),
        ("if x; then set -e; fi; [ x ] && run || (exit 1)", False),
        ("set -e; if x; then set +e; fi; [ x ] && run || (exit 1)", False),
        ("set -e; [ x ] && run || (exit 0)", False),
        ("set -e; [ x ] && run || ([ y ] && exit 0; exit 1)", False),
        ("set -e; [ x ] && run || (exit 1) || true", False),
        ("set -e; [ x ] && run || (exit 1) && true", False),
        ("set -e; [ x ] && run || ! (exit 1)", False),
        ("set -e; [ x ] && run || (exit 1) | cat", False),
        ("set -e; [ x ] && run || (exit 1) & wait", False),
        ("set -e; { [ x ] && run || (exit 1); } || true", False),
    ],
)
def test_a_subshell_whose_failure_is_the_shells(text: str, is_end: bool) -> None:
    (run,) = [command for command in commands(text) if command.name == "run"]
    assert run.within == ("" if is_end else "condition")


@pytest.mark.parametrize(
    "text",
    [
        "a||",
        "cd a||",
        "a|",
        "{ [&&a||b;}|",
        "for ",
        "case ",
        "f() { a; };",
        "a(",
        "<<a ",
        ") ",
        "a <<x\n",
    ],
)
def test_a_text_takes_as_many_steps_as_it_is_long(text: str) -> None:
    steps(text * 2)  # compiles what is compiled once
    assert steps(text * 1000) < 2.5 * steps(text * 500)


def steps(text: str) -> int:
    """How many calls it takes to read a text."""
    calls = 0

    def counting(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    before = sys.getprofile()
    sys.setprofile(counting)
    try:
        commands(text)
    finally:
        sys.setprofile(before)
    return calls


def test_what_is_too_long_or_too_deep_is_not_read() -> None:
    assert commands("a" * (shells.LONGEST + 1)) == ()
    assert commands("(" * 1000) == commands("if " * 1000) == commands("f() " * 1000) == ()
