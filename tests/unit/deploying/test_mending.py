"""A migration that failed is told with the file to mend, and not with the command that shows the failure again."""

from __future__ import annotations

import pytest

from hanbae import subjects, wording
from hanbae.deploying import mending
from hanbae.results import events, plans

JOB = subjects.Ref("Job", "services-dev", "auth-service-migrate")
FILES = ("services/auth/db/00001_a.sql", "services/auth/db/00002_b.sql")
PROOF = plans.Prove("auth_db", (1, 2), JOB, {}, files=FILES)
PLAN = plans.Plan(1, "auth", "dev", (plans.Step("prove", PROOF),))
SET = ("hanbae", "image", "set", "auth", "IMAGE:TAG", "--env", "dev")


def cure(text_id: str, failed: str) -> mending.Cure | None:
    diagnosis = events.Diagnosed(JOB, wording.Text(text_id), ("kubectl",), fatal=True)
    return mending.of(PLAN, diagnosis, JOB, failed=failed)


@pytest.mark.parametrize("text_id", ["diagnosis.migration-hopeless", "diagnosis.migration-failed"])
def test_wrong_sql_is_mended_in_its_file_and_the_image_built_again(text_id: str) -> None:
    named = cure(text_id, "00002_b.sql")
    assert named == mending.Cure(wording.Text("deploy.mend-migration", {"file": FILES[1]}), SET)


@pytest.mark.parametrize(
    ("text_id", "failed"),
    [
        ("diagnosis.migration-failed", ""),
        ("diagnosis.migration-killed", "00002_b.sql"),
        ("diagnosis.migration-too-long", "00002_b.sql"),
    ],
)
def test_where_no_file_is_known_to_be_wrong_none_is_blamed(text_id: str, failed: str) -> None:
    assert cure(text_id, failed) is None


REFUSED = "failed to connect to `user=auth`: FATAL: password authentication failed (SQLSTATE 28P01)"


def not_let_in(error: str) -> mending.Cure | None:
    reads = {
        "name": "GOOSE_DBSTRING",
        "valueFrom": {"secretKeyRef": {"name": "auth-secrets", "key": "DATABASE_URL"}},
    }
    pod = {"spec": {"containers": [{"name": "proof", "env": [{"name": "X", "value": "1"}, reads]}]}}
    proof = plans.Prove("auth_db", (1,), JOB, {"spec": {"template": pod}}, files=FILES[:1])
    plan = plans.Plan(1, "auth", "dev", (plans.Step("prove", proof),))
    cause = wording.Text("diagnosis.migration-failed", {"error": error})
    diagnosis = events.Diagnosed(JOB, cause, ("kubectl",), fatal=True)
    return mending.of_url(plan, diagnosis, JOB)


@pytest.mark.parametrize(
    "error",
    [
        REFUSED,
        'ERROR: database "auth" does not exist (SQLSTATE 3D000)',
        "dial tcp: lookup postgres.data: no such host",
        "Error 1045 (28000): Access denied for user 'auth'@'10.0.0.1'",
    ],
)
def test_database_that_lets_nobody_in_is_mended_by_the_key_of_its_address(error: str) -> None:
    facts = {"secret": "auth-secrets", "key": "DATABASE_URL"}
    seal = ("hanbae", "secrets", "seal", "auth", "DATABASE_URL", "--env", "dev")
    assert not_let_in(error) == mending.Cure(wording.Text("deploy.mend-url", facts), seal)


def test_other_errors_are_no_matter_of_the_address() -> None:
    assert not_let_in('relation "nowhere" does not exist (SQLSTATE 42P01)') is None


@pytest.mark.parametrize("text_id", ["proof.goose-failed", "deploy.deadline"])
def test_what_took_too_long_is_tried_again(text_id: str) -> None:
    why = wording.Text(text_id, {"database": "auth_db", "reason": "DeadlineExceeded"})
    assert mending.of_end(PLAN, why) == ("hanbae", "deploy", "auth", "--env", "dev")
    assert mending.of_end(PLAN, wording.Text("proof.not-applied")) == ()


@pytest.mark.parametrize("text_id", ["proof.not-in-image", "proof.not-in-commit"])
def test_image_of_another_commit_is_mended_by_naming_one(text_id: str) -> None:
    command = ("hanbae", "image", "set", "auth", "IMAGE:TAG", "--env", "dev")
    assert mending.of_end(PLAN, wording.Text(text_id)) == command


BARE = "-- +goose NO TRANSACTION\n-- +goose Up\nCREATE TABLE a (n int);\nALTER TABLE b ADD c int;\n"
STOPPED = (
    'failed to execute SQL query "ALTER TABLE b ADD c int;": ERROR: relation "b" does not exist'
)


class Clone:
    """A clone whose every commit has the file."""

    def revision(self, _: str) -> Clone:
        return self

    def read(self, path: str) -> bytes | None:
        return BARE.encode() if path == FILES[1] else None


@pytest.mark.parametrize(("bare", "is_half"), [((2,), True), ((), False), ((1,), False)])
def test_what_stays_of_a_file_outside_a_transaction_is_told(
    bare: tuple[int, ...], is_half: bool
) -> None:
    proof = plans.Prove("auth_db", (1, 2), JOB, {}, bare, FILES)
    sync = plans.Sync("auth-dev", "1" * 40)
    plan = plans.Plan(1, "auth", "dev", (plans.Step("sync", sync), plans.Step("prove", proof)))
    cause = wording.Text("diagnosis.migration-failed", {"error": STOPPED})
    diagnosis = events.Diagnosed(JOB, cause, ("kubectl",), fatal=True)
    text = mending.half_applied(Clone(), plan, diagnosis, JOB, failed="00002_b.sql")  # type: ignore[arg-type]
    assert (text is not None) is is_half
    if text is not None:
        assert text.facts == {
            "database": "auth_db",
            "place": f"{FILES[1]}:4",
            "done": "1",
            "statements": "2",
        }
