"""The four measures of DORA are counted as the document defines them."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import count

from tests.support import records

from hanbae.history import measuring
from hanbae.results import deployments, measures

HOUR = timedelta(hours=1)
BEGUN = records.BEGUN
WRITTEN = {"b": BEGUN - 2 * HOUR, "c": BEGUN - 5 * HOUR}


def course(*steps: str, service: str = "auth") -> list[deployments.Deployment]:
    """Deployments of one service an hour apart: ``revision outcome``; ``migration`` is a failed one."""
    recorded = []
    for number, step in zip(count(), steps):
        revision, outcome = step.split()
        opened = BEGUN + number * HOUR
        failed = outcome == "migration"
        database = deployments.Migration("db", 2, 1, proven=False, failed="2.sql")
        recorded.append(
            deployments.Deployment(
                f"{service}{number}",
                service,
                "dev",
                revision,
                "failed" if failed else outcome,  # type: ignore[arg-type]
                migrations=(database,) if failed else (),
                opened=opened,
                began=None if outcome in {"refused", "failed-early"} else opened,
                closed=None if outcome == "running" else opened + timedelta(minutes=6),
            )
        )
    return recorded


def measured(
    *recorded: deployments.Deployment,
    since: datetime = BEGUN,
    until: datetime = BEGUN + 24 * HOUR,
    hours: int = 2,
    content: dict[str, str] | None = None,
) -> measures.Measures:
    lookup = measuring.Lookup(
        lambda _, revision: (content or {}).get(revision, ""),
        lambda _service, revision, _former: WRITTEN.get(revision),
    )
    return measuring.measured(
        recorded,
        lookup,
        environments=["dev"],
        since=since,
        until=until,
        rollback_hours=hours,
    )


def test_a_change_that_is_tried_three_times_fails_once() -> None:
    whole = measured(*course("a succeeded", "b failed", "b failed", "b failed", "b succeeded"))
    total, service = whole.deliveries
    assert (total.service, service.service) == ("", "auth")
    assert (total.changes, total.tried, total.failed, total.failure_rate) == (2, 2, 1, 0.5)
    (failure,) = whole.failures
    assert (failure.deployment, failure.revision, failure.how) == ("auth1", "b", "failed")
    assert failure.restored == BEGUN + 4 * HOUR + timedelta(minutes=6)
    assert total.restore_median == 3 * 3600


def test_a_failed_migration_is_a_failure_and_says_so() -> None:
    whole = measured(*course("a succeeded", "b migration"))
    assert [failure.how for failure in whole.failures] == ["migration"]
    assert whole.deliveries[0].unrestored == 1
    assert whole.deliveries[0].restore_median is None


def test_what_was_refused_stopped_or_still_runs_is_no_failure_and_no_change() -> None:
    whole = measured(
        *course("a succeeded", "b refused", "c stopped", "d superseded", "e unknown", "f running")
    )
    assert (whole.deliveries[0].changes, whole.deliveries[0].tried) == (1, 1)
    assert whole.failures == ()


def test_a_change_that_is_taken_back_soon_has_failed_and_is_no_new_change() -> None:
    whole = measured(*course("a succeeded", "b succeeded", "a succeeded"))
    (failure,) = whole.failures
    assert (failure.revision, failure.how, failure.deployment) == ("b", "rolled-back", "auth2")
    assert failure.began == BEGUN + HOUR + timedelta(minutes=6)
    assert failure.restored == BEGUN + 2 * HOUR + timedelta(minutes=6)
    assert (whole.deliveries[0].changes, whole.deliveries[0].failed) == (2, 1)


def test_a_change_that_is_taken_back_later_was_not_a_failure() -> None:
    recorded = course("a succeeded", "b succeeded", "b failed", "b failed", "a succeeded")
    assert measured(*recorded[:2], recorded[4], hours=2).failures == ()
    assert len(measured(*recorded[:2], recorded[4], hours=3).failures) == 1


def test_a_revert_is_known_by_its_content() -> None:
    """``git revert`` makes a new commit with the former files."""
    recorded = course("a succeeded", "b succeeded", "revert succeeded")
    content = {"a": "1", "b": "2", "revert": "1"}
    assert [failure.revision for failure in measured(*recorded, content=content).failures] == ["b"]
    assert measured(*recorded, content=content | {"revert": "3"}).failures == ()


def test_a_commit_that_changes_nothing_of_a_service_is_no_change_of_it() -> None:
    recorded = course("a succeeded", "other succeeded", "another failed")
    whole = measured(*recorded, content={"a": "1", "other": "1", "another": "1"})
    assert whole.deliveries[0].changes == 1


def test_lead_time_begins_with_the_first_commit_and_is_unknown_of_the_first_change() -> None:
    total = measured(*course("a succeeded", "b failed", "b succeeded", "c succeeded")).deliveries[0]
    minutes = timedelta(minutes=6)
    leads = [(2 * HOUR + minutes + 2 * HOUR), (3 * HOUR + minutes + 5 * HOUR)]
    assert total.leads == 2
    assert total.lead_median == sum(lead.total_seconds() for lead in leads) / 2
    assert total.lead_high == leads[1].total_seconds()


def test_only_what_happened_in_the_time_is_counted_and_what_was_before_is_remembered() -> None:
    recorded = course("a succeeded", "b succeeded", "c failed")
    total = measured(*recorded, since=BEGUN + HOUR, until=BEGUN + 2 * HOUR).deliveries[0]
    assert (total.changes, total.tried, total.failed, total.leads) == (1, 1, 0, 1)
    assert total.per_day == 24


def test_services_are_counted_apart_and_together() -> None:
    whole = measured(*course("a succeeded", "b failed"), *course("x succeeded", service="orders"))
    assert [delivery.service for delivery in whole.deliveries] == ["", "auth", "orders"]
    assert [delivery.tried for delivery in whole.deliveries] == [3, 2, 1]
    assert [delivery.failed for delivery in whole.deliveries] == [1, 1, 0]
