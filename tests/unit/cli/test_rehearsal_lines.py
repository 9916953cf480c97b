"""A rehearsal as people read it: every kind of fault in it, in a terminal and in a merge request."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hanbae.cli.text import catalogue, rehearsal_lines
from hanbae.results import rehearsals

GOLDEN = Path(__file__).parents[2] / "golden" / "rehearsal"
IMAGE = "registry.example.com/shop/auth@sha256:5e"
LOCKS = (
    rehearsals.Lock("public.a", "AccessExclusive", "reads and writes", "ALTER TABLE", 1.25),
    rehearsals.Lock("public.b", "AccessExclusive", "reads and writes", "DROP INDEX"),
    rehearsals.Lock("public.c", "Exclusive", "writes", "", 0.5),
    rehearsals.Lock("public.d", "Share", "writes", "CREATE INDEX"),
)
STEPS = (
    rehearsals.Step(1, "00001_a.sql", 0.5),
    rehearsals.Step(2, "00002_b.sql", 12.345, LOCKS, ("public.a",), is_slow=True),
)
ERROR = "ERROR 00002_b.sql: syntax error\n\x1b[2J```\n::error::and more"
DATABASE = rehearsals.Database(
    "auth_db",
    6,
    (
        rehearsals.Run("nothing", 0, STEPS),
        rehearsals.Run(
            "production",
            1,
            STEPS[1:],
            (
                rehearsals.Filled("public.a", 20000),
                rehearsals.Filled("public.b", 0, "it takes none"),
                rehearsals.Filled("public.c", 3, "it takes no more"),
            ),
            image=IMAGE,
        ),
        rehearsals.Run("staging", 2),
        rehearsals.Run("dev", 1, failed="00002_b.sql", error=ERROR),
    ),
    (
        rehearsals.Back(6, "00006_f.sql", "restored"),
        rehearsals.Back(5, "00005_e.sql", "differs", ("- column x", "+ column y")),
        rehearsals.Back(4, "00004_d.sql", "failed", error=ERROR),
        rehearsals.Back(3, "00003_c.sql", "none"),
    ),
    is_settled=False,
)
EMPTY = rehearsals.Database("empty_db", 0, (rehearsals.Run("nothing", 0),))
STOPPED = rehearsals.Database(
    "other_db", 1, (rehearsals.Run("nothing", 0, failed="00001_a.sql", error="no"),)
)
FAULTY = rehearsals.Rehearsal(
    "auth",
    "3f2c1ab09d4e77",
    "18.6",
    10.0,
    (DATABASE, EMPTY, STOPPED),
    failed=True,
    unseen=("rehearsal.unseen-statements",),
)


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    catalogue.speak("en")
    yield
    catalogue.speak("en")


def text(rehearsal: rehearsals.Rehearsal) -> str:
    return "\n".join(f"{line.head}{line.words}" for line in rehearsal_lines.lines(rehearsal))


@pytest.mark.parametrize("language", ["en", "ko"])
@pytest.mark.parametrize("form", [text, rehearsal_lines.markdown])
def test_every_fault_is_shown_as_reviewed(
    language: str, form: Callable[[rehearsals.Rehearsal], str]
) -> None:
    catalogue.speak(language)
    shown = form(FAULTY) + "\n"
    golden = GOLDEN / f"{form.__name__}.{language}.txt"
    if "HANBAE_UPDATE_GOLDEN" in os.environ:
        golden.write_text(shown)
    assert shown == golden.read_text()


def test_what_a_server_says_ends_no_block_of_a_merge_request() -> None:
    shown = rehearsal_lines.markdown(FAULTY)
    assert shown.count("```") == 2
    assert "\x1b" not in shown
    assert shown.startswith("### ❌ ")


def test_of_a_long_difference_the_beginning_is_shown() -> None:
    lines = tuple(f"- column {number}" for number in range(50))
    back = rehearsals.Back(1, "00001_a.sql", "differs", lines)
    database = rehearsals.Database("auth_db", 1, (), (back,))
    shown = text(rehearsals.Rehearsal("auth", "", "18.6", 10.0, (database,), failed=True))
    assert "column 19" in shown
    assert "column 20" not in shown


@pytest.mark.parametrize(
    ("database", "has_failed"),
    [
        (rehearsals.Database("a", 0, ()), False),
        (rehearsals.Database("a", 0, (), is_settled=False), True),
        (rehearsals.Database("a", 0, (rehearsals.Run("nothing", 0, error="no"),)), True),
        (rehearsals.Database("a", 0, (rehearsals.Run("nothing", 0, failed="1.sql"),)), True),
        (rehearsals.Database("a", 0, (rehearsals.Run("nothing", 0, STEPS[:1]),)), False),
        (rehearsals.Database("a", 0, (rehearsals.Run("nothing", 0, STEPS),)), True),
        (rehearsals.Database("a", 0, (), (rehearsals.Back(1, "a", "restored"),)), False),
        (rehearsals.Database("a", 0, (), (rehearsals.Back(1, "a", "none"),)), False),
        (rehearsals.Database("a", 0, (), (rehearsals.Back(1, "a", "differs"),)), True),
        (rehearsals.Database("a", 0, (), (rehearsals.Back(1, "a", "failed"),)), True),
    ],
)
def test_locks_and_rewrites_fail_nothing_and_every_fault_does(
    database: rehearsals.Database, *, has_failed: bool
) -> None:
    assert database.has_failed is has_failed
