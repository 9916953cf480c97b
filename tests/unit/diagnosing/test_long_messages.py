"""Messages of a cluster, much of which a branch can write, are looked at in linear time however long they are.

Where they are not, these tests do not end.
"""

from __future__ import annotations

import pytest

from hanbae import subjects
from hanbae.diagnosing import admission, application_conditions

OWNER = subjects.Ref("Job", "services-dev", "auth-migrate")


@pytest.mark.parametrize(
    "words",
    [
        "exceeded quota: ",
        "failed quota: ",
        "maximum a usage per ",
        "exceeded quota: a, requested: ",
        "ValidatingAdmissionPolicy 'a' ",
        "ValidatingAdmissionPolicy '",
    ],
)
def test_a_denial_of_many_words_is_no_other_cause(words: str) -> None:
    cause = admission._cause(words * 100_000, OWNER, OWNER)
    assert len(str(cause.diagnosis.cause.facts["message"])) <= admission._LONGEST


@pytest.mark.parametrize(
    ("message", "silent"),
    [
        ("reposerver" * 200_000, False),
        ("reposerver" * 200_000 + " connection refused", True),
        ("repo-server\nconnection refused", False),
        ("connection refused by repo-server", False),
        ("rpc error: code = Unavailable desc = x", True),
    ],
)
def test_who_is_silent_is_told_by_the_words_of_one_line(message: str, *, silent: bool) -> None:
    assert application_conditions._names_no_repo_server(message) is silent
