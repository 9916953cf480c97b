from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hanbae import errors, subjects, wording
from hanbae.deploying import proving
from hanbae.migrations import runner_lines, statuses
from hanbae.policy import labels, naming
from hanbae.results import events, plans

HOOK = subjects.Ref("Job", "services-dev", "auth-service-migrate")
JOB = {
    "metadata": {"namespace": "services-dev", "labels": {"app.kubernetes.io/component": "proof"}},
    "spec": {"template": {"metadata": {"labels": {"app.kubernetes.io/component": "proof"}}}},
}
PROOF = plans.Prove("auth_db", (1, 2, 3), HOOK, JOB)


def test_exactly_the_revisions_migrations_are_a_proof() -> None:
    verdict = proving.compare(PROOF, statuses.Status((1, 2, 3), ()), [3])
    assert verdict == events.Proved("auth_db", 3, 3, (3,))


@pytest.mark.parametrize(
    ("status", "text_id", "names"),
    [
        pytest.param(statuses.Status((1, 2), (3,)), "proof.not-applied", "3", id="pending"),
        pytest.param(statuses.Status((1, 3), (2,)), "proof.missing-below", "2", id="below"),
        pytest.param(statuses.Status((1, 2), ()), "proof.not-in-image", "3", id="not in the image"),
        pytest.param(
            statuses.Status((1, 2, 3, 4), ()), "proof.not-in-commit", "4", id="not in the commit"
        ),
        pytest.param(
            statuses.Status((1, 2, 3), (4,)), "proof.not-in-commit", "4", id="unknown and pending"
        ),
        pytest.param(
            statuses.Status((), ()), "proof.not-in-image", "1, 2, 3", id="no files in the image"
        ),
    ],
)
def test_any_difference_is_a_failure_that_says_which(
    status: statuses.Status, text_id: str, names: str
) -> None:
    with pytest.raises(errors.Failed) as caught:
        proving.compare(PROOF, status, [])
    assert caught.value.text.id == text_id
    facts = {"database": "auth_db", "files": names, "version": str(status.version)}
    assert caught.value.text.facts == facts


@pytest.mark.parametrize(
    ("direction", "text_id"), [("up", "proof.half-applied"), ("down", "proof.half-taken-back")]
)
def test_a_migration_that_stopped_in_the_middle_is_no_proof(direction: str, text_id: str) -> None:
    halves = (runner_lines.Half("00003_x.sql", direction, 2),)
    for status in (statuses.Status((1, 2), (3,), halves), statuses.Status((1, 2, 3), (), halves)):
        with pytest.raises(errors.Failed) as caught:
            proving.compare(PROOF, status, [])
        assert caught.value.text.id == text_id
        assert caught.value.text.facts["file"] == "00003_x.sql"
        assert caught.value.text.facts["statement"] == "2"


def test_files_are_named_where_the_plan_names_them() -> None:
    paths = tuple(f"services/auth/migrations/0000{n}_x.sql" for n in (1, 2, 3))
    proof = msgspec.structs.replace(PROOF, files=paths)
    proved = proving.compare(proof, statuses.Status((1, 2, 3), ()), [2, 3])
    assert proved.names == ("00002_x.sql", "00003_x.sql")
    with pytest.raises(errors.Failed) as caught:
        proving.compare(proof, statuses.Status((1, 2), ()), [])
    assert caught.value.text.facts["files"] == "00003_x.sql"


@given(st.text(min_size=1, max_size=80), st.text(min_size=1, max_size=80))
def test_keys_are_label_values_and_one_of_their_own(deployment: str, step: str) -> None:
    key = proving.key(deployment, step)
    assert len(key) <= 63
    assert key == proving.key(deployment, step)
    assert key != proving.key(deployment, step + "x")


def test_the_job_gets_a_name_that_kubernetes_takes_and_no_other_intent_has() -> None:
    name = "identity-service-prove-a_database_with_a_name_that_is_rather_long"
    first, second = proving.named(JOB, name, "d1.prove"), proving.named(JOB, name, "d2.prove")
    assert first["metadata"]["name"] != second["metadata"]["name"]
    for job in (first, second):
        assert len(job["metadata"]["name"]) <= 63
        assert "_" not in job["metadata"]["name"]
    assert first["metadata"]["labels"][labels.KEY] == "d1.prove"
    assert first["spec"]["template"]["metadata"]["labels"][labels.KEY] == "d1.prove"
    assert "name" not in JOB["metadata"], "the plan is not changed"


@pytest.mark.parametrize(
    ("reached", "databases", "is_ahead"),
    [
        ({}, 1, False),
        ({HOOK: 3}, 1, False),
        ({HOOK: 2}, 1, False),
        ({HOOK: 4}, 1, True),
        ({HOOK: 4}, 2, False),  # one Job for two: whose version it is is not known
    ],
)
def test_database_that_is_past_the_commits_files_is_told_beside_the_proof(
    reached: dict[subjects.Ref, int], databases: int, is_ahead: bool
) -> None:
    proofs = [PROOF, msgspec.structs.replace(PROOF, database="other_db")][:databases]
    steps = tuple(plans.Step(f"prove-{proof.database}", proof) for proof in proofs)
    plan = plans.Plan(1, "auth", "dev", steps)
    text = proving.ahead(plan, events.Proved("auth_db", 3, 3, ()), reached)
    assert (text is not None) is is_ahead
    if text is not None:
        assert text.facts == {"database": "auth_db", "version": "4", "proven": "3"}
    reported = events.Proved("auth_db", 3, 3, (), drift=(wording.Text("drift.ahead"),))
    assert proving.ahead(plan, reported, reached) is None, "the database itself has said so"


def test_the_jobs_name_begins_as_a_release_with_dots_does_for_by_that_it_may_be_made() -> None:
    for release in ("auth.dev", "a." + "b" * 51):
        name = proving.named(JOB, f"{release}-prove-auth_db", "d1.prove")["metadata"]["name"]
        assert name.startswith(f"{release}-")
        assert naming.is_object(name, "release")
        assert len(name) <= 63
