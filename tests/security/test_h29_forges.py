"""A forge that lies: what answers in its place gets no token of anybody's, and hanbae ends in words."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import markdown_it
import pytest

from hanbae import errors
from hanbae.cli.text import catalogue, escaping, promotion_markdown
from hanbae.forges import choosing, connections, protocol
from hanbae.results import images, merge_requests, previews, promotions

TOKEN = "t0ken-of-the-user"
DRAFT = protocol.Draft("hanbae/dev-to-staging", "release", "Title", "Body")
HEAD = "b" * 40
REQUEST = merge_requests.MergeRequest(7, "", DRAFT.source, DRAFT.target, HEAD, "ann")
Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


class Liar:
    """Answers every request in the same way, and keeps what it was asked."""

    def __init__(self, answer: Answer) -> None:
        self.heads: list[bytes] = []
        self._answer = answer

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.heads.append(await reader.readuntil(b"\r\n\r\n"))
            await self._answer(writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def lying(answer: Answer, kind: str = "gitea") -> AsyncIterator[tuple[protocol.Forge, Liar]]:
    """A forge of a kind at which somebody else answers."""
    liar = Liar(answer)
    server = await asyncio.start_server(liar, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    variables = {
        "gitea": {"GITEA_SERVER_URL": url, "GITEA_TOKEN": TOKEN},
        "github": {"GITHUB_SERVER_URL": url, "GITHUB_TOKEN": TOKEN},
        "gitlab": {"CI_SERVER_URL": url, "GITLAB_TOKEN": TOKEN},
    }[kind]
    async with server, choosing.connect(f"{url}/shop/backend.git", variables) as forge:
        assert forge is not None
        yield forge, liar


def saying(body: bytes, *, status: str = "200 OK", headers: str = "") -> Answer:
    async def answer(writer: asyncio.StreamWriter) -> None:
        head = f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n{headers}connection: close\r\n\r\n"
        writer.write(head.encode() + body)

    return answer


KINDS = ["gitea", "github", "gitlab"]
ASK: dict[str, Callable[[protocol.Forge], Awaitable[Any]]] = {
    "username": lambda forge: forge.username(),
    "opened": lambda forge: forge.opened(DRAFT.source, DRAFT.target),
    "open": lambda forge: forge.open(DRAFT),
    "edit": lambda forge: forge.edit(REQUEST, DRAFT),
    "merged_by": lambda forge: forge.merged_by(HEAD, "release"),
    "approvals": lambda forge: forge.approvals(REQUEST),
    "report": lambda forge: forge.report(HEAD, merge_requests.Status("hanbae/set", "success", "x")),
    "comment": lambda forge: forge.comment(REQUEST, "text", mark="<!-- m -->"),
}
WRONG: dict[str, bytes] = {
    "empty": b"",
    "page": b"<html><body>Sign in</body></html>",
    "null": b"null",
    "number": b"1" * 5000,
    "text": b'"x"',
    "deep": b"[" * 200_000,
    "half": b'{"login": "ann',
    "latin": b'{"login": "\xff\xfe"}',
    "surrogate": b'[{"number": "\\ud800"}]',
    "other-types": json.dumps([{"number": [], "iid": {}, "login": 3, "state": None}]).encode(),
    "huge-number": b'[{"number": 1' + b"0" * 5000 + b"}]",
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("body", WRONG.values(), ids=WRONG)
async def test_what_is_no_answer_ends_in_words(kind: str, body: bytes) -> None:
    async with lying(saying(body), kind) as (forge, liar):
        for name, ask in ASK.items():
            with pytest.raises(errors.Unreachable) as refused:
                await ask(forge)
            assert refused.value.text.id == "forge.nonsense", name
            assert TOKEN not in str(refused.value)
            assert len(catalogue.fault(refused.value)) < 1000
    assert liar.heads


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 T", "308 P"])
async def test_a_redirection_takes_the_token_nowhere(kind: str, status: str) -> None:
    thief = Liar(saying(b"{}"))
    server = await asyncio.start_server(thief, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    location = f"location: http://127.0.0.1:{port}/api\r\n"
    async with server, lying(saying(b"{}", status=status, headers=location), kind) as (forge, liar):
        for ask in ASK.values():
            with pytest.raises(errors.Unreachable):
                await ask(forge)
        assert len(liar.heads) >= len(ASK) - 1
        assert all(TOKEN.encode() in head for head in liar.heads)
    assert thief.heads == []


async def test_an_answer_without_an_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "LARGEST_ANSWER", 1 << 20)

    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n[")
        while True:
            writer.write(b" " * 65536)
            await writer.drain()

    async with lying(endless) as (forge, _):
        with pytest.raises(errors.Unreachable) as refused:
            await forge.username()
    assert refused.value.text.id == "forge.nonsense"


async def test_a_packed_answer_is_measured_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "LARGEST_ANSWER", 1 << 20)
    packed = gzip.compress(b" " * (64 << 20))
    async with lying(saying(packed, headers="content-encoding: gzip\r\n")) as (forge, _):
        with pytest.raises(errors.Unreachable) as refused:
            await forge.username()
    assert refused.value.text.id == "forge.nonsense"


@pytest.mark.parametrize("part", [b"HTTP/1.1 200 OK\r\nx: ", b"HTTP/1.1 200 OK\r\n\r\n["])
async def test_an_answer_that_comes_byte_by_byte_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, part: bytes
) -> None:
    """Each byte would begin the client's own timeout anew."""
    monkeypatch.setattr(connections, "WITHIN", 0.5)

    async def dripping(writer: asyncio.StreamWriter) -> None:
        writer.write(part)
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with lying(dripping) as (forge, _), asyncio.timeout(30):
        with pytest.raises(errors.Unreachable) as refused:
            await forge.username()
    assert refused.value.text.id == "forge.unreachable"
    assert "> 0.5 s" in refused.value.text.facts["why"]


