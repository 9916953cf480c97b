"""What counts as a cluster's APIs where some of it does not answer, against real sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from hanbae import errors
from hanbae.clusters import connections, discovering

pytestmark = pytest.mark.filterwarnings("ignore::hanbae.wording.Warned")

GROUPS = {"groups": [{"versions": [{"groupVersion": "metrics.k8s.io/v1beta1"}]}]}
METRICS = "/apis/metrics.k8s.io/v1beta1"
CORE = {"resources": [{"kind": "Pod", "verbs": ["list", "watch"]}]}


@asynccontextmanager
async def served(
    folder: Path, answers: Mapping[str, tuple[int, Any]]
) -> AsyncIterator[connections.Cluster]:
    """A cluster that answers each path with a status and JSON, and hangs up on every other."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        answer = answers.get(request.split()[1].decode())
        if answer is not None:
            content = json.dumps(answer[1]).encode()
            head = f"HTTP/1.1 {answer[0]} X\r\ncontent-length: {len(content)}\r\nconnection: close"
            writer.write(head.encode() + b"\r\n\r\n" + content)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        document = {
            "current-context": "dev",
            "clusters": [{"name": "c", "cluster": {"server": address}}],
            "users": [{"name": "u", "user": {}}],
            "contexts": [{"name": "dev", "context": {"cluster": "c", "user": "u"}}],
        }
        path = folder / "kubeconfig"
        path.write_text(json.dumps(document))
        async with connections.connect(kubeconfig=path) as cluster:
            yield cluster


async def test_a_group_whose_own_server_is_down_is_left_out(tmp_path: Path) -> None:
    answers = {"/apis": (200, GROUPS), "/api/v1": (200, CORE), METRICS: (503, {})}
    async with served(tmp_path, answers) as cluster:
        assert await discovering.api_versions(cluster) == ("v1", "v1/Pod")


@pytest.mark.parametrize(
    "answers",
    [
        {"/api/v1": (200, CORE)},
        {"/api/v1": (503, {}), METRICS: (503, {})},
    ],
    ids=["gone", "failing"],
)
async def test_a_cluster_that_goes_away_meanwhile_has_no_shorter_list(
    tmp_path: Path, answers: dict[str, tuple[int, Any]]
) -> None:
    async with served(tmp_path, {"/apis": (200, GROUPS), **answers}) as cluster:
        with pytest.raises(errors.Unreachable):
            await discovering.api_versions(cluster)
