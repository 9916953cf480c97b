"""Receivers are told by a signed webhook or through Apprise; whoever does not answer delays nobody."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
from tests.support import ports, records
from tests.support.webhooks import KEY, receiving

from hanbae import errors, subjects, wording
from hanbae.notifying import addresses, senders, webhooks
from hanbae.policy import receivers
from hanbae.results import events, notices, plans

HOOK = subjects.Ref("Job", "services", "auth-migrate")


def told_of(*facts: events.Fact) -> list[notices.Notice]:
    """The notices that a deployment with these facts makes."""
    course = notices.Course()
    changed = (course.take(event) for event in records.stream(facts))
    return [notice for notice in changed if notice is not None]


def opened() -> events.Opened:
    step = plans.Step("prove", plans.Prove("auth_db", (1, 2), HOOK, {}))
    plan = plans.Plan(format=1, service="auth", environment="production", steps=(step,))
    return events.Opened(plan=plan, by="ann", revision="5" * 40)


WHOLE = [
    opened(),
    events.Observed(subjects.Ref("Pod", "services", "auth-api-x"), "Running"),
    events.Observed(subjects.Ref("Pod", "services", "auth-migrate-x2v8q"), "Running"),
    events.Observed(HOOK, "Succeeded"),
    events.Proved("auth_db", 2, 2, (2,), ("00002_more.sql",)),
    records.closed(),
]


def words(notice: notices.Notice) -> tuple[str, str]:
    return f"{notice.service} {notice.state}", notice.outcome


def of(
    *wishes: receivers.Receiver, sent: senders.Sent | None = None, **variables: str
) -> senders.Senders:
    return senders.Senders(wishes, variables, words, sent)


def test_a_deployment_has_one_notice_that_changes() -> None:
    changes = told_of(*WHOLE)
    assert [(notice.state, notice.number) for notice in changes] == [
        ("begun", 1),
        ("migrating", 2),
        ("ended", 3),
    ]
    assert changes[-1].outcome == "succeeded"
    assert changes[-1].migrations == ("auth_db: 00002_more.sql",)
    assert {notice.deployment for notice in changes} == {"d1"}


def test_a_pod_of_a_job_whose_name_begins_alike_is_no_migration() -> None:
    other = events.Observed(subjects.Ref("Pod", "services", "auth-migrate-report-x2v8q"), "Running")
    assert [notice.state for notice in told_of(opened(), other)] == ["begun"]


def test_a_rollback_says_what_it_takes_back() -> None:
    proof = plans.Prove("auth_db", (1, 2), HOOK, {})
    back = plans.Step("back", plans.TakeBack(proof, 1, 2, "6" * 40))
    plan = plans.Plan(1, "auth", "production", (back, plans.Step("prove", proof, ("back",))))
    facts = [
        events.Opened(plan=plan, by="ann", revision="5" * 40),
        events.Intended("d1.back"),
        events.TakenBack("auth_db", 1, (2,), ("00002_more.sql",)),
        events.Intended("d1.prove"),
        records.closed(),
    ]
    course, steps = notices.Course(), {2: "back", 3: "back", 4: "prove"}
    changed = [
        course.take(msgspec.structs.replace(event, step=steps.get(event.seq)))
        for event in records.stream(facts)
    ]
    changes = [notice for notice in changed if notice is not None]
    assert [notice.state for notice in changes] == ["begun", "migrating", "ended"]
    assert changes[-1].taken_back == ("auth_db: 00002_more.sql",)


def test_a_webhook_is_taken_by_who_knows_the_key_and_by_nobody_else() -> None:
    with receiving() as (url, posts):
        sending = of(
            receivers.Receiver("audit-log"),
            HANBAE_NOTIFY_AUDIT_LOG=url,
            HANBAE_NOTIFY_AUDIT_LOG_KEY=KEY,
        )
        for notice in told_of(*WHOLE):
            sending.tell(notice)
        assert sending.close() == []
    assert [headers["webhook-id"] for headers, _ in posts.taken] == ["d1-1", "d1-2", "d1-3"]
    for headers, body in posts.taken:
        assert Webhook(KEY).verify(body, headers) == json.loads(body)
        with pytest.raises(WebhookVerificationError):
            Webhook(KEY).verify(body.replace(b"auth", b"audi"), headers)
        with pytest.raises(WebhookVerificationError):
            Webhook("whsec_" + base64.b64encode(b"x" * 32).decode()).verify(body, headers)
    last = json.loads(posts.taken[-1][1])
    assert last["type"] == "deployment.ended"
    assert last["data"]["outcome"] == "succeeded"
    assert last["text"] == "auth ended\nsucceeded"


def test_a_receiver_that_never_answers_delays_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(senders, "PATIENCE", 2.0)  # for the quick one's last answer, too
    with receiving() as (slow, hanging), receiving() as (quick, posts):
        hanging.answers.clear()
        sending = of(
            receivers.Receiver("slow"),
            receivers.Receiver("quick"),
            HANBAE_NOTIFY_SLOW=slow,
            HANBAE_NOTIFY_SLOW_KEY=KEY,
            HANBAE_NOTIFY_QUICK=quick,
            HANBAE_NOTIFY_QUICK_KEY=KEY,
        )
        for notice in told_of(*WHOLE):
            sending.tell(notice)  # returns although nobody has answered
        for _ in range(3):
            assert posts.arrived.acquire(timeout=30)
        assert hanging.arrived.acquire(timeout=30)
        faults = sending.close()
    assert [fault.facts["receiver"] for fault in faults] == ["slow"]


@pytest.mark.parametrize(("status", "why"), [(500, "HTTP 500"), (302, "HTTP 302")])
def test_what_is_not_taken_is_tried_again_and_named_without_its_address(
    status: int, why: str
) -> None:
    with receiving() as (url, posts):
        posts.answer = status
        sending = of(
            receivers.Receiver("audit"), HANBAE_NOTIFY_AUDIT=url, HANBAE_NOTIFY_AUDIT_KEY=KEY
        )
        sending.tell(told_of(opened())[0])
        (fault,) = sending.close()
    assert fault == wording.Text("notify.not-told", {"receiver": "audit", "why": why})
    assert len(posts.taken) == 2
    assert {headers["webhook-id"] for headers, _ in posts.taken} == {"d1-1"}


def test_only_the_environments_that_concern_a_receiver_are_told() -> None:
    with receiving() as (url, posts):
        sending = of(
            receivers.Receiver("audit", environments=("dev",)),
            HANBAE_NOTIFY_AUDIT=url,
            HANBAE_NOTIFY_AUDIT_KEY=KEY,
        )
        for notice in told_of(*WHOLE):
            sending.tell(notice)
        assert sending.close() == []
    assert posts.taken == []


class Mailbox:
    """Keeps what a mail server is given."""

    def __init__(self) -> None:
        self.letters: list[Any] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        assert isinstance(envelope.content, bytes)
        self.letters.append(message_from_bytes(envelope.content, policy=policy.default))
        return "250 OK"


def test_through_apprise_a_deployment_is_one_letter_when_it_has_ended() -> None:
    mailbox = Mailbox()
    port = ports.reserve()
    server = Controller(mailbox, hostname="127.0.0.1", port=port)
    server.start()
    try:
        url = f"mailto://127.0.0.1:{port}?from=hanbae@example.com&to=team@example.com&mode=insecure"
        sending = of(receivers.Receiver("team", via="apprise"), HANBAE_NOTIFY_TEAM=url)
        assert sending.faults == []
        for notice in told_of(*WHOLE):
            sending.tell(notice)
        assert sending.close() == []
    finally:
        server.stop()
    (letter,) = mailbox.letters
    assert letter["subject"] == "auth ended"
    assert letter["to"] == "team@example.com"


def test_what_apprise_does_not_deliver_is_named_without_its_address(
    capfd: pytest.CaptureFixture[str],
) -> None:
    sending = of(
        receivers.Receiver("team", via="apprise"),
        HANBAE_NOTIFY_TEAM="jsons://user:s3cret@127.0.0.1:1/?verify=no",
    )
    sending.tell(told_of(*WHOLE)[-1])
    (fault,) = sending.close()
    assert fault.facts == {"receiver": "team", "why": "Undelivered"}
    assert "s3cret" not in "".join(capfd.readouterr())


def test_a_receiver_without_an_address_on_this_machine_is_not_told_and_is_no_fault() -> None:
    sending = of(receivers.Receiver("audit"), receivers.Receiver("team", via="apprise"))
    assert sending.is_empty
    assert sending.faults == []


@pytest.mark.parametrize(
    ("url", "key", "text"),
    [
        ("http://hooks.example.com/s3cret", KEY, "notify.bad-url"),
        ("ftp://hooks.example.com/s3cret", KEY, "notify.bad-url"),
        ("https:///s3cret", KEY, "notify.bad-url"),
        ("https://[s3cret", KEY, "notify.bad-url"),
        ("https://hooks.example.com/", "", "notify.bad-key"),
        ("https://hooks.example.com/", "whsec_s3cret", "notify.bad-key"),
    ],
)
def test_what_is_wrong_with_an_address_is_said_without_it(url: str, key: str, text: str) -> None:
    sending = of(receivers.Receiver("audit"), HANBAE_NOTIFY_AUDIT=url, HANBAE_NOTIFY_AUDIT_KEY=key)
    assert sending.is_empty
    (fault,) = sending.faults
    assert fault == wording.Text(text, {"receiver": "audit"})


def give_in_a_file(folder: Path) -> dict[str, str]:
    (folder / "..data").write_text("https://hooks.example.com/x\n")
    (folder / "url").symlink_to("..data")  # as Kubernetes mounts one
    return {"HANBAE_NOTIFY_TEAM_CHAT_FILE": str(folder / "url")}


def give_in_a_variable(folder: Path) -> dict[str, str]:
    return {"HANBAE_NOTIFY_TEAM_CHAT": " https://hooks.example.com/x "}


@pytest.mark.parametrize("give", [give_in_a_file, give_in_a_variable])
def test_an_address_is_in_a_variable_or_a_file(
    tmp_path: Path, give: Callable[[Path], dict[str, str]]
) -> None:
    assert addresses.value("team-chat", give(tmp_path)) == "https://hooks.example.com/x"


def test_a_file_without_an_address_is_named(tmp_path: Path) -> None:
    variables = {"HANBAE_NOTIFY_TEAM_FILE": str(tmp_path / "absent")}
    with pytest.raises(errors.FileFault, match=r"notify\.no-content"):
        addresses.value("team", variables)


def test_an_address_is_never_read_from_a_variable_that_a_branch_could_choose() -> None:
    """Names are of letters, digits and hyphens, and all begin with the same word."""
    assert addresses.variable("a-b", "KEY") == "HANBAE_NOTIFY_A_B_KEY"


def test_a_signature_is_that_of_the_specification() -> None:
    """The example of https://github.com/standard-webhooks/standard-webhooks."""
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    signed = webhooks.headers("msg_p5jXN8AQM9LWM0D4loKWxJek", body, key, moment=1614265330)
    expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert signed["webhook-signature"] == expected
