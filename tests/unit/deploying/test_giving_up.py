"""When a deployment is given up, on a clock that the test turns."""

from __future__ import annotations

import pytest

from hanbae import subjects
from hanbae.deploying import giving_up
from hanbae.diagnosing import pictures

JOB = subjects.Ref("Job", "services-dev", "auth-service-migrate")


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def judge(clock: Clock) -> giving_up.Judge:
    return giving_up.Judge(clock)


def cause(id_: str, *, fatal: bool, pod: str = "a", **facts: str) -> pictures.Cause:
    subject = subjects.Ref("Pod", "services-dev", pod)
    return pictures.cause(subject, id_, facts, ["kubectl"], fatal=fatal, owner=JOB)


MISSING = cause("diagnosis.secret-missing", fatal=True)


def test_a_fatal_cause_is_told_at_once_and_judged_after_fifteen_seconds(
    judge: giving_up.Judge, clock: Clock
) -> None:
    assert list(judge.hear([MISSING])) == [MISSING.diagnosis]
    clock.now += 14.9
    assert list(judge.hear([MISSING])) == []
    assert judge.verdict() is None
    assert judge.within() == pytest.approx(0.1)
    clock.now += 0.1
    assert judge.verdict() == MISSING.diagnosis


@pytest.mark.parametrize(("missed", "gone_after"), [(0, 8), (12, 2)])
def test_a_secret_that_comes_before_the_verdict_prevents_it(
    judge: giving_up.Judge, clock: Clock, missed: float, gone_after: float
) -> None:
    list(judge.hear([MISSING]))
    clock.now += missed
    list(judge.hear([MISSING]))
    clock.now += gone_after
    list(judge.hear([]))
    clock.now += 8
    assert judge.verdict() is None
    assert judge.within() is None
    # The pod starts, and nothing changes any more.
    clock.now += 60
    assert judge.verdict() is None


def test_a_cause_that_turns_out_to_heal_is_no_verdict(judge: giving_up.Judge, clock: Clock) -> None:
    # The pod's status comes before the Event that says that its pull secret was not read yet.
    list(judge.hear([cause("diagnosis.image-unauthorised", fatal=True)]))
    healing = cause("diagnosis.image-unauthorised", fatal=False)
    clock.now += 1
    assert list(judge.hear([healing])) == [healing.diagnosis]
    clock.now += 15
    assert judge.verdict() is None
    assert judge.within() is None
    list(judge.hear([healing]))
    assert judge.verdict() is None
    assert judge.gravest == healing.diagnosis


def test_a_trouble_that_is_there_is_named_before_one_that_is_out_of_sight(
    judge: giving_up.Judge, clock: Clock
) -> None:
    passed = cause("diagnosis.image-unauthorised", fatal=True)
    list(judge.hear([passed]))
    clock.now += 1
    list(judge.hear([MISSING]))
    assert judge.gravest == MISSING.diagnosis
    list(judge.hear([]))
    assert judge.gravest == passed.diagnosis


def test_a_trouble_that_is_out_of_sight_for_a_moment_goes_on_counting(
    judge: giving_up.Judge, clock: Clock
) -> None:
    assert not judge.counts
    list(judge.hear([MISSING]))
    clock.now += 5
    list(judge.hear([]))
    assert judge.counts
    assert judge.within() is None
    clock.now += 2
    list(judge.hear([]))
    assert not judge.counts


def test_an_attempt_that_was_the_last_is_judged_though_its_pod_is_gone(
    judge: giving_up.Judge, clock: Clock
) -> None:
    subject = subjects.Ref("Pod", "services-dev", "a")
    text_id = "diagnosis.migration-hopeless"
    hopeless = pictures.cause(
        subject, text_id, {"log": "x"}, ["kubectl"], fatal=True, owner=JOB, is_settled=True
    )
    list(judge.hear([hopeless]))
    list(judge.hear([]))
    clock.now += giving_up.LOG_COMES
    assert judge.verdict() == hopeless.diagnosis


def test_the_same_cause_in_the_next_pod_goes_on_counting(
    judge: giving_up.Judge, clock: Clock
) -> None:
    list(judge.hear([MISSING]))
    clock.now += 5
    list(judge.hear([]))
    clock.now += 5
    next_pod = cause("diagnosis.secret-missing", fatal=True, pod="b")
    assert list(judge.hear([next_pod])) == []
    clock.now += 5
    assert judge.verdict() == next_pod.diagnosis


def test_what_may_heal_never_is_a_verdict(judge: giving_up.Judge, clock: Clock) -> None:
    crashing = cause("diagnosis.crashing", fatal=False)
    assert list(judge.hear([crashing])) == [crashing.diagnosis]
    clock.now += 600
    list(judge.hear([crashing]))
    assert judge.verdict() is None


