"""What a container's command, its arguments and a shell's text in them come to, within bounds."""

from __future__ import annotations

import tracemalloc

import pytest

from hanbae.releases import invocations, shells

NAMES = "".join(f"a{number}=1;" for number in range(2000))
"""Assignments, of which each command and each subshell has its own copy."""
DOUBLING = "a0=x;" + "".join(f"a{n}=$a{n - 1}$a{n - 1};" for n in range(1, 400))
BOMBS = {
    "subshells": NAMES + "(x);" * 2_000,
    "nested subshells": NAMES + ("(" * 40 + "x" + ")" * 40 + ";") * 90,
    "commands": NAMES + "x;" * 4_000,
    "words of variables": f"a={'y' * 16_000};x {'-$a ' * 4_000}",
}
AGAIN = 'sh -c "$a";'
SCRIPTS = {
    "scripts in variables": f"a='{'x;' * 8_000}';{AGAIN * 1_400}",
    "scripts of scripts": f"a='{'x;' * 4_000}';b='{AGAIN * 800}';{AGAIN.replace('a', 'b') * 900}",
}


def of(script: str) -> tuple[invocations.Invocation, ...]:
    return invocations.of({"command": ["sh", "-c", script]}, frozenset())


@pytest.mark.parametrize("name", BOMBS)
def test_shell_text_that_grows_without_end_is_read_within_bounds(name: str) -> None:
    script = BOMBS[name]
    assert len(script) <= shells.LONGEST
    tracemalloc.start()
    try:
        of(script)
        assert tracemalloc.get_traced_memory()[1] < 50 * 1024**2
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_that_run_each_other_many_times_are_read_within_bounds(name: str) -> None:
    assert len(SCRIPTS[name]) <= shells.LONGEST
    assert 4_000 < len(of(SCRIPTS[name])) < 20_001


def test_what_stands_before_the_bound_is_read() -> None:
    first, *_ = of(f"goose up;{DOUBLING}x $a399")
    assert first.program == "goose"


def test_as_much_as_people_write_is_read() -> None:
    names = "".join(f"export A{number}=value-{number};" for number in range(100))
    runs = of(names + "echo $A1;" * 400 + "(cd /app && goose up)")
    assert len(runs) == 401
    assert runs[-1].program == "goose"
    assert runs[0].words[1] == ("value-1",)


IN_A_SHELL = {
    "document": 'sh <<EOF\ngoose -dir /m postgres "$DSN" up\nEOF',
    "quoted document": "exec sh -e <<'EOF'\ngoose -dir /m postgres \"$DSN\" up\nEOF",
    "tabs": 'bash -s -- staging <<-EOF\n\tgoose -dir /m postgres "$DSN" up\n\tEOF',
    "variable": 'D=/m\nsh <<EOF >/tmp/log\ngoose -dir $D postgres "$DSN" up\nEOF',
    "escaped variable": 'sh 0<<EOF\nD=/m; goose -dir \\$D postgres "$DSN" up\nEOF',
    "continued line": 'sh <<EOF\ngoose -dir /m \\\n  postgres "$DSN" up\nEOF',
    "file name": 'env X=1 sh /dev/stdin <<EOF\ngoose -dir /m postgres "$DSN" up\nEOF',
    "string": "bash <<< 'goose -dir /m postgres \"$DSN\" up'",
    "pipe": 'cat <<EOF | timeout 60 sh\ngoose -dir /m postgres "$DSN" up\nEOF',
    "two on a line": 'cat <<A; sh <<B\ngoose down\nA\ngoose -dir /m postgres "$DSN" up\nB',
}


@pytest.mark.parametrize("name", IN_A_SHELL)
def test_script_that_a_shell_is_given_on_its_input_is_read(name: str) -> None:
    (run,) = (run for run in of(IN_A_SHELL[name]) if run.program == "goose")
    assert run.words[1:4] == (("-dir",), ("/m",), ("postgres",))
    (address,) = run.words[4]
    assert isinstance(address, shells.Variable)
    assert address.name == "DSN"
    assert (run.words[5], run.within) == (("up",), "")
    assert not any(run.program in ("sh", "bash") for run in of(IN_A_SHELL[name]))


@pytest.mark.parametrize(
    "script",
    [
        "sh -c 'goose up' <<EOF\ngoose down\nEOF",
        "goose up <<EOF\ngoose down\nEOF",
        "sh /run.sh <<EOF\ngoose down\nEOF\ngoose up",
        "sh /run.sh 3<<EOF\ngoose down\nEOF\ngoose up",
        "sh <<EOF\n$(cat /run.sh)\ngoose down\nEOF\ngoose up",
        "{ cat; } <<EOF || exit 1\ngoose down\nEOF\ngoose up",
        "cat <<EOF | tee log | sh\ngoose down\nEOF\ngoose up",
    ],
)
def test_documents_that_no_shell_reads_as_its_script_are_none(script: str) -> None:
    runs = [run for run in of(script) if run.program == "goose"]
    assert [(run.words, run.within) for run in runs] == [((("goose",), ("up",)), "")]


def test_document_without_a_line_behind_it_is_empty() -> None:
    assert [run.words for run in of("sh <<EOF")] == [run.words for run in of("sh <<EOF\nEOF\n")]


@pytest.mark.parametrize(
    "arithmetic",
    [
        "((x << 2))",
        "((x = (y << 2) + 1))",
        "for ((i = 1; i << 2; i++)); do echo $i; done",
        "if ((x<<2)); then exit 1; fi",
        "x=$((y << 2))",
    ],
)
def test_shift_in_arithmetic_begins_no_document(arithmetic: str) -> None:
    runs = invocations.of({"command": ["bash", "-c", f"{arithmetic}\ngoose up"]}, frozenset())
    assert runs[-1].words == (("goose",), ("up",))


def test_document_in_subshells_on_several_lines_is_one() -> None:
    runs = of("((cat <<EOF\ngoose down\nEOF\n)); goose up")
    assert [run.words[1:] for run in runs if run.program == "goose"] == [(("up",),)]


def test_documents_and_parentheses_without_end_are_read_in_proportion() -> None:
    text = "(" * 10_000 + "<<X " * 3_000
    assert len(text) <= shells.LONGEST
    assert not of(text)
