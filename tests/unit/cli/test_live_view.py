"""The live table of many services: it leaves half of the terminal to the lines above it, and folds what has ended."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pytest
from rich import cells
from tests.support import records

from hanbae import wording
from hanbae.cli.text import catalogue, live_view, run_summary
from hanbae.results import deployments, events

SERVICES = [f"service-{index:02d}" for index in range(30)]


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGUAGE", "en")
    catalogue.speak("en")


@pytest.fixture(params=["en", "ko"])
def language(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, english: None) -> str:
    monkeypatch.setenv("LANGUAGE", request.param)
    catalogue.speak(request.param)
    return str(request.param)


class Screen:
    """A terminal of a size, and the table as it is drawn there."""

    def __init__(self, *, width: int, height: int, total: int = len(SERVICES)) -> None:
        self.seconds = 0.0
        self.width = width
        self.view = live_view.View(
            io.StringIO(),
            color=False,
            width=width,
            height=height,
            total=total,
            clock=lambda: self.seconds,
        )

    def begin(self, services: Sequence[str]) -> None:
        for service in services:
            self.seconds += 1
            self._event(service, records.opened(service, "staging"))

    def end(self, services: Sequence[str], outcome: str = "succeeded") -> None:
        for service in services:
            self.seconds += 1
            self._event(service, records.closed(outcome))

    def _event(self, service: str, fact: events.Fact) -> None:
        self.view.event(records.stream([fact], deployment=service)[0])

    @property
    def lines(self) -> list[str]:
        with self.view._console.capture() as captured:
            self.view._console.print(self.view.table())
        return captured.get().splitlines()

    @property
    def services(self) -> list[str]:
        drawn = self.lines
        return [name for name in SERVICES if any(f" {name} " in line for line in drawn)]


@pytest.mark.parametrize(("height", "most"), [(24, 12), (40, 20), (10, 5), (3, 4)])
@pytest.mark.parametrize("width", [60, 80, 120])
def test_thirty_services_leave_half_of_the_terminal(
    language: str, width: int, height: int, most: int
) -> None:
    screen = Screen(width=width, height=height)
    screen.begin(SERVICES[:28])
    screen.end(SERVICES[:20])
    screen.end(SERVICES[20:22], "failed")
    assert len(screen.services) == most
    running, failed = SERVICES[22:28], SERVICES[20:22]
    assert set(screen.services) >= set((running + failed)[:most])
    assert max(map(cells.cell_len, screen.lines)) <= width
    counts = screen.lines[-1]
    for count, outcome in ((20, "succeeded"), (2, "failed"), (6, "running"), (2, "waiting")):
        facts = {"count": str(count), "outcome": catalogue.words(f"deploy.outcome-{outcome}")}
        assert catalogue.sentence(wording.Text("deploy.tally", facts)) in counts, language


def test_what_ended_last_has_the_room_that_is_left() -> None:
    screen = Screen(width=80, height=24, total=20)
    screen.begin(SERVICES[:20])
    screen.end(SERVICES[:20])
    assert screen.services == SERVICES[8:20]


def test_rows_that_fit_are_shown_as_before_without_a_count() -> None:
    screen = Screen(width=80, height=24, total=3)
    screen.begin(SERVICES[:3])
    screen.end(SERVICES[:1])
    assert screen.services == SERVICES[:3]
    assert "succeeded" in screen.lines[1]
    assert not any("·" in line for line in screen.lines)


def test_services_that_wait_are_counted_although_all_rows_fit() -> None:
    screen = Screen(width=80, height=40, total=6)
    screen.begin(SERVICES[:4])
    assert screen.services == SERVICES[:4]
    assert screen.lines[-1].strip() == "4 running · 2 waiting"


class Opening(live_view.Row):
    """A row during whose drawing another deployment is opened, as the loop that drives the run may do."""

    screen: Screen

    def __getattribute__(self, name: str) -> object:
        if name == "outcome":
            self.screen.begin(["late"])
        return super().__getattribute__(name)


def test_deployment_that_is_opened_while_the_rows_are_counted_breaks_nothing() -> None:
    screen = Screen(width=80, height=40, total=6)
    screen.begin(SERVICES[:3])
    opening = Opening(SERVICES[0], "staging", 0.0)
    opening.screen = screen
    screen.view._rows[SERVICES[0]] = opening
    assert "running" in screen.view._tally()


def row(service: str, outcome: str, command: tuple[str, ...] = ()) -> deployments.Deployment:
    why = wording.Text(
        "deploy.succeeded", {"service": service, "environment": "staging", "revision": "1"}
    )
    if outcome != "succeeded":
        why = wording.Text("deploy.terminated")
    return deployments.Deployment(
        service,
        service,
        "staging",
        "0" * 40,
        outcome,
        why=why,
        command=command,  # type: ignore[arg-type]
    )


def test_summary_counts_all_and_ends_with_each_cause_and_its_next_command(
    language: str,
) -> None:
    command = ("kubectl", "logs", "job/menu-service-migrate", "-n", "services-staging")
    rows = [row("auth", "succeeded"), row("orders", "refused"), row("menu", "failed", command)]
    lines = list(run_summary.lines(rows, width=80))
    assert f"menu staging → {' '.join(command)}" in lines
    assert [line.partition(" staging ")[0] for line in lines if " staging ✘ " in line] == [
        "orders",
        "menu",
    ]
    assert not any(line.startswith("auth") for line in lines)
    assert lines[0].count("1") == 3, language
    assert lines[-1] == f"menu staging → {' '.join(command)}"