def test_each_attempt_is_told_once(judge: giving_up.Judge) -> None:
    def attempt(number: int) -> pictures.Cause:
        return cause("diagnosis.migration-attempt", fatal=False, attempt=str(number), log="x")

    assert len(list(judge.hear([attempt(1)]))) == 1
    assert len(list(judge.hear([attempt(1)]))) == 0
    assert len(list(judge.hear([attempt(2)]))) == 1


def test_a_cause_waits_a_moment_for_its_log_but_not_for_long(
    judge: giving_up.Judge, clock: Clock
) -> None:
    silent = cause("diagnosis.migration-attempt", fatal=False, attempt="1", log="")
    worded = cause("diagnosis.migration-attempt", fatal=False, attempt="1", log="division by zero")
    assert list(judge.hear([silent])) == []
    assert judge.within() == pytest.approx(giving_up.LOG_COMES)
    assert list(judge.hear([worded])) == [worded.diagnosis]
    second = cause("diagnosis.migration-attempt", fatal=False, attempt="2", log="")
    assert list(judge.hear([second])) == []
    clock.now += giving_up.LOG_COMES + 0.1
    assert list(judge.hear([second])) == [second.diagnosis]


def test_a_cause_whose_log_never_comes_is_told_at_the_end(judge: giving_up.Judge) -> None:
    silent = cause("diagnosis.migration-too-long", fatal=True, log="")
    assert list(judge.hear([silent])) == []
    assert list(judge.rest()) == [silent.diagnosis]
    assert list(judge.rest()) == []


def test_a_cause_stands_until_it_is_gone(judge: giving_up.Judge) -> None:
    assert not judge.stands
    crashing = cause("diagnosis.crashing", fatal=False)
    list(judge.hear([crashing]))
    assert judge.stands
    list(judge.hear([]))
    assert not judge.stands
    assert judge.gravest == crashing.diagnosis


def test_attempts_are_no_news_once_the_same_job_has_failed_for_good(judge: giving_up.Judge) -> None:
    silent = pictures.cause(
        JOB, "diagnosis.migration-attempt", {"log": ""}, ["kubectl"], fatal=False
    )
    hopeless = pictures.cause(
        *(JOB, "diagnosis.migration-hopeless", {"log": "syntax error"}, ["kubectl"]),
        fatal=True,
        is_settled=True,
    )
    assert list(judge.hear([silent])) == [], "it waits for its log"
    assert list(judge.hear([hopeless])) == [hopeless.diagnosis]
    second = pictures.cause(
        *(JOB, "diagnosis.migration-attempt", {"attempt": "2", "log": "syntax error"}, ["kubectl"]),
        fatal=False,
    )
    assert list(judge.hear([hopeless, second])) == []
    assert list(judge.rest()) == []


def test_the_gravest_is_a_fatal_one_even_if_another_was_told_later(
    judge: giving_up.Judge, clock: Clock
) -> None:
    assert judge.gravest is None
    list(judge.hear([MISSING]))
    list(judge.hear([MISSING, cause("diagnosis.not-ready", fatal=False)]))
    assert judge.gravest == MISSING.diagnosis
    clock.now += 60
    list(judge.hear([]))
    assert judge.gravest == MISSING.diagnosis


def settled(*, fatal: bool = True, **facts: str) -> pictures.Cause:
    named = cause("diagnosis.crashing", fatal=fatal, log="panic: no config", **facts)
    return pictures.Cause(named.diagnosis, named.owner, is_settled=fatal)


def test_what_has_had_its_attempts_is_a_verdict_without_patience(
    judge: giving_up.Judge, clock: Clock
) -> None:
    waiting = settled(fatal=False)
    list(judge.hear([waiting]))
    clock.now += 60
    assert judge.verdict() is None
    crashed = settled()
    assert list(judge.hear([crashed])) == [crashed.diagnosis], "it is fatal now"
    clock.now += giving_up.LOG_COMES + 0.1
    assert judge.verdict() == crashed.diagnosis


def test_a_symptom_is_the_verdict_only_where_nothing_else_was_named(
    judge: giving_up.Judge, clock: Clock
) -> None:
    late = cause("diagnosis.progress-deadline", fatal=True)
    symptom = pictures.Cause(late.diagnosis, late.owner, is_symptom=True)
    list(judge.hear([symptom]))
    clock.now += giving_up.PATIENCE
    assert judge.verdict() == symptom.diagnosis
    crashing = cause("diagnosis.crashing", fatal=False)
    list(judge.hear([crashing, symptom]))
    assert judge.verdict() == crashing.diagnosis
    assert judge.gravest == crashing.diagnosis
