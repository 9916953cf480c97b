"""A hub: Argo CD of one sandbox deploys into another one, and hanbae drives the one and looks into the other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support import demos, endpoints, hubs, persons, scenes, seen

from hanbae import errors
from hanbae.policy import naming
from hanbae.sandbox import running, statuses

NAME = f"{demos.NAME}-workload"
SERVICE = "personal"
NOWHERE = "sha256:" + "0" * 64


@pytest.fixture(scope="module")
def unregistered(demo: demos.Demo) -> Iterator[scenes.Scene]:
    """An environment with one service: Applications in the demo's sandbox, everything else in another one."""
    try:
        workload = running.up(NAME)
        yield scenes.own(workload, "hub", services=(SERVICE,), control=demo.sandbox)
    finally:
        running.down(NAME)
    assert statuses.of(NAME).state == "absent"
    # The other one goes on; all scenes stand on it.
    assert demo.sandbox.kubectl(["get", "nodes", "-o", "name"])


@pytest.fixture(scope="module")
def hub(unregistered: scenes.Scene, demo: demos.Demo) -> Iterator[scenes.Scene]:
    """The environment, after Argo CD was told of the cluster of its pods."""
    with hubs.joined(demo.sandbox, unregistered.shop.sandbox):
        yield unregistered


def test_two_sandboxes_live_side_by_side_and_share_nothing(
    unregistered: scenes.Scene, demo: demos.Demo
) -> None:
    here, beside = unregistered.shop.sandbox, demo.sandbox
    mine, others = here.site.identity, beside.site.identity
    for attribute in ("inner", "link", "cgroup", "host"):
        assert getattr(mine, attribute) != getattr(others, attribute)
    here.kubectl(["create", "namespace", "mine-alone"])
    assert b"mine-alone" not in beside.kubectl(["get", "namespaces"])
    with pytest.raises(errors.Unreachable):
        beside.postgres.__class__(others.inner, 5432, "postgres", here.postgres.password).connect()


def test_cluster_that_argo_cd_does_not_know_is_named_with_the_command_that_registers_it(
    unregistered: scenes.Scene, tmp_path: Path
) -> None:
    person = persons.logged_in(unregistered, tmp_path)
    context = unregistered.shop.sandbox.context
    for language, page in persons.PAGES.items():
        words = ("deploy", SERVICE, "--env", unregistered.environment, "--yes")
        shown = person.types(*words, language=language)
        assert shown.code == 5, shown.text
        screen = seen.shown(shown.text)
        assert " ".join(screen.split()).endswith(f"argocd cluster add {context} --name {context}")
        page.compare("unknown-cluster", screen.replace(context, "staging"))
    assert unregistered.pods(SERVICE) == {}


def test_first_install_with_secrets_and_migrations_is_proven_in_the_other_cluster(
    hub: scenes.Scene, demo: demos.Demo
) -> None:
    ended = hub.deploy(SERVICE)
    assert ended.code == 0, ended.err
    (migration,) = ended.only["migrations"]
    assert (migration["database"], migration["applied"]) == ("personal_db", [1, 2, 3])
    assert hub.versions(SERVICE, "personal_db") == [1, 2, 3]
    assert json.loads(endpoints.answer(hub, SERVICE, "/readyz")) == {"ready": True}
    assert hub.operation(SERVICE)["spec"]["destination"]["name"] == hub.shop.sandbox.context
    # The namespace is in the cluster of the pods alone, and the Application in that of Argo CD alone.
    with pytest.raises(errors.Failed, match="not found"):
        demo.sandbox.kubectl(["get", "namespace", hub.namespace(SERVICE)])
    application = naming.application(hub.shop.policy, SERVICE, hub.environment)
    with pytest.raises(errors.Failed, match="not found"):
        hub.shop.sandbox.kubectl(["get", "application", application, "-n", "argocd"])


def test_image_that_is_nowhere_is_named_early_and_the_next_migration_mends_it(
    hub: scenes.Scene,
) -> None:
    before = hub.pods(SERVICE)
    hub.edit(SERVICE, {"image.digest": NOWHERE})
    hub.publish("An image that nobody has pushed")
    failed = hub.deploy(SERVICE, "--no-preflight")
    assert failed.code == 1, failed.err
    assert "diagnosis.image-not-found" in failed.causes, failed.err
    assert "operation" not in hub.operation(SERVICE)
    assert before.keys() <= hub.pods(SERVICE).keys(), "the former pods still serve"

    statement = "ALTER TABLE profiles ADD COLUMN hub text;"
    scenes.write_migrations(hub.migrations(SERVICE), {"00004_hub.sql": [statement]})
    hub.build(SERVICE)
    hub.publish("An image that is there, with one more column")
    mended = hub.deploy(SERVICE)
    assert mended.code == 0, mended.err
    assert mended.only["migrations"][0]["applied"] == [4]


def test_failing_migration_is_named_with_what_goose_says(hub: scenes.Scene) -> None:
    statement = "ALTER TABLE nowhere ADD COLUMN a text;"
    scenes.write_migrations(hub.migrations(SERVICE), {"00005_broken.sql": [statement]})
    hub.once(SERVICE)
    hub.build(SERVICE)
    hub.publish("A broken migration")
    failed = hub.deploy(SERVICE)
    assert failed.code == 1, failed.err
    assert scenes.MIGRATION_FAILED & failed.causes, failed.err
    assert 'relation "nowhere" does not exist' in failed.err
    assert hub.versions(SERVICE, "personal_db") == [1, 2, 3, 4]


def test_kubeconfig_without_the_hub_is_refused_with_the_context_that_is_missing(
    hub: scenes.Scene,
) -> None:
    kubeconfig = hub.shop.deployer(hub.environment)
    words = ("deploy", SERVICE, "--env", hub.environment, "--output", "json")
    ended = scenes.hanbae(*words, directory=hub.clone, KUBECONFIG=str(kubeconfig))
    assert ended.code in {2, 4}, ended.err
    assert hub.control is not None
    assert hub.control.context in ended.err
