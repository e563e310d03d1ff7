"""Deadlines in working days."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from tongban_shared.ids import Province
from tongban_shared.national_days import LAST_YEAR
from tongban_shared.provinces import load_provinces
from tongban_shared.working_days import Stop, deadline, is_provisional, is_working_day

CALENDAR = load_provinces()[Province("44")].calendar
CHINA = ZoneInfo("Asia/Shanghai")
FRIDAY_EVENING = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)
MOMENTS = st.datetimes(datetime(2025, 12, 1), datetime(LAST_YEAR + 5, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001
DAYS = st.integers(0, 60)
STOPS = st.lists(
    st.builds(
        lambda since, hours: Stop(since, since + timedelta(hours=hours)), MOMENTS, st.integers(0, 2_000)
    ),
    max_size=3,
)


def at(day: str, hour: int = 10) -> datetime:
    """That hour in China."""
    return datetime.fromisoformat(day).replace(hour=hour, tzinfo=CHINA)


def year_of(year: int) -> list[date]:
    """Its days."""
    days = (date(year, 1, 1) + timedelta(days=number) for number in range(366))
    return [day for day in days if day.year == year]


def working(year: int) -> list[date]:
    """Its working days."""
    return [day for day in year_of(year) if is_working_day(day, CALENDAR)]


def test_the_day_of_receipt_and_the_weekend_do_not_count() -> None:
    """One working day from a Friday evening is Monday at the close of office."""
    assert deadline(FRIDAY_EVENING, 1, CALENDAR).isoformat() == "2026-11-30T17:30:00+08:00"


def test_the_province_s_own_days_count() -> None:
    """A local holiday is skipped, a local make-up day counts."""
    own = replace(
        CALENDAR,
        extra_holidays=frozenset({date(2026, 11, 30)}),
        extra_workdays=frozenset({date(2026, 11, 28)}),
    )
    assert deadline(FRIDAY_EVENING, 2, own).date() == date(2026, 12, 1)


def test_the_day_begins_at_midnight_in_china() -> None:
    """Received at 01:00 on Saturday in China, which is still Friday elsewhere: Monday is the first day."""
    received = datetime(2026, 11, 27, 17, 0, tzinfo=UTC)
    assert deadline(received, 1, CALENDAR).date() == date(2026, 11, 30)


@pytest.mark.parametrize(("year", "count"), [(2023, 249), (2024, 251), (2025, 248), (2026, 248)])
def test_a_year_has_the_announced_number_of_working_days(year: int, count: int) -> None:
    """Holidays taken off, make-up days put back."""
    assert len(working(year)) == count


def test_spring_festival_2026() -> None:
    """The Saturday before is worked, nine days are free, the Saturday after is worked again."""
    received = at("2026-02-12")
    assert [deadline(received, count, CALENDAR).date().isoformat() for count in (1, 2, 3, 6, 7)] == [
        "2026-02-13",
        "2026-02-14",
        "2026-02-24",
        "2026-02-27",
        "2026-02-28",
    ]


def test_national_day_2026_has_make_up_days_on_both_sides() -> None:
    """The Sunday of 20 September counts for it, and so does the Saturday of 10 October."""
    assert deadline(at("2026-09-18"), 1, CALENDAR).date() == date(2026, 9, 20)
    assert deadline(at("2026-09-30"), 1, CALENDAR).date() == date(2026, 10, 8)
    assert deadline(at("2026-09-30"), 3, CALENDAR).date() == date(2026, 10, 10)


def test_a_province_s_festival_is_free_there_alone() -> None:
    """三月三 in the spring of 2026: two days on which the neighbours work."""
    festival = frozenset({date(2026, 4, 20), date(2026, 4, 21)})
    at_home = replace(CALENDAR, extra_holidays=festival)
    assert deadline(at("2026-04-17"), 1, at_home).date() == date(2026, 4, 22)
    assert deadline(at("2026-04-17"), 1, CALENDAR).date() == date(2026, 4, 20)


def test_a_province_may_work_on_a_day_that_is_free_elsewhere() -> None:
    """Its own make-up day goes before a national holiday."""
    own = replace(CALENDAR, extra_workdays=frozenset({date(2026, 10, 7)}))
    assert deadline(at("2026-09-30"), 1, own).date() == date(2026, 10, 7)


def test_the_same_day_ends_with_the_office_hours() -> None:
    """A promise of no days: today's close of office, after that or on a free day the next one."""
    assert deadline(at("2026-11-25"), 0, CALENDAR) == at("2026-11-25", 17).replace(minute=30)
    assert deadline(at("2026-11-25", 20), 0, CALENDAR).date() == date(2026, 11, 26)
    assert deadline(at("2026-11-28"), 0, CALENDAR).date() == date(2026, 11, 30)


