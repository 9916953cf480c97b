"""The policy's letter: migrations as PreSync hooks, which read what Argo CD would apply only after them."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support import crash_rounds, scenes

SERVICE = "letter"
LIKE = "personal"


@pytest.fixture(scope="module")
def scene(demo: Any) -> scenes.Scene:
    """An environment with a service whose hooks are PreSync hooks, installed for the first time."""
    scene = scenes.own(demo.sandbox, "presync", services=())
    policy = scene.clone / "hanbae.yaml"
    ours = policy.read_text()
    # PreSync is refused where an environment is automated. The chart is what counts; the policy goes back.
    policy.write_text(
        ours.replace("sync: auto", "sync: manual").replace("phase: Sync", "phase: PreSync")
    )
    scene.create(SERVICE, like=LIKE)
    policy.write_text(ours)
    scene.seal(SERVICE)
    scene.publish("A service with PreSync hooks")
    ended = scene.deploy(SERVICE)
    assert ended.code == 0, ended.err
    return scene


def phases(scene: scenes.Scene) -> dict[str, str]:
    """Kind → phase in which the last operation applied it."""
    resources = scene.operation(SERVICE)["status"]["operationState"]["syncResult"]["resources"]
    return {resource["kind"]: resource["syncPhase"] for resource in resources}


def test_first_install_does_not_wait_for_itself(scene: scenes.Scene) -> None:
    """The Job waits for a secret that Argo CD applies after it; hanbae has it applied first."""
    assert phases(scene)["Job"] == "PreSync"
    assert scene.versions(SERVICE, "letter_db") == [1, 2, 3]


@pytest.mark.parametrize(
    ("number", "after", "resume"),
    [
        (4, "Began:1", "deploy"),
        # The first sync has ended, the second is announced and not yet asked for.
        (5, "Intended:2", "attach"),
        (6, "Intended:2", "elsewhere"),
        (7, "Began:2", "deploy"),
    ],
)
def test_killed_between_the_two_syncs_each_happens_once(
    scene: scenes.Scene, number: int, after: str, resume: crash_rounds.Resume
) -> None:
    played = crash_rounds.play(
        scene, number, after=after, resume=resume, service=SERVICE, like=LIKE, operations=2
    )
    assert played is not None


def test_secret_rotated_together_with_a_migration(scene: scenes.Scene) -> None:
    """The database takes only the new password from now on: with the old secret the migration would fail."""
    namespace, before = scene.namespace(SERVICE), scene.pods(SERVICE)
    applied = scene.versions(SERVICE, "letter_db")
    old = scene.get("secret", "letter-secrets", namespace=namespace)["data"]
    scene.seal(SERVICE)
    crash_rounds.migrate(scene, SERVICE, 8, like=LIKE)
    ended = scene.deploy(SERVICE)
    assert ended.code == 0, ended.err
    assert phases(scene)["Job"] == "PreSync"
    assert scene.versions(SERVICE, "letter_db") == [*applied, 8]
    new = scene.get("secret", "letter-secrets", namespace=namespace)["data"]
    assert new["DATABASE_URL"] != old["DATABASE_URL"]
    assert not before.keys() & scene.pods(SERVICE).keys()
