"""The checklist within a deployment: recorded as it is decided, not twice, and an end where an item has failed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hanbae import wording
from hanbae.cli.text import event_lines
from hanbae.deploying import deciding_items, orders, recording
from hanbae.gates import deciding, targets, verdicts
from hanbae.history import stores
from hanbae.policy import documents
from hanbae.results import checklists, deployments, events, plans
from hanbae.streams import channels

MOMENT = datetime(2026, 11, 29, tzinfo=UTC)
POLICY = documents.Policy(
    version=1,
    argocd=documents.ArgoCD("https://git.example.com/shop.git"),
    environments={"dev": documents.Environment(branch="develop")},
)
PLAN = plans.Plan(1, "auth", "dev", (plans.Step("sync", plans.Sync("auth-dev", "a" * 40)),))


def checked(phase: checklists.Phase, outcome: checklists.Outcome) -> checklists.Checked:
    text = wording.Text(
        "gate.log-unclean", {"pod": "p", "container": "c", "lines": "1", "log": "hunter2"}
    )
    decision = checklists.Decision(
        "logs-clean", "", "logs-clean", outcome, (text,), ("kubectl", "logs", "hunter2")
    )
    return checklists.Checked(phase, (decision,))


class World:
    """A history with one deployment in it, and gates that say what a test wants."""

    def __init__(self, folder: Path) -> None:
        self.store = stores.in_a_file(folder / "history.db")
        self.store.append("d1", None, events.Opened(PLAN, "ann", "a" * 40), MOMENT)
        self.outcomes: dict[str, checklists.Outcome] = {"during": "passed", "after": "passed"}
        self.phases: list[str] = []

    async def decide(self, phase: checklists.Phase, _: targets.Target) -> checklists.Checked:
        self.phases.append(phase)
        return checked(phase, self.outcomes[phase])

    async def closed(self) -> events.Closed | None:
        channel: channels.Channel[events.Event] = channels.Channel()
        record = recording.Record(self.store, "d1", channel, lambda: MOMENT)
        record.redact = lambda text: text.replace("hunter2", "***")
        space: Any = SimpleNamespace(
            store=self.store,
            policy=POLICY,
            insecure=False,
            clock=lambda: MOMENT,
            checkout=SimpleNamespace(root=Path()),
            typed=lambda _, command: command,
        )
        source: Any = SimpleNamespace(policy=POLICY, service="auth", environment="dev")
        order = orders.Order(space, PLAN, "d1", "ann", source=source)
        clusters: Any = SimpleNamespace(workload=None)
        return await deciding_items.decide(order, clusters, record, {})


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    world = World(tmp_path)
    monkeypatch.setattr(deciding, "decide", world.decide)
    with world.store:
        yield world


async def test_what_passes_is_recorded_and_ends_nothing(world: World) -> None:
    assert await world.closed() is None
    folded = deployments.fold(world.store.events("d1"))
    assert [phase.phase for phase in folded.checklist] == ["during", "after"]


async def test_a_failed_item_ends_the_deployment_with_its_reason_and_command(world: World) -> None:
    world.outcomes["after"] = "failed"
    closed = await world.closed()
    assert closed is not None
    assert (closed.outcome, closed.why.id) == ("failed", "gate.log-unclean")
    assert closed.command[:2] == ("kubectl", "logs")
    recorded = world.store.events("d1")
    assert "hunter2" not in str(recorded), "evidence is masked like everything else"
    lines = [line for event in recorded[1:] for line in event_lines.lines(event)]
    assert [line.meaning for line in lines] == ["fail"]


async def test_what_nobody_can_decide_fails_nothing(world: World) -> None:
    world.outcomes["after"] = "undecided"
    assert await world.closed() is None


async def test_who_resumes_does_not_decide_again_what_is_recorded(world: World) -> None:
    world.outcomes["during"] = "failed"
    first = await world.closed()
    assert world.phases == ["during", "after"]
    second = await world.closed()
    assert world.phases == ["during", "after"]
    assert first is not None
    assert second is not None
    assert second.why.id == first.why.id
    assert len(world.store.events("d1")) == 3


async def test_what_only_the_rollout_could_tell_is_decided_after_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    unasked = wording.Text("gate.secret-unverified", {"secret": "auth-secrets"})
    before = checklists.Checked(
        "before",
        (
            checklists.Decision("image-pushed", "", "image-pushed", "undecided"),
            checklists.Decision("secrets-sealed", "", "secrets-sealed", "undecided", (unasked,)),
        ),
    )
    world.store.append("d1", None, events.Decided(before), MOMENT)
    opened = verdicts.passed("gate.secret-opened", secret="auth-secrets")
    answers = [verdicts.pending("gate.secret-unverified", secret="auth-secrets"), opened, opened]
    checks_of_calls = []

    async def verdicts_of(checks: Iterable[str], _: targets.Target) -> dict[str, verdicts.Verdict]:
        checks_of_calls.append(set(checks))
        return {check: answers.pop(0) for check in checks_of_calls[-1]}

    monkeypatch.setattr(deciding, "verdicts_of", verdicts_of)
    for outcome in ("undecided", "passed", "passed"):
        assert await world.closed() is None
        phases = {
            phase.phase: phase for phase in deployments.fold(world.store.events("d1")).checklist
        }
        image, sealed = phases["before"].decisions
        assert (image.outcome, sealed.outcome) == ("undecided", outcome)
    assert [text.id for text in sealed.evidence] == ["gate.secret-opened"]
    assert checks_of_calls == [{"secrets-sealed"}, {"secrets-sealed"}, set()]


async def test_what_the_rollout_tells_to_be_wrong_fails_the_deployment(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed = checklists.Decision("secrets-sealed", "", "secrets-sealed", "undecided")
    before = checklists.Checked("before", (sealed,))
    world.store.append("d1", None, events.Decided(before), MOMENT)

    async def verdicts_of(*_: object) -> dict[str, verdicts.Verdict]:
        return {"secrets-sealed": verdicts.failed("gate.secret-not-opened", secret="auth-secrets")}

    monkeypatch.setattr(deciding, "verdicts_of", verdicts_of)
    for _ in ("first", "resumed"):
        closed = await world.closed()
        assert closed is not None
        assert (closed.outcome, closed.why.id) == ("failed", "gate.secret-not-opened")
