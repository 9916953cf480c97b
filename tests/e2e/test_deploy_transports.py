"""The same deployments through Argo CD's objects and through its API; and what its API does not allow."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.support import operations, polling, projects, scenes

from hanbae import masking
from hanbae.policy import naming

Enter = Callable[[str], scenes.Scene]


def add_migration(scene: scenes.Scene, service: str, column: str) -> int:
    """One more migration and an image with it; returns its version."""
    folder = scene.migrations(service)
    number = max(int(path.name[:5]) for path in folder.glob("*.sql")) + 1
    table = {"auth": "accounts", "personal": "profiles"}[service]
    statement = f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {column} text;"
    scenes.write_migrations(folder, {f"{number:05d}_add_{column}.sql": [statement]})
    scene.build(service)
    return number


def kinds(ended: scenes.Ended) -> list[str]:
    """The facts of a recorded stream, each kind once, in the order of their first occurrence."""
    return list(dict.fromkeys(json.loads(line)["fact"]["type"] for line in ended.out.splitlines()))


@contextmanager
def stuck(scene: scenes.Scene, service: str) -> Iterator[None]:
    """An operation of a person's that waits for a hook which never ends; it is ended and cleaned up behind us."""
    kubectl = scene.shop.sandbox.kubectl
    name, namespace = f"{service}-{scene.environment}", scene.shop.policy.argocd.namespace
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "stuck", "namespace": scene.namespace(service)},
        "spec": {"hard": {"pods": "0"}},
    }
    kubectl(["apply", "-f", "-"], stdin=json.dumps(quota).encode())
    operation = {
        "initiatedBy": {"username": "mina"},
        "sync": {"syncStrategy": {"hook": {}}, "syncOptions": ["ServerSideApply=true"]},
    }
    patch = ["patch", "application", name, "-n", namespace, "--type", "merge", "-p"]
    kubectl([*patch, json.dumps({"operation": operation})])
    try:
        polling.until(lambda: "waiting for" in message(scene, service))
        yield
    finally:
        kubectl([*patch, json.dumps({"status": {"operationState": {"phase": "Terminating"}}})])
        kubectl(["delete", "resourcequota", "stuck", "-n", scene.namespace(service)])
        operations.end(scene, service)


def message(scene: scenes.Scene, service: str) -> str:
    """What Argo CD says about the operation that runs."""
    application = scene.operation(service)
    state = application["status"].get("operationState") or {}
    by = ((state.get("operation") or {}).get("initiatedBy") or {}).get("username")
    return str(state.get("message") or "") if by == "mina" else ""


def untouched(scene: scenes.Scene, service: str, before: dict[str, Any]) -> bool:
    """Whether no operation was started since."""
    now = scene.operation(service)
    return (
        "operation" not in now
        and now["status"]["operationState"] == before["status"]["operationState"]
    )


def test_a_manual_environment_is_deployed_and_proven(
    either: Enter, request: pytest.FixtureRequest
) -> None:
    staging, way = either("staging"), request.node.callspec.indices["either"]
    version = add_migration(staging, "personal", f"m{way}")
    revision = staging.publish("One more column")
    ended = staging.deploy("personal", output="jsonl")
    assert ended.code == 0, ended.err
    recorded = ["Opened", "Decided", "Intended", "Began", "Observed", "Logged", "Proved", "Closed"]
    assert kinds(ended) == recorded
    (proved,) = (
        fact
        for fact in (json.loads(line)["fact"] for line in ended.out.splitlines())
        if fact["type"] == "Proved"
    )
    assert proved["applied"] == [version]
    state = staging.operation("personal")["status"]["operationState"]
    operation = state["operation"]
    assert operation["sync"]["revision"] == revision
    assert not operation["sync"].get("resources")
    assert operation["sync"]["syncOptions"], "Argo CD applies with the Application's own options"
    assert not operation["retry"].get("limit"), "each try would run the migrations again"
    about = {entry["name"]: entry["value"] for entry in operation["info"]}
    assert about["hanbae"].startswith(about["hanbae.deployment"])
    assert about["hanbae.revision"] == revision
    assert (about["hanbae.service"], about["hanbae.environment"]) == (
        "personal",
        staging.environment,
    )
    if staging.token is not None:
        assert operation["initiatedBy"]["username"].startswith("proj:")
        assert staging.token.unmask().decode() not in ended.out + ended.err


def test_an_automated_environment_is_followed_and_pushed_where_nothing_differs(
    either: Enter, request: pytest.FixtureRequest
) -> None:
    dev, way = either("dev"), request.node.callspec.indices["either"]
    version = add_migration(dev, "personal", f"a{way}")
    revision = dev.publish("One more column")
    ended = dev.deploy("personal")
    assert ended.code == 0, ended.err
    assert (ended.only["trigger"], ended.only["revision"]) == ("automated", revision)
    assert ended.only["migrations"][0]["applied"] == [version]

    # To Argo CD there is nothing to do, because it does not compare hooks.
    template = (
        dev.clone / naming.chart(dev.shop.policy, "personal") / "templates/migration-job.yaml"
    )
    shorter = f"activeDeadlineSeconds: {400 + way}"
    template.write_text(re.sub(r"activeDeadlineSeconds: \d+", shorter, template.read_text()))
    revision = dev.publish("A shorter deadline")
    pushed = dev.deploy("personal")
    assert pushed.code == 0, pushed.err
    assert (pushed.only["trigger"], pushed.only["revision"]) == ("manual", revision)


