"""What is said of a deployment that is gone on with, or ended."""

from __future__ import annotations

from typing import Any

from tests.support import records

from hanbae import subjects
from hanbae.deploying import orders, resuming
from hanbae.results import events


def order(*, stops: bool, past: resuming.Past | None) -> orders.Order:
    space: Any = None
    return orders.Order(space, records.opened().plan, "d1", "mina", past=past, stops=stops)


def test_only_who_goes_on_with_a_deployment_says_so() -> None:
    past = resuming.Past("d1", records.opened().plan, "jiwon")
    assert order(stops=False, past=None).resumption is None
    assert order(stops=False, past=past).resumption == past.half_done
    assert order(stops=True, past=past).resumption is None


def test_what_another_migrations_pod_wrote_is_not_read_as_this_ones() -> None:
    jobs = [subjects.Ref("Job", "services", f"auth-service-migrate{end}") for end in ("", "-audit")]
    logged = [
        events.Logged(subjects.Ref("Pod", "services", f"{job.name}-x2v8q"), "migrate", job.name)
        for job in jobs
    ]
    past = resuming.Past("d1", records.opened().plan, "jiwon", tuple(records.stream(logged)))
    assert [list(past.lines(job)) for job in jobs] == [[job.name] for job in jobs]
