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
