"""The clock of a case (办理时限): when it stands still, and what was promised by it. Pure.

Days run for the office, not while the applicant has to bring something (补正) or a special procedure
(特别程序) goes on; no case type has one of those yet. Source: rule TM, services.md S1, domain.md §4.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tongban_shared.cases.kind import Case, Waits
from tongban_shared.working_days import ClockDays, Stop, deadline, is_provisional

if TYPE_CHECKING:
    from tongban_shared.catalogue import TimeLimit
    from tongban_shared.provinces import WorkingCalendar

STANDS_STILL = frozenset({Waits.APPLICANT})


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Both aware. provisional: the State Council's coming notice may still move them."""

    promised_at: datetime
    statutory_at: datetime
    provisional: bool


def keep_time(case: Case, at: datetime) -> Case:
    """The case as it stands from `at` on, with its clock stopped or set going as whose move it is says.

    What was promised for later than a stop's begin is None until the stop has ended and it is counted anew.
    """
    stands = case.waits in STANDS_STILL and case.closed_at is None
    if stands == (case.stopped_at is not None):
        return case
    if case.stopped_at is None:
        return replace(
            case,
            stopped_at=at,
            promised_at=_broken_by(case.promised_at, at),
            statutory_at=_broken_by(case.statutory_at, at),
        )
    stop = Stop(case.stopped_at, max(at, case.stopped_at))
    return replace(case, stopped_at=None, stops=case.stops if stop.is_empty else (*case.stops, stop))


def _broken_by(deadline_at: datetime | None, at: datetime) -> datetime | None:
    """A deadline that had passed when the clock stopped stays passed."""
    return deadline_at if deadline_at is not None and deadline_at < at else None


def stops_until(case: Case, now: datetime) -> tuple[Stop, ...]:
    """All stops so far; one that still runs ends `now`, aware."""
    if case.stopped_at is None:
        return case.stops
    return (*case.stops, Stop(case.stopped_at, max(now, case.stopped_at)))


def deadlines(case: Case, limit: TimeLimit, calendar: WorkingCalendar, now: datetime) -> Deadlines:
    """As they stand `now`, aware: a stop that still runs is counted as if the clock went on now."""
    stops = stops_until(case, now)
    days = ClockDays(calendar, stops)
    statutory = _due(case.opened_at, limit.statutory_working_days, days)
    if limit.promised_minutes is None:
        promised = _due(case.opened_at, limit.promised_working_days, days)
    else:
        still = sum((stop.until - stop.since for stop in stops), timedelta())
        promised = case.opened_at + timedelta(minutes=limit.promised_minutes) + still
    return Deadlines(promised, statutory, is_provisional(case.opened_at, statutory, calendar))


def _due(opened_at: datetime, working_days: int, days: ClockDays) -> datetime:
    """A clock that stopped on the last day leaves the office one more day after the stop's end."""
    due = deadline(opened_at, working_days, days.calendar, days.stops)
    while days.breaks_off(days.day_of(due)):
        due = days.close_of(days.after(days.day_of(due)))
    return due


def with_deadlines(case: Case, limit: TimeLimit, calendar: WorkingCalendar) -> Case:
    """The case with what is promised, by which it is found; as it is while its clock stands still."""
    known = case.promised_at is not None and case.statutory_at is not None
    if known or case.stopped_at is not None or case.closed_at is not None:
        return case
    counted = deadlines(case, limit, calendar, case.opened_at)
    return replace(case, promised_at=counted.promised_at, statutory_at=counted.statutory_at)
