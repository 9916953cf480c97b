"""A deployment that finds Argo CD busy: with a broken sync of an earlier commit, or with what a person has started."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.support import polling, scenes

MIGRATING = 60.0
NOWHERE = "9.9.9-nowhere"


def state(scene: scenes.Scene, service: str) -> dict[str, object]:
    """Phase and revision of the last operation."""
    application = scene.operation(service)
    record = application.get("status", {}).get("operationState") or {}
    return {
        "phase": record.get("phase"),
        "revision": record.get("operation", {}).get("sync", {}).get("revision"),
        "message": record.get("message", ""),
        "automated": record.get("operation", {}).get("initiatedBy", {}).get("automated"),
    }


def refresh(scene: scenes.Scene, service: str) -> None:
    namespace = scene.shop.policy.argocd.namespace
    words = ["annotate", "application", f"{service}-{scene.environment}", "-n", namespace]
    scene.shop.sandbox.kubectl([*words, "argocd.argoproj.io/refresh=normal", "--overwrite"])


def break_image(scene: scenes.Scene, service: str) -> str:
    scene.edit(service, {"image.tag": NOWHERE, "image.digest": ""})
    return scene.publish(f"An image of {service} that nobody has pushed")


def test_a_fix_does_not_wait_behind_the_broken_sync_that_it_replaces(
    scene: Callable[[str], scenes.Scene],
) -> None:
    dev = scene("dev")
    broken = break_image(dev, "auth")
    refresh(dev, "auth")
    polling.until(
        lambda: (
            state(dev, "auth")["revision"] == broken and "hook" in state(dev, "auth")["message"]
        ),  # type: ignore[operator]
        within=120,
        pause=1,
        state=lambda: state(dev, "auth"),
    )
    assert state(dev, "auth")["automated"] is True
    dev.build("auth")
    mended = dev.publish("The image of auth is there")
    ended = dev.deploy("auth")
    assert ended.code == 0, ended.err
    assert ended.only["revision"] == mended
    assert "diagnosis.image-not-found" in ended.causes, ended.err
    assert f"Argo CD's own sync of the earlier commit {broken[:12]} cannot succeed" in ended.err


@contextmanager
def started_by_a_person(scene: scenes.Scene, service: str, revision: str) -> Iterator[None]:
    kubectl = scene.shop.sandbox.kubectl
    name, namespace = f"{service}-{scene.environment}", scene.shop.policy.argocd.namespace
    operation = {
        "initiatedBy": {"username": "mina"},
        "sync": {
            "revision": revision,
            "syncStrategy": {"hook": {}},
            "syncOptions": ["ServerSideApply=true"],
        },
    }
    patch = ["patch", "application", name, "-n", namespace, "--type", "merge", "-p"]
    kubectl([*patch, json.dumps({"operation": operation})])
    polling.until(
        lambda: "waiting for" in str(state(scene, service)["message"]),
        within=120,
        pause=1,
        state=lambda: state(scene, service),
    )
    try:
        yield
    finally:
        if "operation" in scene.operation(service):
            kubectl([*patch, json.dumps({"status": {"operationState": {"phase": "Terminating"}}})])
            polling.until(lambda: "operation" not in scene.operation(service), within=60)


def test_what_a_person_has_started_is_named_with_its_cause_and_ended_by_stop(
    scene: Callable[[str], scenes.Scene],
) -> None:
    staging = scene("staging")
    broken = break_image(staging, "personal")
    with started_by_a_person(staging, "personal", broken):
        staging.build("personal")
        staging.publish("The image of personal is there")
        refused = staging.deploy("personal")
        assert refused.code == 5, refused.err
        assert refused.only["outcome"] == "refused"
        assert "diagnosis.image-not-found" in refused.causes, refused.err
        assert "mina" in refused.err
        command = "hanbae stop personal --env staging"
        assert command in refused.err

        words = command.split()[1:]
        variables = staging.deployer()
        unasked = scenes.hanbae(*words, directory=staging.clone, **variables)
        assert unasked.code == 5, unasked.err
        assert f"{command} --yes" in unasked.err
        assert "operation" in staging.operation("personal"), "nothing was changed"

        stopped = scenes.hanbae(
            *words, "--yes", "--output", "json", directory=staging.clone, **variables
        )
        assert stopped.code == 0, stopped.err
        assert json.loads(stopped.out)["stopped"]["by"] == "mina"
        assert json.loads(stopped.out)["stopped"]["ended"] is True
        assert "operation" not in staging.operation("personal")

        idle = scenes.hanbae(*words, "--yes", directory=staging.clone, **variables)
        assert idle.code == 5, idle.err
    deployed = staging.deploy("personal")
    assert deployed.code == 0, deployed.err