async def test_pages_without_an_end_are_read_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "_MOST_PAGES", 3)
    names = iter(range(1000))

    async def another_page(writer: asyncio.StreamWriter) -> None:
        user = {"login": f"ben-{next(names)}"}
        review = {"state": "APPROVED", "official": True, "user": user, "commit_id": HEAD}
        await saying(json.dumps([review] * connections.PAGE).encode())(writer)

    async with lying(another_page) as (forge, liar):
        approvals = await forge.approvals(REQUEST)
    assert [approval.by for approval in approvals] == ["ben-0", "ben-1", "ben-2"]
    assert len(liar.heads) == 3


async def test_a_page_that_comes_again_and_again_is_read_once() -> None:
    review = {"state": "APPROVED", "official": True, "user": {"login": "ben"}, "commit_id": HEAD}
    page = json.dumps([review] * connections.PAGE).encode()
    async with lying(saying(page)) as (forge, liar):
        assert await forge.approvals(REQUEST) == (merge_requests.Approval("ben", HEAD),)
    assert len(liar.heads) == 2


async def test_a_reviewers_name_leads_to_no_other_path() -> None:
    login = "../../../../user/keys?x="
    review = {"state": "APPROVED", "user": {"login": login}, "commit_id": HEAD}
    async with lying(saying(json.dumps([review]).encode()), "github") as (forge, liar):
        with pytest.raises(errors.Unreachable):
            await forge.approvals(REQUEST)
    path = liar.heads[-1].split()[1]
    assert path.endswith(b"/collaborators/..%2F..%2F..%2F..%2Fuser%2Fkeys%3Fx%3D/permission")


@pytest.mark.parametrize(
    "words",
    [
        f"token {TOKEN} is wrong",
        "\x1b]0;owned\x07\x1b[2J\r\n::error::x",
        "\u202egnp.exe",
        "x" * 100_000,
        ["a", {"b": ["c"]}],
        {"field": ["is\x1b[2J wrong"]},
        0,
    ],
)
@pytest.mark.parametrize("status", ["401 U", "403 F", "404 N", "409 C", "422 U", "429 T", "500 I"])
async def test_what_a_forge_says_is_words_alone(words: object, status: str) -> None:
    body = json.dumps({"message": words, "errors": [{"message": words}, 3, None]}).encode()
    async with lying(saying(body, status=status)) as (forge, _):
        with pytest.raises(errors.Error) as refused:
            await forge.open(DRAFT)
    shown = catalogue.fault(refused.value)
    assert TOKEN not in shown
    assert len(shown) < 2000
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert not [line for line in shown.splitlines() if line.lstrip().startswith("::")]


HOSTILE = [
    "/merge",
    "/approve\n/assign @eve",
    "Closes #1",
    "@everyone",
    "[x](javascript:alert(1))",
    "<script>alert(1)</script>",
    "```\n/merge\n```",
    "![x](https://evil.example/pixel.png)",
    "\x1b[2J\u202e",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_commits_words_are_no_command_in_a_merge_request(text: str) -> None:
    """GitLab takes a line that begins with a slash for a command, and carries it out as whoever has written it."""
    member = promotions.Member(text, HEAD, text, text, (), {})
    promotion = promotions.Promotion(
        "dev",
        "staging",
        promotions.ProvenSet("a1b2", "dev", HEAD, (member,)),
        "0" * 40,
        HEAD,
        "hanbae/dev-to-staging",
        "release",
        (images.ImageSet(text, "staging", text, text, text, "", True),),
        (promotions.Commit(HEAD, text, text),),
        0,
        previews.Comparison("0" * 40, HEAD, ()),
        (promotions.Migration(text, text, text, (text,), (text,)),),
    )
    spoken = promotion_markdown.words(promotion)
    for document in (spoken.body, spoken.comment):
        lines = document.splitlines()
        assert not [line for line in lines if line.lstrip().startswith("/")]
        assert "<script" not in document
        shown = markdown_it.MarkdownIt("commonmark").render(document)
        assert "<img" not in shown
        assert 'href="javascript' not in shown
        assert "@e" not in document
        assert " #1" not in document
        assert "\x1b" not in document
        assert "\u202e" not in document
    assert len(spoken.title.splitlines()) == 1
    assert escaping.plain(spoken.title) == spoken.title
