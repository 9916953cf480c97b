"""Compose files, hanbae's and those of others, held against what the charts ask for."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from tests.support import compositions

from hanbae import libyaml
from hanbae.local import compose_document, compose_file, parity

CONTAINER = {
    "env": [
        {"name": "LEVEL", "value": "info"},
        {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "TOKEN"}}},
    ],
    "resources": {"limits": {"memory": "128M", "cpu": "500m"}},
    "readinessProbe": {"httpGet": {"path": "/readyz", "port": 8080}, "periodSeconds": 5},
}
SERVICE = {
    "apiVersion": "v1", "kind": "Service", "metadata": {"name": "auth-service"},
    "spec": {"selector": {"app": "auth-service"}, "ports": [{"port": 8080}]},
}  # fmt: skip
COMPOSITION = compositions.of(
    compositions.text(
        compositions.deployment(CONTAINER),
        SERVICE,
        compositions.migration("identity", "IDENTITY_DATABASE_URL", -5),
        compositions.migration("auth", "AUTH_DATABASE_URL", -4),
    )
)
DOCUMENT = libyaml.load(compose_file.text(COMPOSITION, "en").encode())
FIRST, SECOND = "auth-service-migrate-identity", "auth-service-migrate-auth"

Change = Callable[[dict[str, Any]], Any]


def differences(document: Any) -> list[tuple[str, str, str]]:
    return [
        (entry.service, entry.aspect, entry.text.id.removeprefix("local.differs-"))
        for entry in parity.compare(COMPOSITION, document)
    ]


def test_what_hanbae_writes_is_what_the_charts_ask_for() -> None:
    assert differences(DOCUMENT) == []


CHANGES: dict[str, tuple[Change, tuple[str, str, str]]] = {
    "another image": (
        lambda services: services["auth-service"].update(image="registry.example.com/auth:2"),
        ("auth-service", "image", "image"),
    ),
    "a variable missing": (
        lambda services: services["auth-service"].pop("environment"),
        ("auth-service", "environment", "variable-missing"),
    ),
    "a variable too many": (
        lambda services: services["auth-service"]["environment"].update(OTHER="1"),
        ("auth-service", "environment", "variable-extra"),
    ),
    "a secret in clear": (
        lambda services: services["auth-service"]["environment"].update(TOKEN="hunter2"),
        ("auth-service", "secret", "secret"),
    ),
    "a port missing": (
        lambda services: services["auth-service"].update(ports=["8080:80"]),
        ("auth-service", "ports", "ports"),
    ),
    "no health check": (
        lambda services: services["auth-service"]["healthcheck"].update(disable=True),
        ("auth-service", "probe", "probe-missing"),
    ),
    "another path": (
        lambda services: services["auth-service"]["healthcheck"].update(
            test=["CMD", "curl", "http://localhost:8080/healthz"]
        ),
        ("auth-service", "probe", "probe"),
    ),
    "another interval": (
        lambda services: services["auth-service"]["healthcheck"].update(interval="1m30s"),
        ("auth-service", "probe", "probe"),
    ),
    "the letter M meant otherwise": (
        lambda services: services["auth-service"]["deploy"]["resources"]["limits"].update(memory="128M"),
        ("auth-service", "limits", "memory"),
    ),
    "half a core in the other's spelling": (
        lambda services: services["auth-service"]["deploy"]["resources"]["limits"].update(cpus="500m"),
        ("auth-service", "limits", "cpus"),
    ),
    "migrations at once": (
        lambda services: services[SECOND].update(depends_on=["postgresql"]),
        (SECOND, "order", "order"),
    ),
    "begun instead of ended": (
        lambda services: services["auth-service"]["depends_on"][SECOND].update(condition="service_started"),
        ("auth-service", "order", "order"),
    ),
    "an older server": (
        lambda services: services["postgresql"].update(image="postgres:16"),
        ("postgresql", "database", "major"),
    ),
    "a service missing": (
        lambda services: services.pop(FIRST),
        (FIRST, "service", "missing"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_each_difference_is_found_and_nothing_else(name: str) -> None:
    change, expected = CHANGES[name]
    document = copy.deepcopy(DOCUMENT)
    change(document["services"])
    assert [
        entry for entry in differences(document) if "order" not in entry[1] or "order" in expected
    ] == [expected]


def test_a_file_by_hand_is_read_in_its_own_notations() -> None:
    document = {
        "services": {
            "auth": {
                "image": "registry.example.com/auth:1",
                "environment": ["LEVEL=info", "TOKEN=${TOKEN:?set it}"],
                "ports": ["127.0.0.1:${PORT:-80}:8080/tcp"],
                "healthcheck": {"test": "wget -qO- http://127.0.0.1:8080/readyz", "interval": "5s"},
                "mem_limit": 128000000,
                "cpus": 0.5,
                "depends_on": {SECOND: {"condition": "service_completed_successfully"}},
            },
            FIRST: DOCUMENT["services"][FIRST],
            SECOND: DOCUMENT["services"][SECOND],
            "db": {"image": "docker.io/library/postgres:18.1"},
        }
    }
    assert differences(document) == []


def test_built_here_is_no_other_image() -> None:
    document = copy.deepcopy(DOCUMENT)
    document["services"]["auth-service"] |= {"image": "mine", "build": "."}
    assert differences(document) == []


ODD = {
    "environment": 1,
    "ports": "x",
    "depends_on": 2,
    "healthcheck": [],
    "deploy": {"resources": 1},
    "env_file": 3,
}


@pytest.mark.parametrize(
    "services", [None, [], "x", {}, {"auth-service": None}, {"auth-service": ODD}]
)
def test_files_of_odd_shapes_are_read(services: Any) -> None:
    assert differences({"services": services})
    assert differences(services)


def test_a_database_of_the_charts_own_counts() -> None:
    cluster = {
        "apiVersion": "postgresql.cnpg.io/v1",
        "kind": "Cluster",
        "metadata": {"name": "db"},
        "spec": {"imageName": "ghcr.io/cloudnative-pg/postgresql:17.2"},
    }
    composition = compositions.of(
        compositions.text(
            compositions.deployment(),
            cluster,
            compositions.migration("auth", "AUTH_DATABASE_URL", -4),
        )
    )
    document = libyaml.load(compose_file.text(composition, "en").encode())
    assert [
        (entry.aspect, entry.chart, entry.compose)
        for entry in parity.compare(composition, document)
    ] == [("database", "ghcr.io/cloudnative-pg/postgresql:17.2", "postgres:18")]


def test_quantities_and_durations_of_compose() -> None:
    assert [compose_document.seconds(text) for text in ("1m30s", "500ms", "x", "5", "1s2")] == [
        90.0,
        0.5,
        None,
        None,
        None,
    ]
    assert [compose_document.is_literal(text) for text in ("x", "${A}", "$A", "", None, "a${A}", "$$x")] == [
        True, False, False, False, False, True, True,
    ]  # fmt: skip
