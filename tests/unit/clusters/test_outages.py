"""A server that is gone is waited for as long as somebody said, whoever asks, and nothing else is."""

from __future__ import annotations

import pytest

from hanbae import errors
from hanbae.clusters import answers, outages


def gone() -> errors.Error:
    return errors.Unreachable("cluster.unreachable", place=None, why="refused")


def failing(status: str) -> errors.Error:
    return errors.Unreachable("cluster.failing", place=None, status=status)


@pytest.fixture
def clock() -> list[float]:
    return [100.0]


@pytest.fixture
def server(clock: list[float]) -> outages.Outages:
    server = outages.Outages(lambda: clock[0])
    server.patience = 30.0
    return server


def test_nobody_waits_who_has_begun_nothing() -> None:
    assert not outages.Outages().outlasts(gone())


@pytest.mark.parametrize("error", [gone(), failing("503"), failing("502")], ids=str)
def test_one_outage_is_waited_for_as_long_as_was_said(
    clock: list[float], server: outages.Outages, error: errors.Error
) -> None:
    assert server.outlasts(error)
    clock[0] += 29
    assert server.outlasts(error)
    clock[0] += 2
    assert not server.outlasts(error)
    assert not server.outlasts(error), "another request does not begin it anew"


def test_an_answer_ends_it(clock: list[float], server: outages.Outages) -> None:
    assert server.outlasts(gone())
    clock[0] += 40
    server.answered()
    assert server.outlasts(gone())


@pytest.mark.parametrize(
    "error",
    [
        failing("500"),
        answers.Missing("cluster.missing"),
        errors.Unreachable("cluster.too-large"),
    ],
    ids=str,
)
def test_what_was_answered_is_not_sent_again(
    clock: list[float], server: outages.Outages, error: errors.Error
) -> None:
    assert server.outlasts(gone())
    clock[0] += 29
    assert not server.outlasts(error)
    clock[0] += 2
    assert server.outlasts(gone()), "the server was there meanwhile"


def test_what_may_have_been_done_is_not_sent_again_and_ends_no_outage(
    clock: list[float], server: outages.Outages
) -> None:
    assert server.outlasts(gone())
    clock[0] += 29
    assert not server.outlasts(answers.Unanswered("cluster.unanswered"))
    clock[0] += 2
    assert not server.outlasts(gone())


def test_a_server_that_is_only_just_back_may_refuse_what_it_allows(
    clock: list[float], server: outages.Outages
) -> None:
    refused = errors.Forbidden("cluster.forbidden")
    assert not server.outlasts(refused), "it was never away"
    assert server.judged(refused) is refused
    assert server.outlasts(gone())
    clock[0] += 12
    assert server.outlasts(refused)
    server.answered()
    clock[0] += 9
    assert server.outlasts(refused)
    assert type(server.judged(refused)) is errors.Unreachable
    clock[0] += 2
    assert not server.outlasts(refused)
    assert server.judged(refused) is refused
