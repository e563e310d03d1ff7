"""When in the year, the week and the day people apply: the shape of the load. Pure. Source: domain.md §5.2.

Assumptions, as that page says; what it leaves open, and is ours, says so here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from types import MappingProxyType

from tongban_sandbox.volumes import OFFICE_HOURS
from tongban_shared.clock import BEIJING
from tongban_shared.national_days import is_national_holiday, is_national_working_day, is_spring_festival

FLAT = (1.0,) * 12
MONTHS: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {
        "migration": (0.75, 0.55, 1.0, 0.95, 0.9, 1.1, 1.6, 1.5, 1.5, 0.85, 0.75, 0.55),
        "certificate": (0.9, 0.7, 1.15, 1.05, 1.0, 1.05, 1.1, 1.1, 1.1, 0.95, 0.95, 0.95),
        "id_card": (1.2, 0.9, 0.8, 0.8, 0.8, 1.1, 1.9, 1.7, 0.8, 0.75, 0.6, 0.65),
        "temporary_id": (1.3, 1.0, 0.95, 0.9, 0.95, 1.25, 1.1, 1.0, 0.95, 0.95, 0.85, 0.8),
    }
)
"""January to December, mean 1. Any other type is flat."""
WEEKDAYS = (1.25, 1.05, 1.0, 0.95, 0.75)
DAY_OFF = 0.1
AFTER_A_HOLIDAY = 2.0
MADE_UP_DAY = 1.0
HOURS: Mapping[int, float] = MappingProxyType(
    dict(enumerate((0.05, 0.13, 0.17, 0.15, 0.03, 0.02, 0.12, 0.14, 0.12, 0.07), start=8))
)
"""Share of a day's cases in the hour that begins then."""
ONLINE_SHARE = 0.35
ONLINE_TYPES = frozenset({"migration", "certificate"})
"""Cards are asked for at a window, where the picture is taken."""
ONLINE_FROM, ONLINE_TO = 7, 23
# Ours: how much more temporary cards are wanted for travel, in so many days before Spring Festival.
BEFORE_TRAVEL, TRAVEL_DAYS = 1.5, 7
ONE_DAY = timedelta(days=1)


def rate_at(moment: datetime, case_type: str) -> float:
    """How often cases of that type begin at an aware moment, in units of their mean rate in office hours.

    1 is the mean of 249 days of 7.5 hours (`volumes.cases_per_s`); a year's sum is the year's cases.
    """
    local = moment.astimezone(BEIJING)
    return (
        MONTHS.get(case_type, FLAT)[local.month - 1]
        * day_factor(local.date(), case_type)
        * (hour_share(local.hour, case_type) * OFFICE_HOURS)
    )


def day_factor(day: date, case_type: str) -> float:
    """Weekday, holidays, and the rush after them; 1 is a usual working day."""
    if is_spring_festival(day):
        return 0.0
    travel = BEFORE_TRAVEL if case_type == "temporary_id" and _travels_soon(day) else 1.0
    if not is_national_working_day(day):
        return DAY_OFF * travel
    weekday = WEEKDAYS[day.weekday()] if day.weekday() < len(WEEKDAYS) else MADE_UP_DAY
    return weekday * (AFTER_A_HOLIDAY if _follows_a_holiday(day) else 1.0) * travel


def hour_share(hour: int, case_type: str) -> float:
    """Share of a day's cases in the hour 0..23: windows by their hours, online from 7 to 23 evenly."""
    online = ONLINE_SHARE if case_type in ONLINE_TYPES else 0.0
    evenly = 1 / (ONLINE_TO - ONLINE_FROM) if ONLINE_FROM <= hour < ONLINE_TO else 0.0
    return (1 - online) * HOURS.get(hour, 0.0) + online * evenly


def _travels_soon(day: date) -> bool:
    return any(is_spring_festival(day + ONE_DAY * ahead) for ahead in range(1, TRAVEL_DAYS + 1))


def _follows_a_holiday(day: date) -> bool:
    """Whether a holiday lies between this working day and the one before it."""
    before = day - ONE_DAY
    while not is_national_working_day(before):
        if is_national_holiday(before):
            return True
        before -= ONE_DAY
    return False
