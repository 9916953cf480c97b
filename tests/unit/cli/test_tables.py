"""The table of deployments: how their checklists have ended, where there is room for it."""

from __future__ import annotations

import pytest

from hanbae.cli.text import catalogue, tables
from hanbae.results import checklists, deployments


@pytest.fixture(autouse=True)
def english() -> None:
    catalogue.speak("en")


def deployment(*outcomes: checklists.Outcome) -> deployments.Deployment:
    decisions = tuple(
        checklists.Decision(f"item-{n}", "", "person", o) for n, o in enumerate(outcomes)
    )
    checked = (
        checklists.Checked("before", decisions[:1]),
        checklists.Checked("after", decisions[1:]),
    )
    return deployments.Deployment(
        "d1", "auth", "dev", "0" * 40, "succeeded", checklist=checked if outcomes else ()
    )


def test_outcomes_of_all_phases_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "110")
    row = deployment("passed", "undecided", "passed")
    assert "passed 2, undecided 1" in tables.deployed([row, deployment()])


def test_they_go_before_anything_is_folded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    drawn = tables.deployed([deployment("passed", "passed")])
    assert "passed" not in drawn
    assert "auth" in drawn
