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
