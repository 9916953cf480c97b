"""One-time reads and writes against a real API server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from msgspec import structs
from tests.support import polling, relays

from hanbae import errors
from hanbae.apis import serving
from hanbae.clusters import answers, connections, discovering, kinds, reading, writing

Namer = Callable[[str], str]


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "default", "name": name, "labels": {"of": name}},
        "data": data,
    }


async def test_identity_version_and_uid_are_the_servers_own(cluster: connections.Cluster) -> None:
    assert await reading.identity(cluster) == "admin"
    assert (await reading.version(cluster)).startswith("v1.")
    namespace = await reading.get(cluster, kinds.NAMESPACE, "", "kube-system")
    assert namespace is not None
    assert await reading.uid(cluster) == namespace["metadata"]["uid"]


async def test_the_api_versions_are_those_that_can_be_listed_and_watched(
    cluster: connections.Cluster,
) -> None:
    served = set(await discovering.api_versions(cluster))
    assert {"v1", "v1/Pod", "apps/v1", "apps/v1/Deployment", "batch/v1/Job"} <= served
    # Neither can be listed: an object of these is an answer to a question.
    assert not {"authentication.k8s.io/v1/TokenReview", "v1/Binding"} & served
    minor = ".".join((await reading.version(cluster)).removeprefix("v").split(".")[:2])
    own = {name for name in serving.api_versions(minor) if not name.startswith("bitnami.com/")}
    assert own <= served


async def test_absent_object_is_none_and_absent_kind_is_an_error(
    cluster: connections.Cluster,
) -> None:
    assert await reading.get(cluster, kinds.CONFIGMAP, "default", "absent") is None
    # Argo CD's kinds would not do: another test may have taught them to this API server.
    unknown = structs.replace(kinds.APPLICATION, plural="inventions")
    with pytest.raises(errors.WrongUse) as caught:
        await reading.get(cluster, unknown, "argocd", "auth-dev")
    assert caught.value.text.id == "cluster.unknown-kind"
    assert caught.value.text.facts["resource"] == "inventions.argoproj.io"


async def test_find_reads_all_pages_and_completes_items(
    cluster: connections.Cluster, unique: Namer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "PAGE", 3)
    label = unique("page")
    names = {unique("page") for _ in range(8)}
    for name in names:
        manifest = config_map(name)
        manifest["metadata"]["labels"] = {"of": label}
        await writing.create(cluster, kinds.CONFIGMAP, manifest)
    items = await reading.find(cluster, kinds.CONFIGMAP, "default", label_selector=f"of={label}")
    assert {item["metadata"]["name"] for item in items} == names
    assert {str(kinds.ref(item)) for item in items} == {
        f"ConfigMap/default/{name}" for name in names
    }


async def test_create_twice_is_exists_and_unknown_field_is_invalid(
    cluster: connections.Cluster, unique: Namer
) -> None:
    name = unique("made")
    await writing.create(cluster, kinds.CONFIGMAP, config_map(name))
    with pytest.raises(answers.Exists):
        await writing.create(cluster, kinds.CONFIGMAP, config_map(name))
    with pytest.raises(answers.Invalid) as caught:
        await writing.create(cluster, kinds.CONFIGMAP, config_map(unique("bad")) | {"dta": {}})
    assert "dta" in caught.value.text.facts["message"]


async def test_replace_refuses_a_version_that_is_not_the_last(
    cluster: connections.Cluster, unique: Namer
) -> None:
    first = await writing.create(cluster, kinds.CONFIGMAP, config_map(unique("put"), a="1"))
    second = await writing.replace(cluster, kinds.CONFIGMAP, first | {"data": {"a": "2"}})
    with pytest.raises(answers.Conflict):
        await writing.replace(cluster, kinds.CONFIGMAP, first | {"data": {"a": "3"}})
    kept = await reading.get(cluster, kinds.CONFIGMAP, "default", first["metadata"]["name"])
    assert kept == second
    without = {**first, "metadata": {"name": "x", "namespace": "default"}}
    with pytest.raises(ValueError, match="resourceVersion"):
        await writing.replace(cluster, kinds.CONFIGMAP, without)


async def test_a_patch_changes_only_what_it_names(
    cluster: connections.Cluster, unique: Namer
) -> None:
    name = unique("patch")
    await writing.create(cluster, kinds.CONFIGMAP, config_map(name, a="1", b="2"))
    address = (cluster, kinds.CONFIGMAP, "default", name)
    merged = await writing.merge_patch(*address, {"data": {"a": None, "c": "3"}})
    assert merged["data"] == {"b": "2", "c": "3"}


async def test_delete_spares_a_namesake(cluster: connections.Cluster, unique: Namer) -> None:
    name = unique("gone")
    first = await writing.create(cluster, kinds.CONFIGMAP, config_map(name))
    address = (cluster, kinds.CONFIGMAP, "default", name)
    with pytest.raises(answers.Conflict):
        await writing.delete(*address, uid="00000000-0000-0000-0000-000000000000")
    assert await writing.delete(*address, uid=first["metadata"]["uid"])
    assert not await writing.delete(*address)


async def test_admission_is_told_apart_from_missing_rights(
    cluster: connections.Cluster, unique: Namer
) -> None:
    namespace = unique("strict")
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    manifest = {"metadata": {"name": namespace, "labels": labels}}
    await writing.create(cluster, kinds.NAMESPACE, manifest)
    pod = {
        "metadata": {"namespace": namespace, "name": "root"},
        "spec": {"containers": [{"name": "app", "image": "example.com/app"}]},
    }
    with pytest.raises(answers.Denied) as caught:
        await writing.create(cluster, kinds.POD, pod)
    assert "PodSecurity" in caught.value.text.facts["message"]


async def test_service_that_has_no_pod_is_unreachable_and_an_absent_one_missing(
    cluster: connections.Cluster, unique: Namer
) -> None:
    name = unique("controller")
    ports = [{"name": "http", "port": 8080}]
    service = {
        "metadata": {"namespace": "default", "name": name},
        "spec": {"selector": {"app": name}, "ports": ports},
    }
    await writing.create(cluster, kinds.SERVICE, service)
    with pytest.raises(errors.Unreachable):
        await reading.service_get(cluster, "default", name, "/v1/cert.pem")
    with pytest.raises(answers.Missing):
        await reading.service_get(cluster, "default", "absent", "/v1/cert.pem")


async def test_server_that_is_gone_is_waited_for_by_who_has_patience(
    relayed: tuple[relays.Relay, connections.Cluster], unique: Namer
) -> None:
    relay, cluster = relayed
    name = unique("patient")
    with relay.shut(), pytest.raises(errors.Unreachable):
        await writing.create(cluster, kinds.CONFIGMAP, config_map(name))
    cluster.outages.patience = 30.0
    refused = relay.refused
    with relay.shut():
        creating = asyncio.create_task(writing.create(cluster, kinds.CONFIGMAP, config_map(name)))
        await polling.reached(lambda: relay.refused > refused + 1, within=10)
        assert not creating.done()
    created = await asyncio.wait_for(creating, 10)
    await writing.delete(cluster, kinds.CONFIGMAP, "default", name, uid=created["metadata"]["uid"])
