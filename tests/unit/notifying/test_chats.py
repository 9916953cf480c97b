"""Slack and Discord have one message for each deployment, edited as it goes on, by their published descriptions."""

from __future__ import annotations

import json
import threading
from typing import Any

import httpx2
import pytest
from tests.support import published
from tests.unit.notifying.test_senders import WHOLE, of, told_of

from hanbae import wording
from hanbae.notifying import posting, senders, slack
from hanbae.policy import receivers
from hanbae.results import notices

POST = "POST /chat.postMessage"
UPDATE = "POST /chat.update"
EXECUTE = "POST /webhooks/{webhook_id}/{webhook_token}"
EDIT = "PATCH /webhooks/{webhook_id}/{webhook_token}/messages/{message_id}"
CHANNEL = "C1H9RESGL"
TOKEN = "xoxb-s3cret-s3cret"
HOOK = "https://discord.com/api/webhooks/123/s3cret-token"
SLACK = receivers.Receiver("team", via="slack")
DISCORD = receivers.Receiver("team", via="discord")
NAMES = {"slack": [POST, UPDATE], "discord": [EXECUTE, EDIT]}
HOSTILE = "<!channel> @everyone [x](https://evil.example) <@U1> `**_~|>"


@pytest.fixture(params=["slack", "discord"])
def via(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def described(via: str, monkeypatch: pytest.MonkeyPatch) -> published.Described:
    base = {"slack": "/api", "discord": "/api/v10"}[via]
    service = published.Described.read(via, base, kind="chats")
    monkeypatch.setattr(posting, "client", service.client)
    monkeypatch.setattr(senders, "_AGAIN", 0.0)
    return service


def telling(via: str, *, sent: senders.Sent | None = None, **more: str) -> senders.Senders:
    if via == "slack":
        own = {"HANBAE_NOTIFY_TEAM": CHANNEL, "HANBAE_NOTIFY_TEAM_TOKEN": TOKEN}
        return of(SLACK, sent=sent, **own | more)
    return of(DISCORD, sent=sent, **{"HANBAE_NOTIFY_TEAM": HOOK} | more)


def tell_each(
    sending: senders.Senders, described: published.Described, changes: list[notices.Notice]
) -> None:
    """Tell one after the other, each when the one before has arrived."""
    for number, notice in enumerate(changes, 1):
        sending.tell(notice)
        until(lambda number=number: len(described.requests) >= number)  # type: ignore[misc]


def until(condition: Any) -> None:
    waiting = threading.Event()
    for _ in range(3000):
        if condition():
            return
        waiting.wait(0.01)
    pytest.fail("it did not become so")


def test_a_deployment_is_one_message_that_is_edited(
    via: str, described: published.Described
) -> None:
    sending = telling(via)
    assert sending.faults == []
    tell_each(sending, described, told_of(*WHOLE))
    assert sending.close() == []
    first, second = NAMES[via]
    assert [name for name, _ in described.requests] == [first, second, second]
    last = json.dumps(described.requests[-1][1])
    assert "ended" in last
    assert "succeeded" in last
    if via == "slack":
        assert {body["ts"] for name, body in described.requests if name == UPDATE} == {
            described.operations[POST]["answer"]["ts"]
        }
        assert {head["authorization"] for head in described.heads} == {f"Bearer {TOKEN}"}
        assert TOKEN not in json.dumps(described.requests)


def test_a_message_of_another_process_is_edited_by_whoever_goes_on(
    via: str, described: published.Described
) -> None:
    changes = told_of(*WHOLE)
    places: list[tuple[str, str, str]] = []
    before = telling(via, sent=lambda *place: places.append(place))
    tell_each(before, described, changes[:2])
    before.close()
    assert [place[:2] for place in places] == [("d1", "team")], "it is said once"
    after = telling(via, sent=lambda *place: places.append(place))
    after.take(*places[0])
    after.tell(changes[2])
    assert after.close() == []
    first, second = NAMES[via]
    assert [name for name, _ in described.requests] == [first, second, second]
    assert len(places) == 1, "and not by whoever goes on"


@pytest.mark.parametrize(
    "message", ["", "x", "../1", "17/1", f"{CHANNEL}/1/../2", "C2/1700000000.000100"]
)
def test_what_is_no_message_of_the_channels_is_not_edited(
    via: str, described: published.Described, message: str
) -> None:
    """Whoever may write to the history may have written it."""
    sending = telling(via)
    sending.take("d1", "team", message)
    sending.take("d1", "another", "17")
    sending.tell(told_of(*WHOLE)[2])
    assert sending.close() == []
    assert [name for name, _ in described.requests] == [NAMES[via][0]]


def test_a_message_of_another_deployment_is_not_edited(
    via: str, described: published.Described
) -> None:
    """Whoever may write to the history knows where messages are, and would have one overwritten."""
    changes = told_of(*WHOLE)
    places: list[str] = []
    before = telling(via, sent=lambda *place: places.append(place[2]))
    tell_each(before, described, changes[:1])
    before.close()
    word = places[0].partition(" ")[0]
    after = telling(via)
    for deployment, message in (("d2", places[0]), ("d1", word), ("d1", f"{word} {'0' * 32}")):
        after.take(deployment, "team", message)
    others = [notices.structs.replace(changes[2], deployment="d2"), changes[2]]
    for notice in others:
        after.tell(notice)
    after.close()
    assert [name for name, _ in described.requests] == [NAMES[via][0]] * 3


def test_two_deployments_are_two_messages(via: str, described: published.Described) -> None:
    changes = told_of(*WHOLE)
    others = [notices.structs.replace(notice, deployment="d2") for notice in changes]
    sending = telling(via)
    tell_each(sending, described, [changes[0], others[0], changes[2], others[2]])
    sending.close()
    first, second = NAMES[via]
    assert [name for name, _ in described.requests] == [first, first, second, second]


def test_a_message_that_somebody_has_deleted_is_sent_anew(
    via: str, described: published.Described
) -> None:
    first, second = NAMES[via]
    gone = httpx2.Response(404, json={"code": 10008})
    described.answers[second] = (
        {"ok": False, "error": "message_not_found"} if via == "slack" else gone
    )
    changes = told_of(*WHOLE)
    sending = telling(via)
    sending.tell(changes[0])
    until(lambda: described.requests)
    sending.tell(changes[2])
    assert sending.close() == []
    assert [name for name, _ in described.requests] == [first, second, first]


def test_what_waits_for_a_slow_receiver_is_said_once_as_it_is_in_the_end(
    via: str, described: published.Described, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = threading.Event()
    arrived = threading.Event()
    real = described._answer

    def slow(request: httpx2.Request) -> httpx2.Response:
        arrived.set()
        held.wait(30)
        return real(request)

    monkeypatch.setattr(described, "_answer", slow)
    sending = telling(via)
    begun, migrating, ended = told_of(*WHOLE)
    sending.tell(begun)
    assert arrived.wait(30)
    sending.tell(migrating)
    sending.tell(ended)
    held.set()
    assert sending.close() == []
    assert [name for name, _ in described.requests] == NAMES[via]
    assert "ended" in json.dumps(described.requests[-1][1])


def test_what_did_not_arrive_is_made_good_by_what_takes_its_place(
    via: str, described: published.Described
) -> None:
    first = NAMES[via][0]
    example = described.operations[first]["answer"]
    described.turns[first] = [httpx2.Response(500), httpx2.Response(500), example, example]
    changes = told_of(*WHOLE)
    sending = telling(via)
    sending.tell(changes[0])
    until(lambda: len(described.requests) == 2)
    sending.tell(changes[2])
    assert sending.close() == []
    assert [name for name, _ in described.requests] == [first] * 3


def test_a_deployment_that_was_not_told_of_is_not_made_good_by_another_one(
    via: str, described: published.Described
) -> None:
    first = NAMES[via][0]
    example = described.operations[first]["answer"]
    described.turns[first] = [httpx2.Response(500), httpx2.Response(500), example]
    ended = told_of(*WHOLE)[2]
    sending = telling(via)
    sending.tell(ended)
    until(lambda: len(described.requests) == 2)
    sending.tell(notices.structs.replace(ended, deployment="d2"))
    (fault,) = sending.close()
    assert fault.facts["why"] == "HTTP 500"


def test_nobody_is_mentioned_and_nothing_is_obeyed_in_the_words_of_strangers(
    via: str, described: published.Described
) -> None:
    variables = (
        {"HANBAE_NOTIFY_TEAM": CHANNEL, "HANBAE_NOTIFY_TEAM_TOKEN": TOKEN}
        if via == "slack"
        else {"HANBAE_NOTIFY_TEAM": HOOK}
    )
    receiver = SLACK if via == "slack" else DISCORD
    sending = senders.Senders([receiver], variables, lambda _: (HOSTILE * 20, HOSTILE * 200))
    sending.tell(told_of(*WHOLE)[-1])
    assert sending.close() == []
    ((_, body),) = described.requests
    if via == "discord":
        assert body["allowed_mentions"] == {"parse": []}
        assert body["content"].startswith("**\\<\\!channel\\> \\@everyone \\[x\\]\\(https\\:\\/\\/")
        assert len(body["content"]) <= 2000
        return
    assert "<" not in body["text"]
    assert (body["parse"], body["link_names"]) == ("none", "false")
    blocks = json.loads(body["blocks"])
    assert {block["text"]["type"] for block in blocks} == {"plain_text"}
    assert [len(block["text"]["text"]) for block in blocks] == [150, 3000]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"ok": False, "error": "not_in_channel"}, "not_in_channel"),
        ({"ok": False, "error": "\x1b[2J::error::"}, "?"),
        ({"ok": False, "error": "x" * 5000}, "?"),
        (httpx2.Response(200, content=b"<html>"), "Nonsense"),
        (httpx2.Response(200, content=b" " * (1 << 21)), "Nonsense"),
        (httpx2.Response(200, content=b"[" * 100_000), "Nonsense"),
        (httpx2.Response(302, headers={"location": "https://evil.example"}), "HTTP 302"),
        (httpx2.Response(500), "HTTP 500"),
    ],
)
@pytest.mark.parametrize("via", ["slack"])
def test_why_slack_did_not_take_it_is_said_in_its_own_code_alone(
    via: str, described: published.Described, answer: Any, why: str
) -> None:
    described.answers[POST] = answer
    sending = telling(via)
    sending.tell(told_of(*WHOLE)[-1])
    (fault,) = sending.close()
    assert fault == wording.Text("notify.not-told", {"receiver": "team", "why": why})
    assert len(described.requests) == 2


