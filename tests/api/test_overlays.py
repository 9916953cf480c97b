"""Overlays against a real API server: what it says in a dry run, and what is applied."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hanbae import errors
from hanbae.clusters import answers, connections, kinds, reading, writing
from hanbae.engines import overlays

Namer = Callable[[str], str]


def namespace(name: str, **labels: str) -> dict[str, Any]:
    metadata = {"name": name, "labels": labels}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def quota(space: str, pods: str = "200") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "services", "namespace": space},
        "spec": {"hard": {"pods": pods}},
    }


def definition(group: str) -> dict[str, Any]:
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"gateways.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"plural": "gateways", "singular": "gateway", "kind": "Gateway"},
            "versions": [version],
        },
    }


def gateway(group: str, space: str) -> dict[str, Any]:
    metadata = {"name": "shop", "namespace": space}
    return {"apiVersion": f"{group}/v1", "kind": "Gateway", "metadata": metadata, "spec": {}}


async def applied(
    cluster: connections.Cluster, objects: list[dict[str, Any]], *, force: bool = False
) -> list[overlays.Stored]:
    return [stored async for stored in overlays.apply(cluster, objects, force=force)]


async def test_a_new_overlay_is_made_in_its_order_and_again_changes_nothing(
    cluster: connections.Cluster, unique: Namer
) -> None:
    space = unique("platform")
    objects = [quota(space), namespace(space, team="shop")]

    before = await overlays.tried(cluster, objects)
    assert [(item.ref.kind, item.is_sent) for item in before] == [
        ("Namespace", True),
        ("ResourceQuota", False),  # its Namespace is not there yet
    ]
    assert await reading.get(cluster, kinds.NAMESPACE, "", space) is None

    first = await applied(cluster, objects)
    assert [item.ref.kind for item in first] == ["Namespace", "ResourceQuota"]
    assert all(item.before is None for item in first)

    second = await applied(cluster, objects)
    for item in second:
        assert item.before is not None
        version = item.before["metadata"]["resourceVersion"]
        assert item.after["metadata"]["resourceVersion"] == version


async def test_what_left_the_overlay_leaves_the_object_and_what_is_not_ours_stays(
    cluster: connections.Cluster, unique: Namer
) -> None:
    space = unique("platform")
    await applied(cluster, [namespace(space, ours="1", gone="1")])
    labels = {"metadata": {"labels": {"theirs": "1"}}}
    await writing.merge_patch(cluster, kinds.NAMESPACE, "", space, labels)

    (tried,) = await overlays.tried(cluster, [namespace(space, ours="2")])
    assert tried.after is not None
    labels_after = tried.after["metadata"]["labels"]
    assert {name: labels_after.get(name) for name in ("ours", "gone", "theirs")} == {
        "ours": "2",
        "gone": None,
        "theirs": "1",
    }


async def test_a_field_that_somebody_else_has_set_is_taken_only_by_force(
    cluster: connections.Cluster, unique: Namer
) -> None:
    space = unique("platform")
    await applied(cluster, [namespace(space), quota(space)])
    theirs = quota(space, pods="10")
    await cluster.ask(
        cluster.describe("patch", kinds.RESOURCEQUOTA, space, name="services"),
        "PATCH",
        kinds.RESOURCEQUOTA.path(space, "services"),
        params={"fieldManager": "somebody-else", "force": "true"},
        body=theirs,
        content_type="application/apply-patch+yaml",
    )

    (tried,) = await overlays.tried(cluster, [quota(space)])
    assert tried.conflict is not None
    assert "somebody-else" in tried.conflict.facts["message"]
    assert tried.after is not None
    assert tried.after["spec"]["hard"]["pods"] == "200"
    with pytest.raises(answers.Conflict):
        await applied(cluster, [quota(space)])
    live = await reading.get(cluster, kinds.RESOURCEQUOTA, space, "services")
    assert live is not None
    assert live["spec"]["hard"]["pods"] == "10"

    (taken,) = await applied(cluster, [quota(space)], force=True)
    assert taken.after["spec"]["hard"]["pods"] == "200"


async def test_a_kind_of_the_overlay_is_defined_before_its_objects(
    cluster: connections.Cluster, unique: Namer
) -> None:
    space = unique("platform")
    group = f"{space}.example.com"
    objects = [gateway(group, space), definition(group), namespace(space)]

    (alone,) = await overlays.tried(cluster, [gateway(group, space)])
    assert alone.refusal is not None
    assert alone.refusal.id == "overlay.unknown-kind"
    with pytest.raises(errors.Refused, match="unknown-kind"):
        await applied(cluster, [gateway(group, space)])

    tried = await overlays.tried(cluster, objects)
    assert all(item.refusal is None for item in tried)
    stored = await applied(cluster, objects)
    assert [item.ref.kind for item in stored] == [
        "Namespace",
        "CustomResourceDefinition",
        "Gateway",
    ]
    after = await overlays.tried(cluster, objects)
    assert all(item.is_sent and item.before is not None for item in after)


@pytest.mark.parametrize(
    ("metadata", "text_id"),
    [
        ({"name": "services"}, "overlay.no-namespace"),
        ({"generateName": "services-", "namespace": "default"}, "overlay.no-name"),
    ],
)
async def test_an_object_that_is_not_placed_is_refused(
    cluster: connections.Cluster, metadata: dict[str, str], text_id: str
) -> None:
    manifest = quota("default") | {"metadata": metadata}
    (tried,) = await overlays.tried(cluster, [manifest])
    assert tried.refusal is not None
    assert tried.refusal.id == text_id
    with pytest.raises(errors.Refused, match=text_id):
        await applied(cluster, [manifest])


async def test_a_field_that_does_not_exist_is_refused_in_the_servers_words(
    cluster: connections.Cluster,
) -> None:
    manifest = quota("default")
    manifest["spec"]["hrad"] = {}
    (tried,) = await overlays.tried(cluster, [manifest])
    assert tried.refusal is not None
    assert "hrad" in tried.refusal.facts["message"]
