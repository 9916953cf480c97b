from __future__ import annotations

from datetime import UTC, datetime

import pytest

from hanbae import subjects, wording
from hanbae.deploying import deadlines
from hanbae.policy import documents
from hanbae.results import events, plans

HOOK = subjects.Ref("Job", "services-dev", "auth-service-migrate")
POLICY = documents.Policy(
    version=1,
    argocd=documents.ArgoCD("https://git.example.com/shop.git"),
    environments={},
    migrations=documents.Migrations(deadline="1m"),
    rollout=documents.Rollout(deadline="2m", stalled_after="30s"),
)
RUNNING = events.Observed(HOOK, "Running")
LINE = events.Logged(HOOK, "migrate", "x")
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
AWAITED = (wording.Text("argo.awaits-end"),)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_each_hook_has_its_deadline_before_the_rollouts() -> None:
    clock = Clock()
    pace = deadlines.Pace(POLICY, plans.Sync("a", "r", hooks=(HOOK, HOOK)), clock=clock)
    clock.now = 239.9
    assert not pace.over
    clock.now = 240
    assert pace.over
    assert pace.deadline.facts == {"seconds": "240"}


def test_the_users_limit_wins_when_it_is_sooner() -> None:
    clock = Clock()
    limit = deadlines.Limit.beginning(10, clock)
    clock.now = 0.8  # it was claimed and announced meanwhile
    pace = deadlines.Pace(POLICY, plans.Sync("a", "r"), limit=limit, clock=clock)
    assert pace.deadline.facts == {"seconds": "10"}
    clock.now = 10
    assert pace.over


def test_what_is_awaited_is_told_once_per_silence_and_since_when() -> None:
    clock = Clock()
    pace = deadlines.Pace(POLICY, plans.Sync("a", "r"), clock=clock)
    assert pace.within(None) == 30
    clock.now = 30
    stalled, *awaited = pace.stalled(AWAITED, NOW)
    assert stalled.facts == {"seconds": "30", "since": "2026-11-23 11:59:30"}
    assert awaited == list(AWAITED)
    clock.now = 70
    assert list(pace.stalled(AWAITED, NOW)) == []
    pace.saw(RUNNING)
    clock.now = 100
    assert list(pace.stalled(AWAITED, NOW))[1:] == list(AWAITED)


def test_a_verdict_that_is_near_wakes_earlier() -> None:
    pace = deadlines.Pace(POLICY, plans.Sync("a", "r"), clock=Clock())
    assert pace.within(3.5) == 3.5


def test_causes_are_not_looked_for_after_each_line_of_a_log() -> None:
    pace = deadlines.Pace(POLICY, plans.Sync("a", "r"), clock=Clock())
    assert pace.looks(RUNNING)
    assert not pace.looks(LINE)
    assert pace.within(None) == pytest.approx(deadlines.LOG_SETTLES)
    assert pace.looks(None)
