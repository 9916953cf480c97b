from __future__ import annotations

from datetime import UTC, datetime

from hanbae.sealing import pasts


def state(day: int, author: str, certificate: str, **sealed: str) -> pasts.State:
    section = {"encryptedData": sealed, "certificate": certificate}
    return pasts.State(section, f"c{day}", datetime(2026, 1, day, tzinfo=UTC), author)


def test_value_sealed_anew_keeps_its_age_and_its_author() -> None:
    past = pasts.of([state(1, "a", "x", K="1"), state(2, "b", "y", K="2")])["K"]
    assert (past.since.day, past.author, past.certificates) == (1, "a", ("x", "y"))


def test_new_value_for_the_same_certificate_is_new() -> None:
    past = pasts.of([state(1, "a", "x", K="1"), state(2, "b", "x", K="2")])["K"]
    assert (past.since.day, past.author, past.certificates) == (2, "b", ("x",))
    assert past.former == ("a",)
    third = pasts.of(
        [state(1, "a", "x", K="1"), state(2, "b", "x", K="2"), state(3, "c", "x", K="3")]
    )
    assert (third["K"].author, third["K"].former) == ("c", ("a", "b"))


def test_unchanged_value_is_of_the_commit_that_brought_it() -> None:
    states = [
        state(1, "a", "x", K="1"),
        state(2, "b", "x", K="1", L="2"),
        state(3, "c", "x", K="1"),
    ]
    past = pasts.of(states)
    assert set(past) == {"K"}
    assert (past["K"].since.day, past["K"].commit) == (1, "c1")
