"""Images that cannot be pulled: which one, why, and that the old pods are left alone."""

from __future__ import annotations

import json

import pytest
from tests.support import demos, scenes

NOWHERE = "sha256:" + "0" * 64


@pytest.fixture(scope="module")
def staging(demo: demos.Demo) -> scenes.Scene:
    """An environment in which nothing is deployed yet."""
    return scenes.own(demo.sandbox, "images", services=())


def test_image_that_is_not_in_the_registry(staging: scenes.Scene) -> None:
    staging.create("ghost", like="personal")
    staging.seal("ghost")
    staging.edit("ghost", {"image.digest": NOWHERE})
    staging.publish("An image that nobody has pushed")
    failed = staging.deploy("ghost", "--no-preflight")
    assert failed.code == 1
    assert "diagnosis.image-not-found" in failed.causes
    assert NOWHERE in failed.err
    application = staging.operation("ghost")
    assert "operation" not in application

    staging.build("ghost", acts_as="personal")
    staging.publish("An image that is there")
    mended = staging.deploy("ghost")
    assert mended.code == 0, mended.err


def test_wrong_registry_credentials(staging: scenes.Scene) -> None:
    staging.create("stranger", like="personal")
    staging.seal("stranger")
    address = staging.shop.sandbox.registry.address
    config = json.dumps({"auths": {address: {"username": "hanbae", "password": "guessed"}}})
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/dockerconfigjson",
        "metadata": {"name": "wrong-credentials", "namespace": staging.namespace("stranger")},
        "stringData": {".dockerconfigjson": config},
    }
    staging.shop.sandbox.kubectl(["apply", "-f", "-"], stdin=json.dumps(secret).encode())
    staging.replace("stranger", "- name: registry-credentials", "- name: wrong-credentials")
    staging.publish("A service that may not pull its image")
    failed = staging.deploy("stranger")
    assert failed.code == 1
    assert "diagnosis.image-unauthorised" in failed.causes
    assert "wrong-credentials" in failed.err
    assert "guessed" not in failed.err + failed.out
