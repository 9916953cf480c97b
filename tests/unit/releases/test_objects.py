"""What is worked out of an object's content is worked out once for all that have the same."""

from __future__ import annotations

import functools
import operator
from typing import Any

import pytest

from hanbae.releases import objects, parts, reading


def _object(data: dict[str, Any], namespace: str = "services-dev") -> objects.Object:
    return objects.Object(data, "templates/job.yaml", 3, namespace)


class _Count:
    def __init__(self) -> None:
        self.objects: list[objects.Object] = []

    def __call__(self, manifest: objects.Object, *arguments: object) -> tuple[object, ...]:
        self.objects.append(manifest)
        return manifest.data["spec"], *arguments


def test_equal_contents_of_two_environments_are_looked_at_once() -> None:
    count = _Count()
    first = _object({"kind": "Job", "spec": {"backoffLimit": 3}}, "services-dev")
    second = _object({"kind": "Job", "spec": {"backoffLimit": 3}}, "services-staging")
    assert first.once(count) == second.once(count) == ({"backoffLimit": 3},)
    assert len(count.objects) == 1


def test_a_number_is_not_a_truth_value() -> None:
    count = _Count()
    specs = [_object({"spec": value}).once(count)[0] for value in (1, True, 1.0, "1")]
    assert [type(value) for value in specs] == [int, bool, float, str]
    assert len(count.objects) == 4


def test_each_function_and_each_argument_has_a_result_of_its_own() -> None:
    manifest, count, other = _object({"spec": {}}), _Count(), _Count()
    assert manifest.once(count, True) == ({}, True)
    assert manifest.once(count, False) == ({}, False)
    assert manifest.once(other) == ({},)
    assert (len(count.objects), len(other.objects)) == (2, 1)


@pytest.mark.parametrize("attribute", ["template", "index", "namespace", "ref"])
def test_what_is_worked_out_once_for_all_places_cannot_ask_for_one(attribute: str) -> None:
    manifest = _object({"kind": "Job", "spec": {"place": attribute}})
    assert getattr(manifest, attribute)
    with pytest.raises(AttributeError):
        manifest.once(operator.attrgetter(attribute))
    assert manifest.once(operator.attrgetter("label")) == "Job/"


def test_what_has_no_bytes_is_looked_at_for_itself() -> None:
    deep: dict[str, Any] = {}
    node = deep
    for _ in range(100_000):
        node["spec"] = node = {}
    for spec in (deep, object(), 1 << 70):
        count = _Count()
        manifest = _object({"spec": spec})
        assert manifest.once(count)[0] is manifest.once(count)[0] is spec
        assert len(count.objects) == 1


def test_results_of_large_contents_and_of_many_are_not_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = functools.lru_cache(maxsize=objects._MOST)(objects._results.__wrapped__)
    monkeypatch.setattr(objects, "_results", kept)
    large = {"spec": "x" * objects._LARGEST}
    count = _Count()
    manifests = [_object(large), _object(large)]
    for manifest in (*manifests, *manifests):
        assert manifest.once(count) == (large["spec"],)
    assert len(count.objects) == 2
    assert not kept.cache_info().currsize
    for number in range(2 * objects._MOST):
        _object({"spec": number}).once(count)
    assert kept.cache_info().currsize == objects._MOST


def test_containers_come_in_the_order_in_which_they_run() -> None:
    spec = {"containers": [{"name": "app"}, "odd"], "initContainers": [{"name": "wait"}]}
    manifest = _object({"kind": "Deployment", "spec": {"template": {"spec": spec}}})
    pod = ("spec", "template", "spec")
    app, wait = (
        ((*pod, "containers", 0), {"name": "app"}),
        ((*pod, "initContainers", 0), {"name": "wait"}),
    )
    assert manifest.containers() == (wait, app)
    assert manifest.containers(init=False) == (app,)
    assert _object({"kind": "Pod", "spec": ["odd"]}).containers() == ()


def _release(env: dict[str, Any], data: dict[str, Any], namespace: str) -> parts.Release:
    """A release with a migration Job, which takes some of its variables from elsewhere, and a ConfigMap."""
    container = {
        "name": "migrate",
        "image": "registry.example.com/auth:1",
        "command": ["goose", "up"],
    } | env
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "auth-migrate"},
        "spec": {"template": {"spec": {"containers": [container]}}},
    }
    config_map = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "goose"},
        "data": data,
    }
    manifests = [_object(job, namespace), _object(config_map, namespace)]
    return reading.of(manifests, service="auth", namespace=namespace, name="auth")


@pytest.mark.parametrize(
    "env",
    [
        {"envFrom": [{"configMapRef": {"name": "goose"}}]},
        {
            "env": [
                {
                    "name": "GOOSE_MIGRATION_DIR",
                    "valueFrom": {
                        "configMapKeyRef": {"name": "goose", "key": "GOOSE_MIGRATION_DIR"}
                    },
                }
            ]
        },
    ],
)
def test_equal_jobs_of_different_config_maps_are_different_migrations(env: dict[str, Any]) -> None:
    folders = [
        _release(env, {"GOOSE_MIGRATION_DIR": folder}, f"services-{folder[1:]}")
        .migrations[0]
        .folder
        for folder in ("/dev", "/staging")
    ]
    assert folders == ["/dev", "/staging"]


def test_a_migration_of_equal_jobs_is_of_its_own_namespace() -> None:
    env = {"env": [{"name": "GOOSE_MIGRATION_DIR", "value": "/migrations"}]}
    for namespace in ("services-dev", "services-staging"):
        release = _release(env, {}, namespace)
        (migration,) = release.migrations
        assert migration.job.namespace == migration.image.workload.namespace == namespace
        assert migration.part.object is migration.image.part.object is release.objects[0]
        assert {need.by.namespace for need in release.needs} <= {namespace}
        assert [entry.by.namespace for entry in release.makes] == [namespace]
