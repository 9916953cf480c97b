"""When the policy freezes: days, schedules and public holidays of Korea, until when, and what is no freeze."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from hanbae import errors
from hanbae.policy import calendars, documents, loading

SHOP = Path(__file__).parents[3] / "examples/shop/hanbae.yaml"
SEOUL = ZoneInfo("Asia/Seoul")


def policy(*freezes: str) -> documents.Policy:
    text = SHOP.read_text() + "\nfreezes:\n" + "".join(f"  - {{{entry}}}\n" for entry in freezes)
    return loading.parse(text.encode(), "hanbae.yaml")[0]


YEAR_END = (
    "name: year-end, reason: Books, environments: [production], "
    "first: 2026-12-24, last: 2027-01-01, zone: Asia/Seoul"
)
WEEKEND = 'name: weekend, reason: Nobody, schedule: "0 18 * * FRI", duration: 62h, zone: Asia/Seoul'
HOLIDAYS = "name: holidays, reason: 공휴일, holidays: [설날, chuseok]"


def frozen(
    frozen_policy: documents.Policy, moment: str, environment: str = "production"
) -> tuple[str, str] | None:
    freeze = calendars.frozen(
        frozen_policy, environment, datetime.fromisoformat(moment).replace(tzinfo=SEOUL)
    )
    if freeze is None:
        return None
    assert freeze.until is not None
    return freeze.freeze.name, freeze.until.astimezone(SEOUL).strftime("%Y-%m-%dT%H:%M")


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-12-23T23:59:59", None),
        ("2026-12-24T00:00", ("year-end", "2027-01-02T00:00")),
        ("2027-01-01T23:59", ("year-end", "2027-01-02T00:00")),
        ("2027-01-02T00:00", None),
    ],
)
def test_days_are_frozen_from_midnight_to_midnight(moment: str, expected: object) -> None:
    assert frozen(policy(YEAR_END), moment) == expected
    assert frozen(policy(YEAR_END), moment, "dev") is None


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2026-11-27T17:59", None),
        ("2026-11-27T18:00", ("weekend", "2026-11-30T08:00")),
        ("2026-11-30T07:59", ("weekend", "2026-11-30T08:00")),
        ("2026-11-30T08:00", None),
    ],
)
def test_a_schedule_freezes_for_its_duration(moment: str, expected: object) -> None:
    assert frozen(policy(WEEKEND), moment) == expected


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        ("2027-02-05T12:00", None),
        # The day before, the day, the day after, and the substitute for the Sunday among them.
        ("2027-02-06T00:00", ("holidays", "2027-02-10T00:00")),
        ("2027-02-09T23:59", ("holidays", "2027-02-10T00:00")),
        ("2026-09-25T12:00", ("holidays", "2026-09-27T00:00")),
        ("2026-10-09T12:00", None),  # Hangul Day, which is not named
    ],
)
def test_holidays_follow_the_moon_and_have_substitutes(moment: str, expected: object) -> None:
    assert frozen(policy(HOLIDAYS), moment) == expected


def test_each_name_has_a_day_and_both_languages_mean_the_same() -> None:
    names = documents.Holiday.__args__  # type: ignore[attr-defined]
    assert all(calendars.holidays((name,), (2026, 2027)) for name in names)
    english = [name for name in names if name.isascii() and name != "all"]
    korean = [name for name in names if not name.isascii()]
    days = {name: calendars.holidays((name,), (2026, 2027)) for name in names}
    assert {days[name] for name in english} == {days[name] for name in korean}
    assert set().union(*days.values()) == set(days["all"])


def test_freezes_that_meet_end_together_and_the_first_of_the_policy_is_named() -> None:
    frozen_policy = policy(YEAR_END, WEEKEND)
    # From Friday the first of January at 18:00 the weekend freezes as well.
    assert frozen(frozen_policy, "2026-12-31T12:00") == ("year-end", "2027-01-04T08:00")
    always = policy('name: always, reason: No, schedule: "* * * * *", duration: 1h')
    freeze = calendars.frozen(always, "dev", datetime(2026, 1, 1, tzinfo=UTC))
    assert freeze is not None
    assert freeze.until is None


@pytest.mark.parametrize(
    ("entry", "text_id"),
    [
        ("first: 2026-02-30", "policy.not-a-day"),
        ("first: 2026-01-02, last: 2026-01-01", "policy.freeze-ends-before"),
        ("last: 2026-01-01", "policy.freeze-without-form"),
        ("first: 2026-01-01, holidays: [all]", "policy.freeze-without-form"),
        ("holidays: [chusok]", "policy.not-one-of"),
        ('schedule: "0 0 * * *"', "policy.freeze-without-duration"),
        ('schedule: "0 0 30 2 *", duration: 1h', "policy.not-a-schedule"),
        ('schedule: "0 0 1 * MON", duration: 1h', "policy.not-a-schedule"),
        ('schedule: "0 0 * * 7", duration: 1h', "policy.not-a-schedule"),
        ('schedule: "0 0 * * 5L", duration: 1h', "policy.not-a-schedule"),
        ('schedule: "1//2 0 * * *", duration: 1h', "policy.not-a-schedule"),
        (f'schedule: "0 0 * * *", duration: {"9" * 40}h', "policy.not-a-duration"),
        ('schedule: "0 0 * * *", duration: 9999h', "policy.freeze-duration"),
        ("first: 2026-01-01, zone: Mars/Base", "policy.not-a-zone"),
        ("first: 2026-01-01, zone: ../../etc/passwd", "policy.not-a-zone"),
        ("first: 2026-01-01, environments: [nope]", "policy.freeze-unknown-environment"),
    ],
)
def test_what_is_no_freeze_is_refused_with_its_place(entry: str, text_id: str) -> None:
    with pytest.raises(errors.FileFault) as refused:
        policy(f"name: a, reason: b, {entry}")
    assert refused.value.text.id == text_id
    assert refused.value.place is not None
