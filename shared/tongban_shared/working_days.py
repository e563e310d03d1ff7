"""Working days (工作日) of a province, for the deadlines shown to people. Source: domain.md §4.1.

Monday to Friday and what the province's file adds or takes away. The State Council's make-up days are not
known here yet, so every deadline counted with this is provisional, and says so.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from tongban_shared.provinces import WorkingCalendar

SATURDAY = 5


def is_working_day(day: date, calendar: WorkingCalendar) -> bool:
    """Whether offices open on that day."""
    if day in calendar.extra_workdays:
        return True
    return day.weekday() < SATURDAY and day not in calendar.extra_holidays


def deadline(start: datetime, working_days: int, calendar: WorkingCalendar) -> datetime:
    """The close of office on the n-th working day; the day of receipt does not count. Aware, local time."""
    zone = ZoneInfo(calendar.time_zone)
    day, left = start.astimezone(zone).date(), working_days
    while left > 0:
        day += timedelta(days=1)
        left -= is_working_day(day, calendar)
    return datetime.combine(day, calendar.office_closes, zone)
