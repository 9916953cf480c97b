"""What the policy freezes is refused with its end and its place, unless somebody waives it, which the record keeps."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from hanbae import errors, subjects
from hanbae.cli.reports import checklist_items
from hanbae.cli.text import catalogue
from hanbae.deploying import orders, permitting
from hanbae.policy import documents
from hanbae.results import checklists, plans

PLAN = plans.Plan(1, "auth", "production", (plans.Step("sync", plans.Sync("auth", "a" * 40)),))
FROZEN = datetime(2026, 12, 24, 9, 30, tzinfo=UTC)
BEFORE = datetime(2026, 12, 23, 9, 30, tzinfo=UTC)
POLICY = documents.Policy(
    version=1,
    argocd=documents.ArgoCD("https://git.example.com/shop.git"),
    environments={"production": documents.Environment(branch="main")},
    freezes=(
        documents.Freeze("year-end", "The books are closed", first="2026-12-24", last="2027-01-01"),
    ),
)


def space(now: datetime) -> Any:
    loaded = SimpleNamespace(place=lambda key: subjects.Place(f"hanbae.yaml {key}"))
    return SimpleNamespace(policy=POLICY, clock=lambda: now, loaded=loaded)


def waived(now: datetime, reason: str = "") -> tuple[checklists.Decision, ...]:
    return permitting.waived(space(now), "production", reason=reason, by="ann", identity="cluster")


def order(now: datetime, decisions: tuple[checklists.Decision, ...] = ()) -> orders.Order:
    before = checklists.Checked("before", decisions)
    return orders.Order(space(now), PLAN, "d1", "ann", before=before)


def test_a_frozen_environment_is_refused_with_its_end_and_its_place() -> None:
    with pytest.raises(errors.Refused) as refused:
        waived(FROZEN)
    assert refused.value.exit_code == 5
    assert refused.value.text.facts["until"] == "2027-01-02 00:00 UTC"
    assert str(refused.value.place) == "hanbae.yaml freezes[0]"


def test_who_waives_it_is_recorded_with_the_reason_and_the_end() -> None:
    (decision,) = waived(FROZEN, "CVE-2026-1234")
    assert (decision.outcome, decision.by, decision.why) == ("waived", "ann", "CVE-2026-1234")
    assert decision.until == "2027-01-02 00:00 UTC"
    catalogue.speak("en")
    checked = checklists.Checked("before", (decision,))
    checklist = checklists.Checklist("auth", "production", "a" * 40, (checked,))
    shown = "\n".join(line.words for line in checklist_items.lines(checklist))
    for words in (
        "The environment is not frozen",
        "waived",
        "as the cluster knows them",
        "CVE-2026-1234",
    ):
        assert words in shown


def test_a_reason_without_a_freeze_waives_nothing() -> None:
    assert waived(BEFORE, "to be sure") == ()


def test_a_freeze_that_begins_after_the_preparation_is_refused_all_the_same() -> None:
    permitting.keep(order(BEFORE), {})
    permitting.keep(order(FROZEN, waived(FROZEN, "CVE-2026-1234")), {})
    with pytest.raises(errors.Refused) as refused:
        permitting.keep(order(FROZEN), {})
    assert refused.value.text.id == "freeze.refused"


def test_a_hold_that_is_set_after_the_preparation_is_refused_whatever_is_waived() -> None:
    with pytest.raises(errors.Refused) as refused:
        permitting.keep(order(FROZEN, waived(FROZEN, "CVE-2026-1234")), {"holds": "?"})
    assert refused.value.text.id == "hold.refused"
