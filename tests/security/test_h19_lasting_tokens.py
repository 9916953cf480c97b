"""No object of a service makes Kubernetes issue a credential that does not expire."""

from __future__ import annotations

from typing import Any

import pytest
from tests.support import releases

from hanbae.rules import rulebook, running

TOKEN = "kubernetes.io/service-account-token"
ACCOUNT = {"kubernetes.io/service-account.name": "argocd-server"}
METADATA = {"name": "tok", "annotations": ACCOUNT}


def sealed(kind: str) -> dict[str, Any]:
    template = {"type": kind, "metadata": {"annotations": ACCOUNT}}
    return {
        "apiVersion": "bitnami.com/v1alpha1",
        "kind": "SealedSecret",
        "metadata": METADATA,
        "spec": {"encryptedData": {}, "template": template},
    }


MAKERS = [
    sealed(TOKEN),
    sealed("bootstrap.kubernetes.io/token"),
    {"apiVersion": "v1", "kind": "Secret", "metadata": METADATA, "type": TOKEN},
    {
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "metadata": METADATA,
        "spec": {"target": {"template": {"type": TOKEN}}},
    },
]


def hits(manifest: dict[str, Any]) -> list[tuple[str, str]]:
    release = releases.release([manifest])
    results = running.over_service(release.service, [rulebook.rules()["KUB037"]])
    return [(result.rule.severity, result.hit.facts["type"]) for result in results]


@pytest.mark.parametrize("manifest", MAKERS, ids=lambda manifest: manifest["kind"])
def test_secret_that_gets_a_lasting_token_is_an_error(manifest: dict[str, Any]) -> None:
    ((severity, _),) = hits(manifest)
    assert severity == "error"


@pytest.mark.parametrize("kind", ["Opaque", "kubernetes.io/tls", "shop.example.com/settings"])
def test_other_types_are_left_alone(kind: str) -> None:
    assert hits(sealed(kind)) == []


@pytest.mark.parametrize("spec", [None, [], {"template": 3}, {"template": {"type": [TOKEN]}}])
def test_odd_shapes_are_left_alone(spec: Any) -> None:
    assert hits({**sealed(TOKEN), "spec": spec}) == []
