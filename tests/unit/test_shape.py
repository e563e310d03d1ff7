"""When people apply: the year adds up, its peaks are where the domain has them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta

import pytest

from tongban_sandbox import shape, volumes
from tongban_shared.clock import BEIJING
from tongban_shared.national_days import is_spring_festival

TYPES = ("migration", "id_card", "certificate", "temporary_id", "newborn")
JULY_MONDAY = datetime(2025, 7, 7, 10, 30, tzinfo=BEIJING)
SPRING_FESTIVAL = date(2025, 1, 29)


def hours_of(year: int) -> Iterator[datetime]:
    """Every hour of a year."""
    moment = datetime(year, 1, 1, tzinfo=BEIJING)
    while moment.year == year:
        yield moment
        moment += timedelta(hours=1)


def national_per_s(moment: datetime) -> float:
    """Cases a second of all types together."""
    return sum(
        volumes.cases_per_s(count) * shape.rate_at(moment, name)
        for name, count in volumes.CASES_PER_YEAR.items()
    )


@pytest.mark.parametrize("case_type", TYPES)
@pytest.mark.parametrize("year", [2024, 2025, 2028])
def test_a_year_has_about_a_year_s_cases(case_type: str, year: int) -> None:
    """The mean over 249 days of 7.5 hours is 1, within a tenth: holidays fall otherwise each year."""
    total = sum(shape.rate_at(moment, case_type) for moment in hours_of(year))
    assert total / (volumes.WORKING_DAYS * volumes.OFFICE_HOURS) == pytest.approx(1, abs=0.1)


def test_months_have_the_mean_one() -> None:
    """So a month's factor is what it says."""
    for months in shape.MONTHS.values():
        assert sum(months) == pytest.approx(12)


@pytest.mark.parametrize("case_type", TYPES)
def test_a_day_s_hours_are_the_whole_day(case_type: str) -> None:
    """Windows and online together."""
    assert sum(shape.hour_share(hour, case_type) for hour in range(24)) == pytest.approx(1)


def test_a_monday_in_july_at_ten_is_the_peak_of_the_year() -> None:
    """About 1.3 cases a second (§5.3), whose 17 % are of windows; less, since a third of some come online."""
    assert national_per_s(JULY_MONDAY) == pytest.approx(1.3, rel=0.15)
    by_windows = sum(
        volumes.cases_per_s(count)
        * shape.MONTHS.get(name, shape.FLAT)[6]
        * shape.WEEKDAYS[0]
        * shape.HOURS[10]
        * volumes.OFFICE_HOURS
        for name, count in volumes.CASES_PER_YEAR.items()
    )
    assert by_windows == pytest.approx(1.3, rel=0.05)


def test_the_first_day_after_a_holiday_has_twice_the_cases() -> None:
    """The Tuesday after five days off in May 2025, against the Tuesday a week later."""
    after, later = date(2025, 5, 6), date(2025, 5, 13)
    assert shape.day_factor(after, "migration") == 2 * shape.day_factor(later, "migration")


def test_a_weekend_has_a_tenth_and_a_made_up_sunday_a_day() -> None:
    """Saturday windows and what comes online; 2025-09-28 was worked for the week after it."""
    assert shape.day_factor(date(2025, 7, 12), "certificate") == 0.1
    assert shape.day_factor(date(2025, 9, 28), "certificate") == 1


def test_nobody_applies_at_spring_festival_and_travellers_do_before_it() -> None:
    """Temporary cards for the journey, and no other type."""
    assert is_spring_festival(SPRING_FESTIVAL)
    assert all(shape.day_factor(SPRING_FESTIVAL, name) == 0 for name in TYPES)
    eve = SPRING_FESTIVAL - timedelta(days=5)
    assert shape.day_factor(eve, "temporary_id") == 1.5 * shape.day_factor(eve, "id_card")


def test_a_year_that_is_not_announced_has_its_spring_festival() -> None:
    """By the law's four days."""
    assert is_spring_festival(date(2028, 1, 26))
    assert not is_spring_festival(date(2028, 2, 26))


def test_at_night_nobody_stands_at_a_window() -> None:
    """At 22 there are online cases, at 3 there are none."""
    at_ten, at_three = (datetime(2025, 7, 7, hour, tzinfo=BEIJING) for hour in (22, 3))
    assert shape.rate_at(at_ten, "migration") > 0
    assert shape.rate_at(at_ten, "id_card") == 0
    assert shape.rate_at(at_three, "migration") == 0
