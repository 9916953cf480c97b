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
@pytest.mark.parametrize("overtaken", [False, True])
async def test_whoever_sees_two_closes_the_later_one_and_takes_the_first(
    created: int, overtaken: bool
) -> None:
    # A person's is theirs, however late.
    pulls = {9: pull(9, "ben"), 8: pull(8, "ann"), 7: pull(7, "ann")}

    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.method == "PATCH":
            assert json.loads(request.content) == {"state": "closed"}
            closed = pulls.pop(int(request.url.path.rpartition("/")[2]))
            message = {"message": "the issue is already changed"}
            return (
                httpx2.Response(500, json=message)
                if overtaken
                else httpx2.Response(200, json=closed)
            )
        if request.method == "POST":
            return httpx2.Response(201, json=pulls[created])
        return httpx2.Response(200, json=list(pulls.values()))

    client = httpx2.AsyncClient(
        transport=httpx2.MockTransport(answer), base_url="https://forge.example.com/api/v1"
    )
    login = logins.Login("gitea", "https://forge.example.com", masking.Masked(b"t"), "TOKEN")
    forge = gitea.Gitea(connections.Connection(client, login), "shop/backend")
    assert (await forge.open(DRAFT)).number == 7
    assert sorted(pulls) == [7, 9]
