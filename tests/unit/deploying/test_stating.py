"""What people say of items: for which commit and until when it holds, and what it makes of what gates say."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from hanbae.deploying import stating
from hanbae.gates import deciding, verdicts
from hanbae.policy import documents
from hanbae.results import checklists

NOW = datetime(2026, 12, 24, 23, 59, tzinfo=UTC)
HEAD, OLD = "a" * 40, "b" * 40
POLICY = documents.Policy(
    version=1,
    argocd=documents.ArgoCD("https://git.example.com/shop.git"),
    environments={"dev": documents.Environment(branch="develop")},
    checklists=documents.Checklists(
        after=(documents.Item("api-tested", ""), documents.Item("load-tested", "Load is tested."))
    ),
)


def statement(item: str, outcome: str, **fields: str) -> checklists.Statement:
    fields_of = {
        "item": item,
        "outcome": outcome,
        "by": "ann",
        "identity": "cluster",
        "at": "",
        **fields,
    }
    return msgspec.convert(fields_of, checklists.Statement)


def marks(*statements: checklists.Statement) -> dict[str, str]:
    return {stating.MARK: msgspec.json.encode(statements).decode()}


@pytest.mark.parametrize(
    ("fields", "holds"),
    [
        ({"revision": HEAD}, True),
        ({"revision": OLD}, False),
        ({"until": "2026-12-24"}, True),
        ({"until": "2026-12-23"}, False),
        ({"until": "2026-12-24", "revision": OLD}, False),
    ],
)
def test_a_statement_holds_for_its_commit_and_up_to_its_last_day(
    fields: dict[str, str], holds: bool
) -> None:
    stored = marks(statement("api-tested", "waived", why="maintenance", **fields))
    assert bool(stating.holding(stored, HEAD, NOW)) is holds


@pytest.mark.parametrize("text", ["", "{", "{}", '[{"item": 1}]', "[" * 10_000])
def test_what_cannot_be_read_says_nothing(text: str) -> None:
    assert stating.of({stating.MARK: text}) == ()


def outcomes(
    verdict: verdicts.Verdict, *statements: checklists.Statement
) -> dict[str, checklists.Decision]:
    checked = deciding.checked(POLICY, "after", {"api-tested": verdict}, statements)
    return {decision.item: decision for decision in checked.decisions}


FAILED = verdicts.failed("gate.endpoint-wrong", endpoint="/", expected="200", status="500", body="")


def test_who_waives_what_failed_is_recorded_with_what_was_seen() -> None:
    words = statement("api-tested", "waived", why="maintenance", until="2026-12-31")
    decision = outcomes(FAILED, words)["api-tested"]
    assert (decision.outcome, decision.by, decision.why) == ("waived", "ann", "maintenance")
    assert (decision.until, decision.identity) == ("2026-12-31", "cluster")
    assert [text.id for text in decision.evidence] == ["gate.endpoint-wrong"]


def test_what_passes_needs_no_waiver() -> None:
    words = statement("api-tested", "waived", why="maintenance")
    assert outcomes(verdicts.passed("gate.no-workloads"), words)["api-tested"].outcome == "passed"


def test_nobody_attests_what_a_gate_decides() -> None:
    words = statement("api-tested", "attested")
    assert outcomes(FAILED, words)["api-tested"].outcome == "failed"


def test_a_persons_item_is_attested_or_undecided() -> None:
    assert outcomes(FAILED)["load-tested"].outcome == "undecided"
    words = statement("load-tested", "attested", why="500 requests/s")
    decision = outcomes(FAILED, words)["load-tested"]
    assert (decision.outcome, decision.by, decision.evidence) == ("attested", "ann", ())
