"""What services answer: which ports of Services have to be asked, and so need the right to be."""

from __future__ import annotations

import msgspec

from hanbae.argo import authorizing
from hanbae.policy import documents
from hanbae.releases import endpoints, rights

POLICY = documents.Policy(
    version=1,
    argocd=documents.ArgoCD("https://git.example.com/shop.git"),
    environments={"dev": documents.Environment(branch="develop")},
)


def test_endpoints_of_items_are_asked_like_those_of_the_chart() -> None:
    item = documents.Item("ready", "It is ready.", endpoint=documents.Endpoint("/ready", "admin"))
    lists = msgspec.structs.replace(POLICY.checklists, after=(item,))
    policy = msgspec.structs.replace(POLICY, checklists=lists)
    (probe,) = endpoints.of_items(policy, "auth", "dev")
    assert str(probe) == "auth-service:admin/ready"
    described = authorizing.Service("auth")
    values = {"smoke": [{"path": "/healthz"}]}
    described_anew = rights.with_endpoints(described, policy, "dev", values)
    assert len(described_anew.proxied) == 2
    assert len(rights.with_endpoints(described, POLICY, "dev", values).proxied) == 1
