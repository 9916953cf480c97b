"""What the rules say where the values are in a store, and git only refers to them."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support.releases import hits, manifest, pod, project, release, sealed

from hanbae.releases import external_secrets
from hanbae.rules import views
from hanbae.rules.argo import ordering
from hanbae.rules.secrets import covering, pods, sealing, secret_readers

FROM = [{"secretRef": {"name": "auth-secrets"}}]
EXTERNAL = "secrets: {provider: external-secrets, store: ClusterSecretStore/shop}\n"
STORE = {"kind": "ClusterSecretStore", "name": "shop"}
WAVE = {"annotations": {"argocd.argoproj.io/sync-wave": "-10"}}


def external(*keys: str, name: str = "auth-secrets", **spec: Any) -> dict[str, Any]:
    data = [{"secretKey": key, "remoteRef": {"key": "dev/auth", "property": key}} for key in keys]
    own = {"secretStoreRef": STORE, "data": data, **spec}
    return manifest("ExternalSecret", name, metadata=WAVE, spec=own)


def reader(key: str, **more: Any) -> dict[str, Any]:
    reference = {"secretKeyRef": {"name": "auth-secrets", "key": key, **more}}
    return pod(env=[{"name": "X", "valueFrom": reference}])


def of_store(objects: list[dict[str, Any]], environment: str = "dev", **more: Any) -> views.Release:
    return release(objects, of=project(policy=EXTERNAL), environment=environment, **more)


TEMPLATE = {"template": {"data": {"URL": "{{ .HOST }}"}}}
MERGED = {"template": {"data": {"URL": "{{ .HOST }}"}, "mergePolicy": "Merge"}}


@pytest.mark.parametrize(
    ("spec", "keys"),
    [
        pytest.param({}, {"HOST"}, id="data"),
        pytest.param({"target": TEMPLATE}, {"URL"}, id="template"),
        pytest.param({"target": MERGED}, {"URL", "HOST"}, id="merged template"),
        pytest.param({"dataFrom": [{"extract": {"key": "x"}}]}, None, id="extracted"),
        pytest.param({"dataFrom": [{"extract": {"key": "x"}}], "target": TEMPLATE}, {"URL"}, id="of both"),
        pytest.param({"target": {"template": {"templateFrom": [{"literal": "x"}]}}}, None, id="elsewhere"),
    ],
)  # fmt: skip
def test_keys_of_the_secret_are_those_that_the_operator_writes(
    spec: dict[str, Any], keys: set[str] | None
) -> None:
    assert external_secrets.keys(external("HOST", **spec)) == keys


def test_a_reference_says_store_entry_part_and_version() -> None:
    own = {"secretKey": "A", "remoteRef": {"key": "x", "version": "7"}}
    own["sourceRef"] = {"storeRef": {"name": "other"}}
    item = external("B")
    item["spec"]["data"].append(own)
    assert [str(reference) for reference in external_secrets.references(item)] == [
        "ClusterSecretStore/shop: dev/auth#B",
        "SecretStore/other: x@7",
    ]
    assert external_secrets.stores(item) == ("ClusterSecretStore/shop", "SecretStore/other")


ENTRY = external("A")["spec"]["data"][0]
OTHER_PART = {**ENTRY["remoteRef"], "property": "B"}


@pytest.mark.parametrize(
    ("change", "alike"),
    [
        pytest.param({}, True, id="the same"),
        pytest.param({"refreshInterval": "5m"}, True, id="when"),
        pytest.param({"data": [{**ENTRY, "remoteRef": OTHER_PART}]}, False, id="another part"),
        pytest.param({"data": external("B")["spec"]["data"]}, False, id="another key"),
        pytest.param({"target": {"name": "other"}}, False, id="another Secret"),
        pytest.param({"target": TEMPLATE}, False, id="other keys"),
        pytest.param({"dataFrom": [{"extract": {"key": "x"}}]}, False, id="a whole entry more"),
        pytest.param({"secretStoreRef": {**STORE, "name": "b"}, "data": []}, False, id="store"),
    ],
)
def test_what_the_cluster_has_is_of_this_commit_if_it_brings_the_same(
    change: dict[str, Any], alike: bool
) -> None:
    assert external_secrets.refers_alike(external("A", **change), external("A")) is alike


def test_whole_entries_of_another_store_are_another_commits() -> None:
    whole = [{"extract": {"key": "x"}}]
    here, there = (
        external(secretStoreRef={**STORE, "name": name}, dataFrom=whole) for name in "ab"
    )
    assert external_secrets.refers_alike(here, here)
    assert not external_secrets.refers_alike(here, there)


def test_the_services_own_secret_is_to_be_referred_to_and_not_sealed() -> None:
    (hit,) = covering.secret_not_made(of_store([pod(envFrom=FROM)]))
    assert (hit.variant, hit.fix) == ("external", "rule.sec001-fix-external")
    other = pod(envFrom=[{"secretRef": {"name": "somebodys"}}])
    (hit,) = covering.secret_not_made(of_store([other]))
    assert (hit.variant, hit.fix) == ("other", "rule.sec001-fix-other"), (
        "whose store it is nobody knows"
    )
    assert list(covering.secret_not_made(of_store([pod(envFrom=FROM), external("A")]))) == []


def test_a_key_that_no_external_secret_names_is_missing() -> None:
    (hit,) = covering.key_not_sealed(of_store([reader("B"), external("A")]))
    assert (hit.variant, hit.facts["key"]) == ("external", "B")
    assert hit.facts["maker"] == "ExternalSecret/auth-secrets"
    assert list(covering.key_not_sealed(of_store([reader("A"), external("A")]))) == []
    whole = external(dataFrom=[{"extract": {"key": "dev/auth"}}])
    assert list(covering.key_not_sealed(of_store([reader("B"), whole]))) == []


def test_one_that_only_adds_makes_nothing_by_itself() -> None:
    adding = external("B", name="more", target={"name": "auth-secrets", "creationPolicy": "Merge"})
    view = of_store([reader("B"), adding])
    assert [hit.variant for hit in covering.secret_not_made(view)] == ["external"]
    both = of_store([reader("B"), sealed(A=True), adding])
    assert list(covering.secret_not_made(both)) == []
    assert list(covering.key_not_sealed(both)) == []
    assert list(sealing.made_twice(both)) == []
    (hit,) = covering.key_not_sealed(of_store([reader("C"), sealed(A=True), adding]))
    assert (hit.variant, hit.facts["key"]) == ("", "C"), "somebody may seal it"
    twice = of_store([external("B"), sealed(A=True)])
    assert [hit.facts["other"] for hit in sealing.made_twice(twice)] == ["ExternalSecret"]
    silent = external("B", target={"creationPolicy": "None"})
    assert [hit.variant for hit in covering.secret_not_made(of_store([reader("B"), silent]))] == [
        "external"
    ]


def test_a_key_that_another_environment_has_was_forgotten_here() -> None:
    service = views.Service(project(policy=EXTERNAL), "auth")
    release([pod(envFrom=FROM), external("A", "B")], service=service)
    release([pod(envFrom=FROM), external("A")], service=service, environment="production")
    (hit,) = covering.sealed_elsewhere(service)
    assert (hit.variant, hit.facts["key"], hit.facts["environment"]) == (
        "external",
        "B",
        "production",
    )
    assert hit.facts["maker"] == "ExternalSecret/auth-secrets"


def test_a_key_that_nobody_reads_is_named() -> None:
    view = of_store([reader("A"), external("A", "OLD")])
    assert hits(covering.key_not_read, view) == [("", "OLD", "auth-secrets")]


def test_the_type_has_its_keys() -> None:
    typed = external("tls.crt", target={"template": {"type": "kubernetes.io/tls"}})
    assert [hit.facts["key"] for hit in covering.type_and_keys(of_store([typed]))] == ["tls.key"]
    adding = external("tls.crt", target={"creationPolicy": "Merge", **typed["spec"]["target"]})
    assert list(covering.type_and_keys(of_store([adding]))) == [], "somebody else says the type"
    pulled = pod(imagePullSecrets=[{"name": "auth-secrets"}])
    assert [hit.variant for hit in covering.type_and_keys(of_store([pulled, external("A")]))] == [
        "pull"
    ]


def test_it_is_in_the_policys_wave() -> None:
    late = external("A")
    late["metadata"]["annotations"] = {"argocd.argoproj.io/sync-wave": "3"}
    assert [hit.facts["wave"] for hit in sealing.wave(of_store([late]))] == ["3"]
    assert list(sealing.wave(of_store([external("A")]))) == []
    # Whoever seals may well have some for other things.
    assert list(sealing.wave(release([late]))) == []


CHECKSUM = {"metadata": {"annotations": {"checksum/secret": "x"}}}


@pytest.mark.parametrize(
    ("annotations", "template", "spec", "variants"),
    [
        pytest.param({}, {}, {}, ["external"], id="nothing"),
        pytest.param({}, CHECKSUM, {}, ["external"], id="a checksum does not see the store"),
        pytest.param({"reloader.stakater.com/auto": "true"}, {}, {}, [], id="Reloader"),
        pytest.param(
            {}, CHECKSUM, {"refreshPolicy": "OnChange"}, [], id="only with the references"
        ),
        pytest.param({}, CHECKSUM, {"refreshInterval": "0s"}, [], id="never again"),
        pytest.param({}, {}, {"refreshInterval": "0"}, [""], id="never again, and nothing"),
    ],
)
def test_pods_restart_when_the_store_has_a_new_value(
    annotations: dict[str, str],
    template: dict[str, Any],
    spec: dict[str, Any],
    variants: list[str],
) -> None:
    own = pod(envFrom=FROM)
    own["metadata"]["annotations"] = annotations
    own["spec"]["template"] |= template
    view = of_store([own, external("A", **spec)])
    assert [hit.variant for hit in pods.no_restart(view)] == variants


def test_a_secret_of_the_csi_driver_is_there_only_while_it_is_mounted() -> None:
    objects = [
        {"secretName": "auth-secrets", "type": "Opaque", "data": [{"key": "A", "objectName": "a"}]}
    ]
    own = manifest(
        "SecretProviderClass", "store", spec={"provider": "aws", "secretObjects": objects}
    )
    attributes = {"secretProviderClass": "store"}
    volume = {
        "name": "v",
        "csi": {"driver": "secrets-store.csi.k8s.io", "volumeAttributes": attributes},
    }
    unmounted = of_store([pod(envFrom=FROM), own])
    (hit,) = covering.secret_not_made(unmounted)
    assert (hit.variant, hit.facts["class"]) == ("unmounted", "store")
    mounted = of_store([pod(envFrom=FROM, volumes=[volume]), own])
    assert list(covering.secret_not_made(mounted)) == []
    assert secret_readers.keys([own and mounted.objects[1]], "auth-secrets") == {"A"}
    attributes["secretProviderClass"] = "another"
    assert [
        hit.variant
        for hit in covering.secret_not_made(of_store([pod(envFrom=FROM, volumes=[volume]), own]))
    ] == ["unmounted"]


def test_a_migration_in_its_wave_starts_before_it_is_fetched() -> None:
    job = pod("Job", "migrate", envFrom=FROM)
    job["metadata"]["annotations"] = {
        "argocd.argoproj.io/hook": "Sync",
        "argocd.argoproj.io/sync-wave": "-10",
    }
    (hit,) = ordering.opened_too_late(of_store([job, external("A")]))
    assert hit.facts["object"] == "ExternalSecret/auth-secrets"


CONDITION = {"type": "Ready", "status": "True", "reason": "SecretSynced"}


@pytest.mark.parametrize(
    ("status", "state"),
    [
        pytest.param({}, "Pending", id="nobody came"),
        pytest.param({"conditions": [CONDITION], "syncedResourceVersion": "2-abc"}, "Synced", id="fetched"),
        pytest.param({"conditions": [CONDITION], "syncedResourceVersion": "1-abc"}, "Pending", id="what was before"),
        pytest.param({"conditions": [CONDITION]}, "Pending", id="of no generation"),
        pytest.param({"conditions": [{**CONDITION, "status": "False", "message": "no"}]}, "NotSynced", id="failed"),
        pytest.param(
            {"conditions": [{**CONDITION, "reason": "SecretDeleted"}], "syncedResourceVersion": "2-a"},
            "NotSynced", id="taken away",
        ),
        pytest.param({"conditions": "odd"}, "Pending", id="no list"),
        pytest.param({"conditions": ["odd", {"type": 1}]}, "Pending", id="odd entries"),
    ],
)  # fmt: skip
def test_the_operators_word(status: dict[str, Any], state: str) -> None:
    live = {"metadata": {"generation": 2}, "status": status}
    assert external_secrets.state(live)[0] == state
