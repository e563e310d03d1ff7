"""Lights turn and levels are called in at their moments."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from tongban_shared.ids import Province
from tongban_shared.provinces import load_provinces
from tongban_shared.supervision import (
    Escalation,
    SupervisionLevel,
    called_before,
    escalation,
    light,
    yellow_from,
)
from tongban_shared.working_days import Stop, deadline

CALENDAR = load_provinces()[Province("44")].calendar
CHINA = ZoneInfo("Asia/Shanghai")
INSTANT = timedelta(microseconds=1)
GREEN, YELLOW, RED = SupervisionLevel
STATION, COUNTY, PROVINCE = Escalation


def at(text: str) -> datetime:
    """That moment in China."""
    return datetime.fromisoformat(text).replace(tzinfo=CHINA)


OPENED = at("2026-09-21 10:00")


@pytest.mark.parametrize(
    ("days", "yellow"),
    [
        (1, "2026-09-21 17:30"),
        (2, "2026-09-22 17:30"),
        # Due on 29 September: Mid-Autumn, on the 25th, does not count.
        (5, "2026-09-28 17:30"),
        # Due on 12 October after National Day, whose Saturday of the 10th is worked: two days are left.
        (10, "2026-10-09 17:30"),
    ],
)
def test_yellow_when_a_fifth_or_one_day_is_left(days: int, yellow: str) -> None:
    """Green up to the close of office after which as many working days are left, then yellow."""
    promised, turns = deadline(OPENED, days, CALENDAR), at(yellow)
    assert yellow_from(OPENED, promised, CALENDAR) == turns
    assert light(turns - INSTANT, OPENED, promised, CALENDAR) is GREEN
    assert light(turns, OPENED, promised, CALENDAR) is YELLOW


def test_red_after_the_deadline_and_not_at_it() -> None:
    """The close of office is still in time."""
    promised = deadline(OPENED, 5, CALENDAR)
    assert light(promised, OPENED, promised, CALENDAR) is YELLOW
    assert light(promised + INSTANT, OPENED, promised, CALENDAR) is RED


def test_a_promise_for_today_is_yellow_at_once() -> None:
    """There is no time to warn later."""
    promised = deadline(OPENED, 0, CALENDAR)
    assert light(OPENED, OPENED, promised, CALENDAR) is YELLOW


@pytest.mark.parametrize(("asked", "shown"), [("2026-09-22 09:00", GREEN), ("2026-09-28 18:00", YELLOW)])
def test_a_case_that_waits_for_the_applicant_keeps_its_light(asked: str, shown: SupervisionLevel) -> None:
    """However long the papers take: the promise moves on with each day, and the light stays."""
    for weeks in range(6):
        now = at(asked) + timedelta(weeks=weeks)
        stops = [Stop(at(asked), now)]
        promised = deadline(OPENED, 5, CALENDAR, stops)
        assert light(now, OPENED, promised, CALENDAR, stops=stops) is shown, weeks


def test_an_overdue_case_climbs() -> None:
    """Station at once, county after one working day, province after three; free days call nobody in."""
    promised = at("2026-09-29 17:30")
    called = {
        "2026-09-29 17:30": None,
        "2026-09-29 17:31": STATION,
        "2026-09-30 17:30": STATION,
        "2026-09-30 17:31": COUNTY,
        "2026-10-07 12:00": COUNTY,
        "2026-10-09 17:30": COUNTY,
        "2026-10-09 17:31": PROVINCE,
        "2026-12-31 12:00": PROVINCE,
    }
    assert {moment: escalation(at(moment), promised, CALENDAR) for moment in called} == called


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(CHINA)),  # noqa: DTZ001
    st.integers(0, 40),
    st.integers(-100_000, 100_000),
)
def test_a_level_asked_for_the_other_way_round_is_the_same(opened: datetime, days: int, minutes: int) -> None:
    """A promise lies before the moment of a level exactly when it has called that level in."""
    promised = deadline(opened, days, CALENDAR)
    now = promised + timedelta(minutes=minutes)
    level = escalation(now, promised, CALENDAR)
    called = [each for each in Escalation if promised < called_before(now, each, CALENDAR)]
    assert called == ([] if level is None else list(Escalation)[: list(Escalation).index(level) + 1])


def test_the_table_can_be_another() -> None:
    """A service with a promise in minutes may go to the province on the same day."""
    table = [(0, PROVINCE)]
    promised = at("2026-11-25 10:10")
    assert escalation(promised, promised, CALENDAR, table) is None
    assert escalation(promised + INSTANT, promised, CALENDAR, table) is PROVINCE


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(CHINA)),  # noqa: DTZ001
    st.integers(0, 40),
    st.lists(st.integers(0, 2_000), min_size=2, max_size=2),
)
def test_lights_and_levels_only_rise(opened: datetime, days: int, hours: list[int]) -> None:
    """Time makes nothing better, and whoever is called in is called for a red light."""
    promised = deadline(opened, days, CALENDAR)
    moments = [opened + timedelta(hours=passed) for passed in sorted(hours)]
    lights = [list(SupervisionLevel).index(light(now, opened, promised, CALENDAR)) for now in moments]
    levels = [escalation(now, promised, CALENDAR) for now in moments]
    ranks = [-1 if level is None else list(Escalation).index(level) for level in levels]
    assert lights == sorted(lights)
    assert ranks == sorted(ranks)
    assert [rank >= 0 for rank in ranks] == [shown == 2 for shown in lights]
