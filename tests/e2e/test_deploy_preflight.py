"""What is known to fail is refused before the application is claimed, with the command that cures it."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support import demos, scenes

NOWHERE = "sha256:" + "0" * 64
Deploy = Callable[..., scenes.Ended]


@pytest.fixture
def staging(scene: Callable[[str], scenes.Scene]) -> scenes.Scene:
    return scene("staging")


@pytest.fixture
def command(staging: scenes.Scene, tmp_path: Path) -> Deploy:
    """A command of a person who is logged in to the registry."""
    registry = staging.shop.sandbox.registry
    login = base64.b64encode(f"{registry.username}:{registry.password.unmask().decode()}".encode())
    config: dict[str, Any] = {"auths": {registry.address: {"auth": login.decode()}}}
    (tmp_path / "config.json").write_text(json.dumps(config))

    def run(verb: str, *words: str) -> scenes.Ended:
        return scenes.hanbae(
            verb,
            *words,
            "--env",
            staging.environment,
            "--insecure-registry",
            "--output",
            "json",
            directory=staging.clone,
            **staging.deployer(),
            DOCKER_CONFIG=str(tmp_path),
        )

    return run


def operation(scene: scenes.Scene, service: str) -> object:
    return scene.operation(service)["status"].get("operationState", {}).get("startedAt")


def test_an_image_that_nobody_has_pushed_is_refused_and_plan_says_the_same(
    staging: scenes.Scene, command: Deploy
) -> None:
    before = operation(staging, "personal")
    staging.edit("personal", {"image.digest": NOWHERE})
    staging.publish("An image that nobody has pushed")
    refused = command("deploy", "personal")
    assert refused.code == 5, refused.err
    assert f"hanbae image set personal IMAGE:TAG --env {staging.environment}" in refused.err
    assert json.loads(refused.out)["error"]["text"]["id"] == "preflight.image-missing"
    planned = command("plan", "personal")
    assert planned.code == 0, planned.err
    (plan,) = json.loads(planned.out)["plans"]
    assert "preflight.image-missing" in {note["id"] for note in plan["notes"]}
    assert operation(staging, "personal") == before, "nothing was begun"


def test_an_image_without_the_commits_migration_is_refused(
    staging: scenes.Scene, command: Deploy
) -> None:
    staging.build("personal")
    folder = staging.migrations("personal")
    number = max(int(path.name[:5]) for path in folder.glob("*.sql")) + 1
    name = f"{number:05d}_later.sql"
    statement = "ALTER TABLE profiles ADD COLUMN IF NOT EXISTS later text;"
    scenes.write_migrations(folder, {name: [statement]})
    staging.publish("A migration that the image does not have")
    before = operation(staging, "personal")
    refused = command("deploy", "personal")
    assert refused.code == 5, refused.err
    assert json.loads(refused.out)["error"]["text"]["id"] == "preflight.image-lacks-migrations"
    assert name in refused.err
    assert operation(staging, "personal") == before, "nothing was begun"

    staging.build("personal")
    staging.publish("An image with it")
    deployed = command("deploy", "personal")
    assert deployed.code == 0, deployed.err
    assert deployed.only["migrations"][-1]["names"] == [name]


def test_a_service_that_argo_cd_owns_is_not_taken_over_by_helm(
    staging: scenes.Scene, demo: demos.Demo
) -> None:
    folder = demo.sandbox.site.folder.root / "bin"
    path = f"{folder}{os.pathsep}{os.environ['PATH']}"
    words = ("deploy", "auth", "--env", staging.environment, "--engine", "helm")
    refused = scenes.hanbae(
        *words, directory=staging.clone, KUBECONFIG=str(demo.sandbox.kubeconfig), PATH=path
    )
    assert refused.code == 5, refused.err
    assert f"auth-{staging.environment}" in refused.err
    of_helm = ["get", "secret", "-n", staging.namespace("auth"), "-l", "owner=helm", "-o", "name"]
    assert demo.sandbox.kubectl(of_helm) == b""