def test_a_year_that_is_not_announced_is_provisional() -> None:
    """One working day from the last day of the last announced year is a guess; the year itself is none."""
    opened = at(f"{LAST_YEAR}-12-01")
    assert not is_provisional(opened, deadline(opened, 5, CALENDAR), CALENDAR)
    assert is_provisional(opened, deadline(opened, 35, CALENDAR), CALENDAR)


def test_the_year_is_that_of_china() -> None:
    """Half past midnight on New Year's Day in China is still the old year elsewhere."""
    opened = datetime(LAST_YEAR, 12, 31, 16, 30, tzinfo=UTC)
    assert is_provisional(opened, opened, CALENDAR)


def test_a_year_not_announced_still_has_the_holidays_of_the_law() -> None:
    """Until its notice comes, in November 2029, 2030 has the holidays of the law and no make-up days."""
    weekdays = [day for day in year_of(2030) if day.weekday() < 5]
    festivals = {"02-04", "02-05", "04-05", "06-05", "09-12"}
    free = {f"{day:%m-%d}" for day in set(weekdays) - set(working(2030))}
    assert free == {"01-01", "05-01", "05-02", "10-01", "10-02", "10-03"} | festivals
    assert set(working(2030)) <= set(weekdays)


def test_a_stop_over_a_holiday_moves_by_its_working_days_alone() -> None:
    """Stopped on 29 September, brought on 9 October: three days, not the seven free ones between them."""
    opened, stop = at("2026-09-28"), Stop(at("2026-09-29"), at("2026-10-09"))
    assert deadline(opened, 3, CALENDAR).date() == date(2026, 10, 8)
    assert deadline(opened, 3, CALENDAR, [stop]).date() == date(2026, 10, 12)


def test_a_stop_within_a_day_moves_nothing() -> None:
    """Asked in the morning and brought in the afternoon."""
    stop = Stop(at("2026-11-26", 9), at("2026-11-26", 16))
    assert deadline(FRIDAY_EVENING, 3, CALENDAR, [stop]) == deadline(FRIDAY_EVENING, 3, CALENDAR)


def test_a_day_is_stopped_once() -> None:
    """A special procedure within 补正 takes no day twice, whatever the order in which they are given."""
    long, short = Stop(at("2026-11-30"), at("2026-12-04")), Stop(at("2026-12-01"), at("2026-12-03"))
    alone = deadline(FRIDAY_EVENING, 5, CALENDAR, [long])
    assert alone.date() == date(2026, 12, 10)
    assert deadline(FRIDAY_EVENING, 5, CALENDAR, [short, long]) == alone


def test_a_stop_after_the_deadline_comes_too_late() -> None:
    """What is overdue does not get in time again."""
    late = Stop(at("2026-12-08"), at("2026-12-18"))
    assert deadline(FRIDAY_EVENING, 3, CALENDAR, [late]) == deadline(FRIDAY_EVENING, 3, CALENDAR)


def test_a_stop_does_not_end_before_it_begins() -> None:
    """Such a pair is a mistake of the caller, not a stop of no days."""
    with pytest.raises(AssertionError, match="before it begins"):
        Stop(at("2026-12-02"), at("2026-12-01"))


@given(MOMENTS, DAYS, STOPS)
def test_a_deadline_is_a_working_day_and_not_before_the_receipt(
    opened: datetime, days: int, stops: list[Stop]
) -> None:
    """Offices are open on its day, and it is never past already when it is promised."""
    due = deadline(opened, days, CALENDAR, stops)
    assert is_working_day(due.date(), CALENDAR)
    assert due >= opened
    assert due >= deadline(opened, days, CALENDAR)


@given(MOMENTS, DAYS, STOPS)
def test_a_day_more_is_never_earlier(opened: datetime, days: int, stops: list[Stop]) -> None:
    """Monotone in the number of days; from one day on each is later."""
    sooner, later = (deadline(opened, count, CALENDAR, stops) for count in (days, days + 1))
    assert sooner <= later
    assert days == 0 or sooner < later


@given(MOMENTS, MOMENTS, DAYS, STOPS)
def test_who_comes_later_is_never_due_earlier(
    one: datetime, other: datetime, days: int, stops: list[Stop]
) -> None:
    """Monotone in the moment of receipt."""
    first, second = sorted((one, other))
    assert deadline(first, days, CALENDAR, stops) <= deadline(second, days, CALENDAR, stops)


@given(MOMENTS, DAYS)
def test_a_stop_from_the_first_moment_is_a_later_receipt(opened: datetime, days: int) -> None:
    """The clock goes on as if the case had been received when the stop ended."""
    until = opened + timedelta(days=days)
    stop = Stop(opened, until)
    assert deadline(opened, days + 1, CALENDAR, [stop]) == deadline(until, days + 1, CALENDAR)