@pytest.mark.parametrize("ts", ["", "1.1"])
@pytest.mark.parametrize("via", ["slack"])
def test_where_a_message_is_slack_says(via: str, described: published.Described, ts: str) -> None:
    """What is sent to a channel's name is edited by its id; without a place to edit, it is sent again."""
    described.answers[POST] = {"ok": True, "channel": "C9", "ts": ts}
    sending = telling(via, HANBAE_NOTIFY_TEAM="#deployments")
    tell_each(sending, described, told_of(*WHOLE)[:2])
    sending.close()
    name, body = described.requests[-1]
    assert (name, body["channel"]) == ((UPDATE, "C9") if ts else (POST, "#deployments"))


@pytest.mark.parametrize(
    ("seconds", "pause"),
    [("0.01", 0.01), ("86400", 3.0), ("nan", 0.0), ("-1", 0.0), ("1e9", 0.0), ("", 0.0)],
)
@pytest.mark.parametrize("via", ["discord"])
def test_a_service_that_is_told_too_much_is_left_alone_as_long_as_it_wants_within_reason(
    via: str,
    described: published.Described,
    monkeypatch: pytest.MonkeyPatch,
    seconds: str,
    pause: float,
) -> None:
    monkeypatch.setattr(senders, "PATIENCE", 3.0)
    limited = httpx2.Response(429, headers={"retry-after": seconds})
    error = httpx2.HTTPStatusError("", request=httpx2.Request("POST", HOOK), response=limited)
    assert senders._pause(error) == pause


