"""Red and yellow lights (红黄灯) over the promised deadline, and who is called in when it has passed.

Functions of what they are given, so that every screen and report shows the same. Source: services.md S1.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from tongban_shared.provinces import WorkingCalendar
from tongban_shared.working_days import ClockDays, Stop, deadline

# A light turns yellow when one part in so many of the time is left, but never later than for the last day.
WARNING_SHARE = 5


class SupervisionLevel(StrEnum):
    """The light of a case (红黄灯): in time, soon due, overdue."""

    GREEN = "GREEN"
    YELLOW = "YELLOW"
    RED = "RED"


class Escalation(StrEnum):
    """Who looks after an overdue case: the station's head, the county bureau, the province."""

    STATION = "STATION"
    COUNTY = "COUNTY"
    PROVINCE = "PROVINCE"


# Working days overdue, ascending, and who is called in once they are over; 0 is the deadline itself.
ESCALATIONS: tuple[tuple[int, Escalation], ...] = (
    (0, Escalation.STATION),
    (1, Escalation.COUNTY),
    (3, Escalation.PROVINCE),
)


def yellow_from(
    opened_at: datetime, promised_at: datetime, calendar: WorkingCalendar, stops: Sequence[Stop] = ()
) -> datetime:
    """The close of office after which a fifth of the promised working days is left, but at least one.

    Both moments aware. For a promise of a day or less this may be before `opened_at`: yellow at once.
    """
    days = ClockDays(calendar, stops)
    day = days.day_of(promised_at)
    for _ in range(max(1, days.between(days.day_of(opened_at), day) // WARNING_SHARE)):
        day = days.before(day)
    return days.close_of(day)


def light(
    now: datetime,
    opened_at: datetime,
    promised_at: datetime,
    calendar: WorkingCalendar,
    *,
    stops: Sequence[Stop] = (),
) -> SupervisionLevel:
    """Green, yellow from `yellow_from` on, red after `promised_at`; the deadline itself is still in time.

    All moments aware. stops: those with which `promised_at` was counted, so that a case which waits for the
    applicant keeps the light that it had.
    """
    if now > promised_at:
        return SupervisionLevel.RED
    soon_due = now >= yellow_from(opened_at, promised_at, calendar, stops)
    return SupervisionLevel.YELLOW if soon_due else SupervisionLevel.GREEN


def escalation(
    now: datetime,
    promised_at: datetime,
    calendar: WorkingCalendar,
    table: Sequence[tuple[int, Escalation]] = ESCALATIONS,
) -> Escalation | None:
    """The highest level called in for a case that is still open; None while it is in time. Moments aware."""
    called = [level for days, level in table if now > _over_after(promised_at, days, calendar)]
    return called[-1] if called else None


def called_before(
    now: datetime,
    level: Escalation,
    calendar: WorkingCalendar,
    table: Sequence[tuple[int, Escalation]] = ESCALATIONS,
) -> datetime:
    """The moment such that promises for before it, and no others, have called that level in by `now`. Aware.

    The other way round than `escalation`, for a database that is asked for all of them. Raises StopIteration
    for a level that the table does not have.
    """
    working_days = next(days for days, called in table if called is level)
    if working_days == 0:
        return now
    days = ClockDays(calendar)
    day = days.day_of(now)
    if not (days.counts(day) and days.close_of(day) < now):
        day = days.before(day)
    for _ in range(working_days - 1):
        day = days.before(day)
    return days.start_of(day)


def _over_after(promised_at: datetime, working_days: int, calendar: WorkingCalendar) -> datetime:
    # A promise in minutes ends in the midst of a day, and the station hears of it then.
    return promised_at if working_days == 0 else deadline(promised_at, working_days, calendar)
