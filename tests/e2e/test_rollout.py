"""``hanbae rollout`` on a real cluster: pods restarted under Argo CD, put back, and when an undo is refused."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from tests.support import demos, operations, polling, scenes

SERVICE = "personal"


@pytest.fixture
def admin(demo: demos.Demo) -> dict[str, str]:
    """What makes a child an administrator, who may change workloads."""
    return {"KUBECONFIG": str(demo.sandbox.kubeconfig)}


def rollout(scene: scenes.Scene, *words: str, **environment: str) -> scenes.Ended:
    verb, *options = words
    target = ("rollout", verb, SERVICE, "--env", scene.environment)
    return scenes.hanbae(*target, *options, directory=scene.clone, **environment)


def test_pods_are_restarted_followed_and_put_back(
    production: scenes.Scene, admin: dict[str, str]
) -> None:
    before = production.pods(SERVICE)
    restarted = rollout(production, "restart", "--output", "json", **admin)
    assert restarted.code == 0, restarted.err
    (state,) = json.loads(restarted.out)["rollouts"]
    assert state["state"] == "Complete"
    assert not set(before) & set(production.pods(SERVICE)), "a former pod still runs"

    unanswered = rollout(production, "undo", **admin)
    assert unanswered.code == 5
    assert "--yes" in unanswered.err

    undone = rollout(production, "undo", "--yes", "--output", "json", **admin)
    assert undone.code == 0, undone.err
    (change,) = json.loads(undone.out)["undone"]
    assert change["before"] == change["after"]
    assert "git revert" in undone.err

    status = rollout(production, "status", "--no-wait", **production.deployer())
    assert status.code == 0, status.err
    begun = rollout(production, "restart", "--no-wait", "--output", "json", **admin)
    (state,) = json.loads(begun.out)["rollouts"]
    assert state["state"] == "Progressing", "it is told as it was before"


def test_the_deployer_may_not_change_workloads(production: scenes.Scene) -> None:
    ended = rollout(production, "restart", **production.deployer())
    assert ended.code == 4, ended.err
    assert "--context" in ended.err


def test_an_undo_that_argo_cd_would_revert_is_refused(
    scene: Callable[[str], scenes.Scene], admin: dict[str, str]
) -> None:
    automated = scene("dev")
    restarted = rollout(automated, "restart", **admin)
    assert restarted.code == 0, restarted.err
    ended = rollout(automated, "undo", "--yes", **admin)
    assert ended.code == 5, ended.err
    assert "git revert" in ended.err


def test_a_rollout_that_cannot_end_fails_with_its_cause(
    production: scenes.Scene, admin: dict[str, str]
) -> None:
    name = f"{SERVICE}-service"
    namespace = production.namespace(SERVICE)
    kubectl = production.shop.sandbox.kubectl
    image = "registry.invalid/nobody:1"
    kubectl(["set", "image", f"deployment/{name}", f"app={image}", "-n", namespace])
    polling.until(lambda: operations.image_is_missing(production, SERVICE), pause=1)
    failed = rollout(production, "status", "--timeout", "5", **admin)
    assert failed.code == 1, failed.err
    assert image in failed.err
    undone = rollout(production, "undo", "--yes", **admin)
    assert undone.code == 0, undone.err