@pytest.mark.parametrize(
    "url",
    [
        "http://discord.com/api/webhooks/1/x",
        "https://discord.com.evil.example/api/webhooks/1/x",
        "https://discord.com@evil.example/api/webhooks/1/x",
        "https://user@discord.com/api/webhooks/1/x",
        "https://discord.com:444/api/webhooks/1/x",
        "https://discord.com/api/webhooks/1/x/../../../users/@me",
        "https://discord.com/api/webhooks/1/x%2f..",
        "https://discord.com/api/webhooks/1/x?thread_id=1&thread_id=../x",
        "https://discord.com/api/webhooks/1/x?wait=false",
        "https://discord.com/api/webhooks/1/",
        "https://[discord.com/api/webhooks/1/x",
        "discord://1/x",
    ],
)
def test_an_address_that_is_not_discords_is_refused_without_being_repeated(url: str) -> None:
    sending = of(DISCORD, HANBAE_NOTIFY_TEAM=url)
    assert sending.is_empty
    assert sending.faults == [wording.Text("notify.bad-url", {"receiver": "team"})]


def test_a_thread_of_a_channel_is_written_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    urls: list[str] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        urls.append(str(request.url))
        return httpx2.Response(200, json={"id": "17"})

    client = lambda: httpx2.Client(transport=httpx2.MockTransport(answer))  # noqa: E731
    monkeypatch.setattr(posting, "client", client)
    sending = of(DISCORD, HANBAE_NOTIFY_TEAM=f"{HOOK}?thread_id=42")
    for notice in told_of(*WHOLE)[:1]:
        sending.tell(notice)
    sending.close()
    assert urls == ["https://discord.com/api/v10/webhooks/123/s3cret-token?wait=true&thread_id=42"]


@pytest.mark.parametrize(
    ("channel", "token", "text"),
    [
        ("C1 C2", TOKEN, "notify.bad-channel"),
        ("https://hooks.slack.com/services/s3cret", TOKEN, "notify.bad-channel"),
        ("C1", "", "notify.bad-token"),
        ("C1", "xoxb-1\r\nhost: evil", "notify.bad-token"),
        ("C1", "xoxb-한글한글한글", "notify.bad-token"),
    ],
)
def test_what_is_wrong_with_a_channel_or_a_token_is_said_without_them(
    channel: str, token: str, text: str
) -> None:
    sending = of(SLACK, HANBAE_NOTIFY_TEAM=channel, HANBAE_NOTIFY_TEAM_TOKEN=token)
    assert sending.is_empty
    assert sending.faults == [wording.Text(text, {"receiver": "team"})]


def test_the_codes_by_which_a_message_is_gone_are_slacks_own() -> None:
    described = published.Described.read("slack", "/api", kind="chats")
    assert set(described.operations[UPDATE]["errors"]) >= slack._GONE
