"""A demo that was stopped leaves a machine on which the next one succeeds."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator

import pytest
from tests.support import demos, interrupting

from hanbae.sandbox import folders, running

NAME = f"{demos.NAME}-stopped"
DEMO = ["demo", "--name", NAME, "--output", "json"]


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    running.down(NAME)
    yield
    running.down(NAME)


def test_stopped_while_coming_up_and_while_deploying_then_succeeds() -> None:
    interrupted = interrupting.stop(DEMO, after="etcd", by=signal.SIGINT)
    assert interrupted.reached, interrupted.err
    assert interrupted.code == 130, interrupted.err
    assert not folders.of(NAME).root.exists(), "Ctrl-C takes the sandbox down"

    killed = interrupting.stop(DEMO, after="Deploying to dev", by=signal.SIGKILL)
    assert killed.reached, killed.err
    assert killed.code == -signal.SIGKILL

    # That a demo proves its other environments as well is what every other scene stands on.
    following = interrupting.stop(DEMO, after="Deploying to staging", by=signal.SIGINT)
    assert following.reached, following.err
    proven = re.findall(r"^(\w+) dev ✔ .*; rollout complete", following.err, re.MULTILINE)
    assert sorted(proven) == ["auth", "identity", "personal"], following.err
    assert following.code == 130, following.err
    assert not folders.of(NAME).root.exists()
