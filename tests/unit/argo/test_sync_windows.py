"""Freezes as sync windows: what Argo CD is told of days, schedules and holidays, and that no freeze means no window."""

from __future__ import annotations

import msgspec

from hanbae.argo import generating, sync_windows
from hanbae.policy import documents

FREEZES = (
    documents.Freeze(
        "weekend", "Nobody", schedule="0 18 * * FRI", duration="62h", zone="Asia/Seoul"
    ),
    documents.Freeze("year-end", "Books", ("production",), first="2026-12-24", last="2027-01-02"),
    documents.Freeze("moon", "공휴일", ("production",), holidays=("설날",)),
)
POLICY = documents.Policy(
    version=1,
    argocd=documents.ArgoCD("https://git.example.com/shop.git"),
    environments={
        "dev": documents.Environment(branch="develop", sync="auto"),
        "production": documents.Environment(branch="main"),
    },
    freezes=FREEZES,
)


def windows_of(environment: str, year: int) -> list[tuple[str, str, str]]:
    windows = sync_windows.of(POLICY, environment, year)
    assert all(
        (window["kind"], window["manualSync"], window["syncOverrun"], window["applications"])
        == ("deny", True, True, ["*"])
        for window in windows
    )
    return [(window["schedule"], window["duration"], window["timeZone"]) for window in windows]


def test_days_are_those_of_the_year_because_a_window_comes_every_year() -> None:
    weekend = ("0 18 * * FRI", "62h", "Asia/Seoul")
    assert windows_of("dev", 2026) == [weekend]
    moon = ("0 0 16 2 *", "72h", "Asia/Seoul")
    assert windows_of("production", 2026) == [weekend, ("0 0 24 12 *", "240h", "UTC"), moon]
    # What is left of it in the next year, and another new moon with the substitute of a Sunday.
    moon = ("0 0 6 2 *", "96h", "Asia/Seoul")
    assert windows_of("production", 2027) == [weekend, ("0 0 1 1 *", "48h", "UTC"), moon]
    assert sync_windows.has_days(POLICY, "production")
    assert not sync_windows.has_days(POLICY, "dev")


def test_a_policy_without_freezes_makes_no_windows() -> None:
    without = msgspec.structs.replace(POLICY, freezes=())
    assert "syncWindows" not in generating.project(without, "production", 2026)["spec"]
    assert "syncWindows" in generating.project(POLICY, "production", 2026)["spec"]
