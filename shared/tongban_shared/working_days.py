"""Working days (工作日) of a province and the deadlines counted in them. Source: domain.md §4.1.

The province's own days lie over the national ones (`national_days`). A deadline that reaches into a year not
yet announced by the State Council is provisional: it may move by the days of the coming notice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from tongban_shared.national_days import is_announced, is_national_working_day

if TYPE_CHECKING:
    from tongban_shared.provinces import WorkingCalendar

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Stop:
    """The clock stands still: for 补正 that waits for the applicant, or a special procedure (特别程序).

    since <= until, both aware. A stop that still runs is given with the present moment as `until`: what is
    counted with it holds if the clock went on now.
    """

    since: datetime
    until: datetime

    def __post_init__(self) -> None:
        assert self.since <= self.until, "a stop ends before it begins"

    @property
    def is_empty(self) -> bool:
        """Whether it took no time at all."""
        return self.since == self.until


@dataclass(frozen=True, slots=True)
class ClockDays:
    """The days on which the clock of a case runs: the province's working days but for its stops.

    A stop takes the days after the one on which it began, up to and with the one on which it ended: the clock
    goes on as after a receipt, whose day does not count either. Stops may overlap and come in any order.
    """

    calendar: WorkingCalendar
    stops: Sequence[Stop] = ()

    def counts(self, day: date) -> bool:
        """Whether the clock runs on that day."""
        stopped = any(self.day_of(stop.since) < day <= self.day_of(stop.until) for stop in self.stops)
        return not stopped and is_working_day(day, self.calendar)

    def breaks_off(self, day: date) -> bool:
        """Whether a stop begins on that day before offices close, and still runs when they do."""
        close = self.close_of(day)
        return any(self.day_of(stop.since) == day and stop.since <= close < stop.until for stop in self.stops)

    def after(self, day: date) -> date:
        """The next day that counts."""
        day += ONE_DAY
        while not self.counts(day):
            day += ONE_DAY
        return day

    def before(self, day: date) -> date:
        """The last day that counted."""
        day -= ONE_DAY
        while not self.counts(day):
            day -= ONE_DAY
        return day

    def between(self, start: date, end: date) -> int:
        """How many days count after `start`, up to and with `end`; 0 if that is no later."""
        return sum(self.counts(start + ONE_DAY * number) for number in range(1, (end - start).days + 1))

    def day_of(self, moment: datetime) -> date:
        """The date in the province at that moment."""
        return moment.astimezone(ZoneInfo(self.calendar.time_zone)).date()

    def start_of(self, day: date) -> datetime:
        """Midnight before that day. Aware, local time."""
        return datetime.combine(day, time(), ZoneInfo(self.calendar.time_zone))

    def close_of(self, day: date) -> datetime:
        """When offices close on that day. Aware, local time."""
        return datetime.combine(day, self.calendar.office_closes, ZoneInfo(self.calendar.time_zone))


def is_working_day(day: date, calendar: WorkingCalendar) -> bool:
    """Whether offices of the province open on that day; its make-up days go before its holidays."""
    if day in calendar.extra_workdays:
        return True
    return day not in calendar.extra_holidays and is_national_working_day(day)


def deadline(
    start: datetime, working_days: int, calendar: WorkingCalendar, stops: Sequence[Stop] = ()
) -> datetime:
    """The close of office on the n-th day that counts; the day of receipt does not. Aware, local time.

    start: aware. working_days >= 0; 0 promises the same day, which is the first close of office from `start`
    on. stops: see `ClockDays`; a stop that begins after the deadline does not move it.
    """
    days = ClockDays(calendar, stops)
    day = days.day_of(start)
    if working_days == 0 and days.counts(day) and start <= days.close_of(day):
        return days.close_of(day)
    for _ in range(max(1, working_days)):
        day = days.after(day)
    return days.close_of(day)


def is_provisional(start: datetime, due: datetime, calendar: WorkingCalendar) -> bool:
    """Whether a deadline counted from `start` to `due` may still move: a year it touches is not announced."""
    days = ClockDays(calendar)
    return not (is_announced(days.day_of(start)) and is_announced(days.day_of(due)))