def test_a_role_that_may_only_look_is_told_what_it_lacks(served: Enter) -> None:
    staging = served("staging")
    project = naming.project(staging.shop.policy, staging.environment)
    reads = projects.Projects(staging.shop.sandbox).token(project, "reader", actions=["get"])
    reader = scenes.Scene(staging.shop, staging.environment, reads)
    before = staging.operation("auth")
    ended = reader.deploy("auth")
    assert ended.code == 5, ended.err
    assert ended.only["outcome"] == "refused"
    assert "argocd proj role add-policy" in ended.err
    assert "--action sync" in ended.err
    assert reads.unmask().decode() not in ended.out + ended.err
    assert untouched(staging, "auth", before)


def test_a_right_that_is_missing_is_named_with_what_grants_it(
    scene: Callable[[str], scenes.Scene],
) -> None:
    """Production's deployer has no business in staging."""
    staging = scene("staging")
    before = staging.operation("auth")
    stranger = {"KUBECONFIG": str(staging.shop.deployer("production"))}
    words = ("deploy", "auth", "--env", staging.environment, "--output", "json")
    ended = scenes.hanbae(*words, directory=staging.clone, **stranger)
    assert ended.code == 4, ended.err
    assert "You may not get leases.coordination.k8s.io" in ended.err
    assert staging.namespace("auth") in ended.err
    assert "kubectl auth can-i get leases.coordination.k8s.io" in ended.err
    name = staging.environment
    grant = f"hanbae generate rbac --env {name} && kubectl apply -k k8s/rbac/{name}"
    assert grant in ended.err
    assert untouched(staging, "auth", before)


def test_a_token_that_is_not_valid_changes_nothing(served: Enter) -> None:
    staging = served("staging")
    before = staging.operation("auth")
    stranger = scenes.Scene(
        staging.shop, staging.environment, masking.Masked(b"eyJhbGciOiJIUzI1NiJ9.e30.x")
    )
    ended = stranger.deploy("auth")
    assert ended.code == 4, ended.err
    assert "does not accept the token" in ended.err
    assert untouched(staging, "auth", before)


def test_a_sync_window_is_respected(served: Enter) -> None:
    staging = served("staging")
    project = naming.project(staging.shop.policy, staging.environment)
    before = staging.operation("auth")
    with projects.Projects(staging.shop.sandbox).closed(project):
        ended = staging.deploy("auth")
    assert ended.code == 5, ended.err
    assert f"argocd proj windows list {project}" in ended.err
    assert untouched(staging, "auth", before)


def test_somebody_elses_operation_is_named_and_left_alone(either: Enter) -> None:
    """It is one that a person asked for and that waits for a migration which cannot start."""
    staging = either("staging")
    with stuck(staging, "auth"):
        before = staging.operation("auth")
        ended = staging.deploy("auth")
        after = staging.operation("auth")
    assert ended.code == 5, ended.err
    assert ended.only["outcome"] == "refused"
    assert "mina" in ended.err
    assert f"hanbae stop auth --env {staging.environment}" in ended.err
    assert after["operation"] == before["operation"]
    assert after["status"]["operationState"]["phase"] == "Running"


def test_an_application_of_another_tool_is_refused(either: Enter) -> None:
    """Argo CD's objects are shared: a name alone does not make an Application ours."""
    staging = either("staging")
    before = staging.operation("auth")
    with owned_by_another(staging, "auth"):
        ended = staging.deploy("auth")
    assert ended.code == 5, ended.err
    assert "Something else owns it" in ended.err
    assert "hanbae.dev/service" in ended.err
    assert untouched(staging, "auth", before)


@contextmanager
def owned_by_another(scene: scenes.Scene, service: str) -> Iterator[None]:
    """Another controller has the Application, so that the ApplicationSet may not take it back."""
    namespace = scene.shop.policy.argocd.namespace
    ours = scene.operation(service)["metadata"]
    other = scene.get("configmap", "argocd-cm", namespace=namespace)
    owner = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "name": "argocd-cm",
        "uid": other["metadata"]["uid"],
        "controller": True,
    }
    change = {"ownerReferences": [owner], "labels": {"hanbae.dev/service": None}}
    back = {"ownerReferences": ours["ownerReferences"], "labels": ours["labels"]}
    patch = ["patch", "application", ours["name"], "-n", namespace, "--type", "merge", "-p"]
    scene.shop.sandbox.kubectl([*patch, json.dumps({"metadata": change})])
    try:
        yield
    finally:
        scene.shop.sandbox.kubectl([*patch, json.dumps({"metadata": back})])
