"""A saved plan is deployed as it is or not at all: what differs from it is named, and nothing is changed."""

from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import pytest
from tests.support import demos, scenes

from hanbae.images import credentials, layouts, references, registry
from hanbae.policy import loading, naming
from hanbae.sandbox import service_images

SERVICE = "saved"
REFUSED = 5


class Saved:
    """A service, and a plan of it in a file."""

    def __init__(self, scene: scenes.Scene, folder: Path) -> None:
        self.scene = scene
        self.file = folder / "plan.json"
        self._docker = folder / "docker"
        self._docker.mkdir()
        where = scene.shop.sandbox.registry
        login = f"{where.username}:{where.password.unmask().decode()}"
        auth = {"auth": base64.b64encode(login.encode()).decode()}
        (self._docker / "config.json").write_text(json.dumps({"auths": {where.address: auth}}))

    def run(self, *arguments: str) -> scenes.Ended:
        environment = {**self.scene.deployer(), "DOCKER_CONFIG": str(self._docker)}
        insecure = "--insecure-registry"
        return scenes.hanbae(
            *arguments, insecure, "--output", "json", directory=self.scene.clone, **environment
        )

    def save(self) -> dict[str, Any]:
        ended = self.run("plan", SERVICE, "--env", self.scene.environment, "--save", str(self.file))
        assert ended.code == 0, ended.err
        return self.content()

    def content(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.file.read_text())
        return document

    def deploy(self) -> scenes.Ended:
        # These scenes commit migrations without building an image of them; what a plan promises is the subject here.
        return self.run("deploy", "--plan", str(self.file), "--no-preflight")

    def assert_refused(self, *promises: str) -> None:
        """It is refused with exactly these promises named, and Argo CD was asked for nothing."""
        before = self.scene.operation(SERVICE)["status"].get("operationState")
        ended = self.deploy()
        assert ended.code == REFUSED, ended.err
        printed = json.loads(ended.out)
        text = printed["error"]["text"] if "error" in printed else printed["deployments"][0]["why"]
        if promises == (f"branch-head:{self.scene.branch}",):
            assert text["id"] == "deploy.plan-head-moved"
            assert self.scene.operation(SERVICE)["status"].get("operationState") == before
            return
        assert text["id"] == "deploy.plan-differs"
        differences = text["facts"]["differences"].splitlines()
        assert {line.rpartition(": ")[0] for line in differences} == set(promises)
        assert self.scene.operation(SERVICE)["status"].get("operationState") == before


@pytest.fixture(scope="module")
def scene(demo: demos.Demo) -> scenes.Scene:
    """An environment with a service that is not deployed yet."""
    scene = scenes.own(demo.sandbox, "saved", services=())
    scene.create(SERVICE, like="personal")
    scene.seal(SERVICE)
    scene.publish("A service with saved plans")
    return scene


@pytest.fixture
def saved(scene: scenes.Scene, tmp_path: Path) -> Saved:
    scene.enter()
    return Saved(scene, tmp_path)


def test_saved_plan_is_deployed_as_it_is(saved: Saved) -> None:
    content = saved.save()
    (service,) = content["services"]
    (image,) = service["images"]
    assert service["images"][image] in image
    secrets = saved.scene.values_of(SERVICE).get("sealedSecret")
    assert "encryptedData" not in saved.file.read_text()
    assert secrets
    ended = saved.deploy()
    assert ended.code == 0, ended.err
    assert ended.only["outcome"] == "succeeded"
    digest = service["images"][image]
    for pod in saved.scene.pods(SERVICE).values():
        for status in pod["status"]["containerStatuses"]:
            assert status["imageID"].endswith(digest)


def test_what_somebody_changed_by_hand_is_taken_back(saved: Saved) -> None:
    saved.save()
    release = naming.release(saved.scene.shop.policy, SERVICE, saved.scene.environment)
    namespace = saved.scene.namespace(SERVICE)
    scale = ["scale", "deployment", release, "--replicas", "3", "-n", namespace]
    saved.scene.shop.sandbox.kubectl(scale)
    assert saved.deploy().code == 0
    live = saved.scene.get("deployment", release, namespace=namespace)
    assert live["spec"]["replicas"] != 3


@pytest.mark.parametrize("field", ["hanbae", "policy", "cluster", "revision"])
def test_file_that_was_tampered_with_is_refused(saved: Saved, field: str) -> None:
    content = saved.save()
    saved.file.write_text(json.dumps(content | {field: "0" * 40}))
    saved.assert_refused(f"branch-head:{saved.scene.branch}" if field == "revision" else field)


def test_service_that_was_tampered_with_is_refused_and_everything_named(saved: Saved) -> None:
    content = saved.save()
    (service,) = content["services"]
    service["objects"] = "0" * 64
    (database,) = service["migrations"]
    service["migrations"][database]["1"] = "0" * 64
    saved.file.write_text(json.dumps(content))
    saved.assert_refused("objects", f"migration:{database}:1")


def test_branch_that_moved_is_refused(saved: Saved) -> None:
    saved.save()
    folder = saved.scene.migrations(SERVICE)
    first = min(folder.glob("*.sql"))
    first.write_text(first.read_text() + "-- edited\n")
    saved.scene.publish("An edited migration")
    saved.assert_refused(f"branch-head:{saved.scene.branch}")


def test_policy_that_changed_is_refused(saved: Saved) -> None:
    saved.save()
    policy = saved.scene.clone / loading.NAME
    text = policy.read_text()
    policy.write_text(text.replace("version: 1", "version: 1  # a comment counts for nothing", 1))
    assert saved.deploy().code == 0
    assert "stalled_after: 2m" in text
    policy.write_text(text.replace("stalled_after: 2m", "stalled_after: 3m"))
    saved.assert_refused("policy")


def test_tag_that_was_pushed_again_is_refused(saved: Saved) -> None:
    address = saved.scene.shop.sandbox.registry.address
    tagged = f"{address}/shop/{SERVICE}:moving"
    first = push(saved, tagged, "one")
    saved.scene.edit(SERVICE, {"image.tag": "moving", "image.digest": ""})
    saved.scene.publish("A tag instead of a digest")
    content = saved.save()
    assert content["services"][0]["images"] == {tagged: first}
    push(saved, tagged, "two")
    saved.assert_refused(f"digest:{tagged}")


def push(saved: Saved, tagged: str, version: str) -> str:
    """An image of the service under a tag; the digest."""
    shop = saved.scene.shop
    image: layouts.Image = service_images.image(
        SERVICE,
        shop.program,
        shop.sandbox.binaries.path("goose"),
        service_images.migrations(saved.scene.migrations(SERVICE)),
        environment={"SERVICE": "personal", "VERSION": version},
    )
    where = shop.sandbox.registry
    login = credentials.Credentials(where.address, where.username, where.password)
    return asyncio.run(registry.push(image, references.parse(tagged), login, insecure=True))
