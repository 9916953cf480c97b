"""What pods run is held against the promised digests, by the ids that the container runtime gives."""

from __future__ import annotations

from typing import Any

import pytest

from hanbae import errors
from hanbae.deploying import verifying_plan

TAG = "registry.example.com/shop/auth:1.0.0"
DIGEST = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64


def pod(image_id: str, **metadata: str) -> dict[str, Any]:
    status = {"name": "app", "imageID": image_id}
    return {
        "metadata": {"name": "auth-1", "namespace": "services", **metadata},
        "status": {"containerStatuses": [status, {"name": "proxy", "imageID": OTHER}]},
    }


def check(manifest: dict[str, Any]) -> None:
    verifying_plan._check(manifest, {"app": TAG}, {TAG: DIGEST})


def assert_accepted(manifest: dict[str, Any]) -> None:
    try:
        check(manifest)
    except errors.Failed as error:
        pytest.fail(f"refused: {error}")


def test_promised_image_is_let_be_and_what_nothing_was_promised_of_as_well() -> None:
    assert_accepted(pod(f"registry.example.com/shop/auth@{DIGEST}"))


@pytest.mark.parametrize("image_id", [f"registry.example.com/shop/auth@{OTHER}", ""])
def test_another_image_is_a_failure(image_id: str) -> None:
    with pytest.raises(errors.Failed) as failed:
        check(pod(image_id))
    assert failed.value.text.facts["expected"] == DIGEST
    assert failed.value.text.facts["object"] == "Pod/services/auth-1:app"


def test_pod_of_the_rollout_before_does_not_count_while_it_ends() -> None:
    assert_accepted(pod(OTHER, deletionTimestamp="2026-11-23T10:00:00Z"))


async def test_digest_in_a_reference_is_taken_without_asking_anybody() -> None:
    image = f"registry.invalid/shop/auth@{DIGEST}"
    assert await verifying_plan.digests((image,)) == {image: DIGEST}
