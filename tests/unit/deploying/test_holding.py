"""Holds as they stand on a Lease: whom they refuse, and that what nobody can read holds all the same."""

from __future__ import annotations

import msgspec
import pytest

from hanbae import errors
from hanbae.deploying import holding
from hanbae.results import holds

BAD, GOOD = "b" * 40, "a" * 40
ALL = holds.Hold("The login page is slow", "ann", "cluster", "2026-12-24T09:30:00Z")
HOLD = holds.Hold("Loses sessions", "ann", "cluster", "2026-12-24T09:30:00Z", BAD)


def marks(*held: holds.Hold) -> dict[str, str]:
    return {holding.MARK: msgspec.json.encode(held).decode()}


def refused(stored: dict[str, str], revision: str) -> str:
    try:
        holding.refuse(stored, "auth", "production", revision)
    except errors.Refused as error:
        return error.text.id
    return ""


def test_a_service_is_held_whatever_the_commit() -> None:
    assert refused(marks(ALL), GOOD) == refused(marks(ALL), BAD) == "hold.refused"


def test_one_commit_is_held_and_no_other() -> None:
    assert refused(marks(HOLD), BAD) == "hold.refused-revision"
    assert refused(marks(HOLD), GOOD) == ""


@pytest.mark.parametrize("stored", [{}, {holding.MARK: ""}, {holding.MARK: "[]"}])
def test_without_a_hold_nothing_is_refused(stored: dict[str, str]) -> None:
    assert refused(stored, GOOD) == ""


@pytest.mark.parametrize("text", ["{", "{}", '[{"why": 1}]', "[" * 10_000, '"\\ud800"'])
def test_what_cannot_be_read_holds_all_the_same(text: str) -> None:
    assert refused({holding.MARK: text}, GOOD) == "hold.refused"


def test_a_reason_of_somebody_else_is_one_bounded_line() -> None:
    hold = msgspec.structs.replace(ALL, why="a\nb" * 10_000)
    facts = holding.facts(hold, "auth", "production")
    assert "\n" not in facts["why"]
    assert len(facts["why"]) <= 400
    assert facts["since"] == "2026-12-24 09:30:00"
