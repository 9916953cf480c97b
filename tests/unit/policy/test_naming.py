"""Names that others must find: in a cluster, in the policy document's own commands."""

from __future__ import annotations

import pytest

from hanbae.charts import founding
from hanbae.policy import loading, naming

TEXT = founding.policy_file("https://git.example.com/shop.git", one_cluster=True)
TEXT = TEXT.replace(
    "purpose: [Cilium Gateway, GraphQL BFF, WebSocket]",
    "purpose: [Cilium Gateway, GraphQL BFF, WebSocket]\n    services: [bff]",
)
POLICY = loading.parse(TEXT.encode(), "hanbae.yaml")[0]


def test_names_are_the_policy_documents() -> None:
    assert naming.release(POLICY, "auth", "dev") == "auth-service"
    assert naming.secret(POLICY, "auth", "dev") == "auth-secrets"
    assert (
        str(naming.values_file(POLICY, "auth", "production"))
        == "services/auth/helm/values-prod.yaml"
    )
    assert naming.migration_job("auth-service", "auth_db", several=False) == "auth-service-migrate"
    assert (
        naming.migration_job("identity-service", "legal_db", several=True)
        == "identity-service-migrate-legal-db"
    )


def test_service_with_a_namespace_of_its_own_lives_there() -> None:
    assert naming.namespace(POLICY, "bff", "staging") == "gateway-staging"
    assert naming.namespace(POLICY, "auth", "staging") == "services-staging"


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("10m", 600), ("1h30m", 5400), ("2h1s", 7201)]
)
def test_durations_are_seconds(text: str, seconds: int) -> None:
    assert naming.seconds(text) == seconds
