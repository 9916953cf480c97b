"""Gitea where two ask for the same pull request at once; all else is tried on a real one."""

from __future__ import annotations

import json
from typing import Any

import httpx2
import pytest

from hanbae import masking
from hanbae.forges import connections, gitea, logins, protocol

DRAFT = protocol.Draft("hanbae/dev-to-staging", "release", "Title", "Body")


def pull(number: int, author: str) -> dict[str, Any]:
    own = {"id": 1}
    return {
        "number": number,
        "html_url": f"https://forge.example.com/shop/backend/pulls/{number}",
        "head": {"ref": DRAFT.source, "sha": "b" * 40, "repo": own},
        "base": {"ref": DRAFT.target, "sha": "a" * 40, "repo": own},
        "user": {"login": author},
    }


@pytest.mark.parametrize("created", [7, 8])
async def test_whoever_sees_two_closes_the_later_one_and_takes_the_first(created: int) -> None:
    closed = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.method == "PATCH":
            assert json.loads(request.content) == {"state": "closed"}
            closed.append(request.url.path)
            return httpx2.Response(200, json=pull(8, "ann"))
        if request.method == "POST":
            return httpx2.Response(201, json=pull(created, "ann"))
        # A person's is theirs, however late.
        return httpx2.Response(200, json=[pull(9, "ben"), pull(8, "ann"), pull(7, "ann")])

    client = httpx2.AsyncClient(
        transport=httpx2.MockTransport(answer), base_url="https://forge.example.com/api/v1"
    )
    login = logins.Login("gitea", "https://forge.example.com", masking.Masked(b"t"), "TOKEN")
    forge = gitea.Gitea(connections.Connection(client, login), "shop/backend")
    assert (await forge.open(DRAFT)).number == 7
    assert closed == ["/api/v1/repos/shop/backend/pulls/8"]
