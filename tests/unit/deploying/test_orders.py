"""What is said of a deployment that is gone on with, or ended."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support import records

from hanbae import subjects
from hanbae.deploying import orders, resuming
from hanbae.results import events, plans


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


@pytest.mark.parametrize(
    ("others", "numbers"), [([], ["0", "1"]), (["migrate-0"], ["1"])], ids=["alone", "called so"]
)
def test_what_an_indexed_jobs_pods_wrote_is_the_jobs_unless_another_is_called_so(
    others: list[str], numbers: list[str]
) -> None:
    job, *rest = (subjects.Ref("Job", "services", name) for name in ("migrate", *others))
    sync = plans.Step("sync", plans.Sync("auth-dev", "1" * 40, hooks=(job, *rest)))
    pods = {number: subjects.Ref("Pod", "services", f"migrate-{number}-x2v8q") for number in "01"}
    logged = [events.Logged(pod, "migrate", number) for number, pod in pods.items()]
    plan = plans.Plan(1, "auth", "dev", (sync,))
    past = resuming.Past("d1", plan, "jiwon", tuple(records.stream(logged)))
    assert list(past.lines(job)) == numbers
