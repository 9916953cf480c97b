"""Which pods are a Job's, by the names that Kubernetes gives them."""

from __future__ import annotations

import pytest

from hanbae import subjects


@pytest.mark.parametrize(
    ("job", "pod", "is_its"),
    [
        ("auth-migrate", "auth-migrate-x2v8q", True),
        ("auth-migrate", "auth-migrate-audit-x2v8q", False),
        ("auth-migrate", "auth-migrate", False),
        # The name and its hyphen are cut to 58 letters before the random ones.
        ("a" * 57, "a" * 57 + "-x2v8q", True),
        ("a" * 58, "a" * 58 + "x2v8q", True),
        ("a" * 63, "a" * 58 + "x2v8q", True),
        ("a" * 63, "a" * 57 + "-x2v8q", False),
        # As its generateName has it.
        ("auth-migrate-", "auth-migrate-8zk4t-x2v8q", True),
        ("auth-migrate-", "auth-migrate-x2v8q", False),
        ("auth-migrate-", "auth-migrate-audit-8zk4t-x2v8q", False),
        ("a" * 52 + "-", "a" * 52 + "-8zk4t" + "x2v8q", True),
    ],
)
def test_a_pod_is_a_jobs_by_its_whole_name(job: str, pod: str, is_its: bool) -> None:
    assert subjects.Ref("Job", "services", job).has_pod(pod) is is_its


@pytest.mark.parametrize(
    ("pod", "jobs", "owner"),
    [
        ("migrate-0-x2v8q", ["migrate"], "migrate"),
        ("migrate-12-x2v8q", ["migrate", "migrate-1"], "migrate"),
        ("migrate-x2v8q", ["migrate"], "migrate"),
        ("migrate-0-x2v8q", ["migrate", "migrate-0"], "migrate-0"),
        ("migrate-0-1-x2v8q", ["migrate", "migrate-0"], "migrate-0"),
        ("migrate-audit-x2v8q", ["migrate"], None),
        ("migrate--x2v8q", ["migrate"], None),
        ("other-0-x2v8q", ["migrate"], None),
        # Kubernetes cuts the name off before the number.
        ("a" * 55 + "-0-x2v8q", ["a" * 63], "a" * 63),
        ("a" * 55 + "-0-x2v8q", ["a" * 54], None),
        ("migrate-8zk4t-0-x2v8q", ["migrate-"], "migrate-"),
        ("migrate-0-x2v8q", ["migrate-"], None),
        # Kubernetes may have completed either name so.
        ("a-bcdef-x2v8q", ["a-", "a-bcdef"], None),
    ],
)
def test_a_pod_of_an_indexed_job_is_known_among_the_jobs_that_there_are(
    pod: str, jobs: list[str], owner: str | None
) -> None:
    job = subjects.job_of(pod, [subjects.Ref("Job", "services", name) for name in jobs])
    assert (job.name if job else None) == owner
