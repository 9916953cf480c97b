"""What clusters serve, where some of them cannot be asked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from hanbae import errors
from hanbae.apis import serving
from hanbae.clusters import connections
from hanbae.deploying import cluster_versions
from hanbae.policy import documents, loading

POLICY = """\
version: 1
argocd: {repository: "https://git.example.com/shop.git"}
environments:
  dev: {branch: develop, control: hub, workload: dev}
  staging: {branch: staging, control: hub, workload: gone}
  live: {branch: main, control: hub, workload: silent}
"""
ANSWER = serving.Cluster("v1.35.4", ("v1", "v1/Pod"))


@pytest.fixture
def policy(monkeypatch: pytest.MonkeyPatch) -> documents.Policy:
    @asynccontextmanager
    async def connect(context: str, **_: object) -> AsyncIterator[str]:
        if context == "gone":
            raise errors.WrongUse("cluster.unknown-context", context=context)
        yield context

    async def read(context: str) -> serving.Cluster:
        if context == "silent":
            raise errors.Unreachable("cluster.unreachable", context=context)
        return ANSWER

    monkeypatch.setattr(connections, "connect", connect)
    monkeypatch.setattr(cluster_versions, "read", read)
    loaded, _ = loading.parse(POLICY.encode(), "hanbae.yaml")
    return loaded


async def test_a_cluster_that_cannot_be_asked_is_left_out(policy: documents.Policy) -> None:
    served, unasked = await cluster_versions.of_environments(policy, ("dev", "staging", "live"))
    assert served == {"dev": ANSWER}
    reasons = {name: text.id for name, text in unasked.items()}
    assert reasons == {"staging": "cluster.unknown-context", "live": "cluster.unreachable"}


async def test_a_context_that_was_asked_for_has_to_be_there(policy: documents.Policy) -> None:
    with pytest.raises(errors.WrongUse):
        await cluster_versions.of_environments(policy, ("dev",), context="gone")
