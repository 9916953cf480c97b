"""Restarting workloads and putting them back, against a real API server; the test writes what controllers would."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from hanbae.clusters import answers, connections, kinds, reading, writing
from hanbae.engines import pod_templates

Namer = Callable[[str], str]
NOW = dt.datetime(2026, 11, 29, 9, 30, tzinfo=dt.UTC)
NUMBER = "deployment.kubernetes.io/revision"


def template(name: str, image: str, **labels: str) -> dict[str, Any]:
    return {
        "metadata": {"labels": {"app": name, **labels}},
        "spec": {"containers": [{"name": "app", "image": image}]},
    }


def workload(name: str, image: str) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "default", "name": name},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": template(name, image),
        },
    }


def owned(owner: dict[str, Any], name: str) -> dict[str, Any]:
    reference = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
    }
    return {"namespace": "default", "name": name, "ownerReferences": [reference]}


async def deployment(cluster: connections.Cluster, name: str) -> dict[str, Any]:
    """A Deployment at its third template, with all three ReplicaSets, and one of somebody else's."""
    built = workload(name, "shop/auth:3")
    built["metadata"]["annotations"] = {NUMBER: "3"}
    created = await writing.create(cluster, kinds.DEPLOYMENT, built)
    for number in (1, 2, 3):
        hashed = {"pod-template-hash": f"hash{number}"}
        metadata = owned(created, f"{name}-{number}") | {"annotations": {NUMBER: str(number)}}
        pods = template(name, f"shop/auth:{number}", **hashed)
        selector = {"matchLabels": {"app": name, **hashed}}
        spec = {"selector": selector, "template": pods}
        await writing.create(cluster, kinds.REPLICASET, {"metadata": metadata, "spec": spec})
    other = await writing.create(cluster, kinds.DEPLOYMENT, workload(f"{name}-other", "other:1"))
    metadata = owned(other, f"{name}-foreign") | {"annotations": {NUMBER: "2"}}
    pods = template(f"{name}-other", "other:1")
    spec = {"selector": {"matchLabels": {"app": f"{name}-other"}}, "template": pods}
    await writing.create(cluster, kinds.REPLICASET, {"metadata": metadata, "spec": spec})
    return created


async def test_former_templates_are_the_workloads_own_and_older_ones(
    cluster: connections.Cluster, unique: Namer
) -> None:
    created = await deployment(cluster, unique("auth"))
    formers = await pod_templates.formers(cluster, created)
    assert [former.revision for former in formers] == [2, 1]
    assert [former.images for former in formers] == [{"app": "shop/auth:2"}, {"app": "shop/auth:1"}]
    assert "pod-template-hash" not in formers[0].template["metadata"]["labels"]


async def test_put_back_gives_the_former_template_and_nothing_else(
    cluster: connections.Cluster, unique: Namer
) -> None:
    name = unique("auth")
    created = await deployment(cluster, name)
    newest, _ = await pod_templates.formers(cluster, created)
    await pod_templates.put_back(cluster, created, newest)
    stored = await reading.get(cluster, kinds.DEPLOYMENT, "default", name)
    assert stored is not None
    assert stored["spec"]["template"]["spec"]["containers"][0]["image"] == "shop/auth:2"
    assert stored["spec"]["selector"] == created["spec"]["selector"]


async def test_a_workload_that_has_changed_since_it_was_read_is_not_put_back(
    cluster: connections.Cluster, unique: Namer
) -> None:
    name = unique("auth")
    created = await deployment(cluster, name)
    newest, _ = await pod_templates.formers(cluster, created)
    await pod_templates.restart(cluster, kinds.ref(created), NOW)
    with pytest.raises(answers.Conflict):
        await pod_templates.put_back(cluster, created, newest)


async def test_a_workload_of_which_only_an_annotation_has_changed_is_put_back(
    cluster: connections.Cluster, unique: Namer
) -> None:
    name = unique("auth")
    created = await deployment(cluster, name)
    newest, _ = await pod_templates.formers(cluster, created)
    labelled = {"metadata": {"annotations": {NUMBER: "3", "controller": "was here"}}}
    await writing.merge_patch(cluster, kinds.DEPLOYMENT, "default", name, labelled)
    await pod_templates.put_back(cluster, created, newest)
    stored = await reading.get(cluster, kinds.DEPLOYMENT, "default", name)
    assert stored is not None
    assert stored["spec"]["template"]["spec"]["containers"][0]["image"] == "shop/auth:2"
    assert stored["metadata"]["annotations"]["controller"] == "was here"


async def test_restart_changes_the_template_as_kubectl_does(
    cluster: connections.Cluster, unique: Namer
) -> None:
    name = unique("auth")
    created = await deployment(cluster, name)
    await pod_templates.restart(cluster, kinds.ref(created), NOW)
    stored = await reading.get(cluster, kinds.DEPLOYMENT, "default", name)
    assert stored is not None
    annotations = stored["spec"]["template"]["metadata"]["annotations"]
    assert annotations == {"kubectl.kubernetes.io/restartedAt": "2026-11-29T09:30:00+00:00"}
    assert stored["spec"]["template"]["spec"] == created["spec"]["template"]["spec"]


@pytest.mark.parametrize("kind", [kinds.STATEFULSET, kinds.DAEMONSET], ids=lambda kind: kind.kind)
async def test_templates_of_other_workloads_are_in_controller_revisions(
    cluster: connections.Cluster, unique: Namer, kind: kinds.Kind
) -> None:
    name = unique("worker")
    created = await writing.create(cluster, kind, workload(name, "shop/worker:2"))
    for number in (1, 2):
        former = template(name, f"shop/worker:{number}") | {"$patch": "replace"}
        revision = {
            "metadata": owned(created, f"{name}-{number}"),
            "data": {"spec": {"template": former}},
            "revision": number,
        }
        await writing.create(cluster, kinds.CONTROLLERREVISION, revision)
    (former,) = await pod_templates.formers(cluster, created)
    assert (former.revision, former.images) == (1, {"app": "shop/worker:1"})
    await pod_templates.put_back(cluster, created, former)
    stored = await reading.get(cluster, kind, "default", name)
    assert stored is not None
    assert stored["spec"]["template"]["spec"]["containers"][0]["image"] == "shop/worker:1"
