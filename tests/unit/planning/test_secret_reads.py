"""Which Secrets pods read, and which keys the same objects make."""

from __future__ import annotations

from typing import Any

import pytest

from hanbae.planning import secret_reads


def workload(*env: dict[str, Any], kind: str = "Deployment", **container: Any) -> dict[str, Any]:
    spec = {"containers": [{"name": "app", "env": list(env), **container}]}
    return {"kind": kind, "metadata": {"name": "auth"}, "spec": {"template": {"spec": spec}}}


def variable(key: str, **more: Any) -> dict[str, Any]:
    return {
        "name": key,
        "valueFrom": {"secretKeyRef": {"name": "auth-secrets", "key": key, **more}},
    }


def test_variables_and_whole_secrets_are_read_each_once() -> None:
    objects = [
        workload(variable("A"), variable("B"), envFrom=[{"secretRef": {"name": "more"}}]),
        workload(variable("A"), kind="Job"),
    ]
    assert [(read.secret, read.key, read.reader) for read in secret_reads.of(objects)] == [
        ("auth-secrets", "A", "Deployment/auth"),
        ("auth-secrets", "B", "Deployment/auth"),
        ("more", "", "Deployment/auth"),
    ]


@pytest.mark.parametrize(
    "manifest",
    [
        workload(variable("A", optional=True)),
        workload({"name": "A", "value": "b"}),
        workload({"name": "A", "valueFrom": {"secretKeyRef": {"name": 1, "key": "a"}}}),
        workload(envFrom=[{"secretRef": {"name": "more", "optional": True}}, "x"]),
        {"kind": "Deployment", "metadata": {"name": "auth"}, "spec": {"template": []}},
        {"kind": "Deployment"},
    ],
)
def test_what_is_optional_or_of_another_shape_is_left_out(manifest: dict[str, Any]) -> None:
    assert secret_reads.of([manifest]) == ()


def test_keys_are_those_that_are_sealed_or_written() -> None:
    sealed = {
        "kind": "SealedSecret",
        "metadata": {"name": "auth-secrets"},
        "spec": {"encryptedData": {"A": "x"}, "template": {"data": {"B": "y"}}},
    }
    plain = {"kind": "Secret", "metadata": {"name": "more"}, "stringData": {"C": "z"}}
    assert secret_reads.produced_keys([sealed, plain, {"kind": "Service"}]) == {
        "auth-secrets": {"A", "B"},
        "more": {"C"},
    }
