"""What becomes of requests to Argo CD's API that do not go well, against real sockets and Argo CD's own words."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

import pytest
from tests.support import ended_handshakes

from hanbae import errors
from hanbae.argocd_api import answers, application_calls, connections
from hanbae.streams import backoffs

SECRET = "canary-token-of-the-team"
ADDRESS = application_calls.Address("auth-dev", "services-dev", "argocd")
Reply = Callable[[str], tuple[int, Any]]


@pytest.fixture(autouse=True)
def _direct(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


def application(version: int | str, **metadata: Any) -> dict[str, Any]:
    identity = {"name": "auth-dev", "uid": "u1", "resourceVersion": str(version)}
    return {"metadata": identity | metadata}


def error(code: int, message: str) -> dict[str, Any]:
    """As the gateway spells a gRPC status."""
    return {"error": message, "code": code, "message": message}


def event(kind: str, application: dict[str, Any]) -> bytes:
    return json.dumps({"result": {"type": kind, "application": application}}).encode() + b"\n"


class ArgoCD:
    """Answers requests on a real socket by their method and path, each time with the next answer."""

    def __init__(self, **replies: list[Any]) -> None:
        self.replies = replies
        self.requests: list[str] = []
        self._tasks: set[asyncio.Task[Any]] = set()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[connections.Server]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        async with server:
            url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            environment = {"ARGOCD_AUTH_TOKEN": SECRET, "ARGOCD_SERVER": url, "HOME": "/nowhere"}
            async with connections.connect(url, environment=environment) as connected:
                yield connected
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.requests.append(head)
            method, path, _ = head.split(" ", 2)
            kind = "stream" if "/stream/" in path else method.lower()
            answer = self.replies[kind].pop(0) if len(self.replies[kind]) > 1 else None
            answer = self.replies[kind][0] if answer is None else answer
            if answer == "drop":
                return
            if isinstance(answer, list):
                writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")
                for part in answer:
                    if part == "hang":
                        await asyncio.Event().wait()
                    writer.write(part)
                    await writer.drain()
                return
            status, body = answer
            content = body if isinstance(body, bytes) else json.dumps(body).encode()
            writer.write(
                f"HTTP/1.1 {status} X\r\ncontent-length: {len(content)}\r\n"
                "connection: close\r\n\r\n".encode()
                + content
            )
            await writer.drain()
        finally:
            writer.close()


async def test_the_token_is_in_each_request_and_nowhere_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    argocd = ArgoCD(get=[(500, error(13, f"cannot decode {SECRET}"))])
    async with argocd.serving() as server:
        with pytest.raises(errors.Unreachable) as caught:
            await application_calls.get(server, ADDRESS)
        shown = f"{caught.value}{caught.value.text}{caplog.text}{server!r}{vars(server)}"
    assert f"authorization: bearer {SECRET}" in argocd.requests[0].lower()
    assert "project=services-dev" in argocd.requests[0]
    assert SECRET not in shown


@pytest.mark.parametrize(
    ("status", "code", "message", "kind", "id_"),
    [
        (401, 16, "no session information", errors.Forbidden, "argocd-api.unauthorised"),
        (
            403,
            7,
            "permission denied: applications, sync, services-dev/auth-dev, sub: proj:x:y",
            errors.Forbidden,
            "argocd-api.forbidden",
        ),
        (
            403,
            7,
            "cannot sync: blocked by sync window",
            errors.Refused,
            "argocd-api.sync-window",
        ),
        (
            400,
            9,
            "error setting app operation: another operation is already in progress",
            answers.Busy,
            "argocd-api.busy",
        ),
        (
            400,
            9,
            "Cannot sync to 1: auto-sync currently set to main",
            errors.Refused,
            "argocd-api.refused",
        ),
        (404, 5, 'applications "auth-dev" not found', answers.Missing, "argocd-api.missing"),
        (500, 13, "etcdserver: request timed out", answers.Unanswered, "argocd-api.unanswered"),
        (504, 4, "context deadline exceeded", answers.Unanswered, "argocd-api.unanswered"),
    ],
)
async def test_each_answer_to_a_sync_is_told_apart(
    status: int, code: int, message: str, kind: type[errors.Error], id_: str
) -> None:
    async with ArgoCD(post=[(status, error(code, message))]).serving() as server:
        with pytest.raises(errors.Error) as caught:
            await application_calls.sync(server, ADDRESS, {"revision": "1"})
    assert type(caught.value) is kind
    assert caught.value.text.id == id_


async def test_a_sync_whose_answer_is_lost_is_not_sent_again() -> None:
    argocd = ArgoCD(post=["drop"])
    async with argocd.serving() as server:
        with pytest.raises(answers.Unanswered):
            await application_calls.sync(server, ADDRESS, {"revision": "1"})
    assert len(argocd.requests) == 1


@pytest.mark.parametrize(
    "words", ended_handshakes.WORDS.values(), ids=ended_handshakes.WORDS.keys()
)
async def test_handshake_that_breaks_off_is_no_distrust(words: str) -> None:
    async with ended_handshakes.listening(words) as url:
        environment = {"ARGOCD_AUTH_TOKEN": SECRET, "ARGOCD_SERVER": url, "HOME": "/nowhere"}
        async with connections.connect(url, environment=environment) as argocd:
            with pytest.raises(errors.Unreachable) as caught:
                await application_calls.get(argocd, ADDRESS)
    assert caught.value.text.id == "argocd-api.unreachable"


async def test_a_read_whose_connection_broke_is_made_again() -> None:
    argocd = ArgoCD(get=["drop", (200, application(7))])
    async with argocd.serving() as server:
        answer = await application_calls.get(server, ADDRESS)
    assert answer == application(7)
    assert len(argocd.requests) == 2


async def test_a_missing_application_is_none_and_not_an_error() -> None:
    async with ArgoCD(get=[(404, error(5, "not found"))]).serving() as server:
        assert await application_calls.get(server, ADDRESS) is None


@pytest.mark.parametrize("answer", [(307, b""), (200, b"<html>portal</html>"), (404, b"<html>")])
async def test_a_page_or_a_redirection_is_not_taken_for_argo_cd(answer: tuple[int, bytes]) -> None:
    argocd = ArgoCD(get=[answer])
    async with argocd.serving() as server:
        with pytest.raises(errors.Unreachable) as caught:
            await application_calls.get(server, ADDRESS)
    assert caught.value.text.id == "argocd-api.not-argocd"
    assert len(argocd.requests) == 1


async def test_nobody_is_unreachable_and_named() -> None:
    url = "http://127.0.0.1:1"
    environment = {"ARGOCD_AUTH_TOKEN": SECRET, "ARGOCD_SERVER": url, "HOME": "/nowhere"}
    async with connections.connect(url, environment=environment) as server:
        with pytest.raises(errors.Unreachable) as caught:
            await application_calls.get(server, ADDRESS)
    assert caught.value.text.facts["server"] == "http://127.0.0.1:1"


async def watched(
    argocd: ArgoCD, count: int, *, silent_after: float = 5.0
) -> list[tuple[str, str]]:
    """The first events of a watch: type and resourceVersion."""
    changes: list[tuple[str, str]] = []
    async with argocd.serving() as server, asyncio.timeout(20):
        stream = application_calls.watch(
            server, ADDRESS, silent_after=silent_after, backoff=backoffs.Backoff(first=0.01)
        )
        async with aclosing(stream):
            async for change in stream:
                changes.append((change.type, change.application["metadata"]["resourceVersion"]))
                if len(changes) == count:
                    break
    return changes


async def test_a_stream_that_breaks_is_opened_again_without_repeating_or_going_back() -> None:
    first = [event("ADDED", application(5)), event("MODIFIED", application(6))]
    second = [event("ADDED", application(6)), event("MODIFIED", application(9)), "hang"]
    argocd = ArgoCD(
        get=[(200, application(5)), (503, error(14, "restarting")), (200, application(8))],
        stream=[first, second],
    )
    assert await watched(argocd, 4) == [
        ("added", "5"),
        ("changed", "6"),
        ("changed", "8"),
        ("changed", "9"),
    ]


@pytest.mark.parametrize("odd", ["9" * 5000, "\N{SUPERSCRIPT TWO}"])
async def test_a_version_that_no_etcd_gives_is_older_than_every_other(odd: str) -> None:
    argocd = ArgoCD(
        get=[(200, application(odd))],
        stream=[[event("MODIFIED", application(odd)), event("MODIFIED", application(6)), "hang"]],
    )
    assert await watched(argocd, 2) == [("added", odd), ("changed", "6")]


async def test_a_deletion_that_happened_while_nobody_looked_is_told() -> None:
    argocd = ArgoCD(
        get=[(200, application(5)), (404, error(5, "not found")), (200, application(9, uid="u2"))],
        stream=[[event("ADDED", application(5))], []],
    )
    assert await watched(argocd, 3) == [("added", "5"), ("deleted", "5"), ("added", "9")]


async def test_an_event_that_was_lost_in_silence_is_found_by_asking() -> None:
    argocd = ArgoCD(
        get=[(200, application(5)), (200, application(6))],
        stream=[[event("ADDED", application(5)), "hang"]],
    )
    assert await watched(argocd, 2, silent_after=0.3) == [("added", "5"), ("changed", "6")]


async def test_an_application_that_does_not_exist_yet_is_waited_for() -> None:
    argocd = ArgoCD(
        get=[(404, error(5, "not found"))], stream=[[event("ADDED", application(5)), "hang"]]
    )
    assert await watched(argocd, 1) == [("added", "5")]


async def test_a_watch_that_is_not_allowed_says_so_at_once() -> None:
    argocd = ArgoCD(get=[(403, error(7, "permission denied"))], stream=[["hang"]])
    with pytest.raises(errors.Forbidden):
        await watched(argocd, 1)
    assert len(argocd.requests) == 1
