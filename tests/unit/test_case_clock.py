"""When the clock of a case stands still, and what that does to what was promised."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, strategies as st
from msgspec.structs import replace

from tongban_shared.case_clock import deadlines, keep_time, stops_until, with_deadlines
from tongban_shared.cases.kind import Case, Side, Waits
from tongban_shared.cases.migration_data import MigrationData
from tongban_shared.catalogue import TimeLimit
from tongban_shared.ids import CaseId, Province
from tongban_shared.provinces import load_provinces
from tongban_shared.supervision import light
from tongban_shared.working_days import ClockDays, Stop

CALENDAR = load_provinces()[Province("44")].calendar
FIVE = TimeLimit(5, 35)
OPENED = datetime(2026, 3, 2, 1, tzinfo=UTC)
DAY = timedelta(days=1)
CASE = Case(
    id=CaseId("440120260302000000010"),
    kind="migration",
    side=Side.DESTINATION,
    state="REVIEWING",
    version=1,
    item="0105",
    origin="62",
    destination="44",
    persons=(),
    data=MigrationData(migration_type="WORK"),
    opened_at=OPENED,
    waits=Waits.OFFICER,
)


def turned(case: Case, waits: Waits, at: datetime, **changes: Any) -> Case:  # noqa: ANN401  # fields of a case
    """The case after it became somebody's move."""
    return keep_time(replace(case, waits=waits, **changes), at)


def test_a_stop_lasts_as_long_as_the_applicant_s_move() -> None:
    """However often it stays the applicant's; then the clock goes on and the promise is open again."""
    case = with_deadlines(turned(CASE, Waits.OFFICER, OPENED), FIVE, CALENDAR)
    assert (case.promised_at, case.stops) == (deadlines(case, FIVE, CALENDAR, OPENED).promised_at, ())
    case = turned(case, Waits.APPLICANT, OPENED + DAY)
    case = turned(case, Waits.APPLICANT, OPENED + 2 * DAY)
    assert (case.stopped_at, case.promised_at, case.statutory_at) == (OPENED + DAY, None, None)
    assert with_deadlines(case, FIVE, CALENDAR) is case
    case = turned(case, Waits.OFFICER, OPENED + 3 * DAY)
    assert (case.stopped_at, case.stops) == (None, (Stop(OPENED + DAY, OPENED + 3 * DAY),))
    promised = with_deadlines(case, FIVE, CALENDAR).promised_at
    assert promised == deadlines(CASE, FIVE, CALENDAR, OPENED).promised_at + 2 * DAY


def test_an_end_ends_the_stop() -> None:
    """A case that ends with the applicant's silence stands still no longer."""
    case = turned(CASE, Waits.APPLICANT, OPENED)
    case = turned(case, Waits.NOBODY, OPENED + DAY, closed_at=OPENED + DAY)
    assert (case.stopped_at, len(case.stops)) == (None, 1)


def test_no_time_is_no_stop() -> None:
    """Nor is a clock that was put back meanwhile a stop that ends before it begins."""
    for back in (timedelta(), timedelta(hours=1)):
        case = turned(CASE, Waits.APPLICANT, OPENED)
        assert turned(case, Waits.OFFICER, OPENED - back).stops == ()
        assert stops_until(case, OPENED - back) == (Stop(OPENED, OPENED),)


def test_a_promise_in_minutes_waits_by_the_minute() -> None:
    """It is no matter of office hours."""
    limit = TimeLimit(1, 3, promised_minutes=30)
    stopped = turned(CASE, Waits.APPLICANT, OPENED + timedelta(minutes=10))
    shown = deadlines(stopped, limit, CALENDAR, OPENED + timedelta(minutes=25))
    assert shown.promised_at == OPENED + timedelta(minutes=45)


@given(st.integers(0, 7 * 24 * 60), st.integers(0, 60 * 24 * 60))
def test_waiting_for_the_applicant_never_turns_a_light(begin_min: int, wait_min: int) -> None:
    """Whenever it begins, on the last day too, however long: that day itself counts, none after it."""
    begin = OPENED + timedelta(minutes=begin_min)
    case = with_deadlines(CASE, FIVE, CALENDAR)
    case = turned(case, Waits.APPLICANT, begin)

    def shown(now: datetime) -> str:
        promised = deadlines(case, FIVE, CALENDAR, now).promised_at
        return light(now, OPENED, promised, CALENDAR, stops=stops_until(case, now))

    now = begin + timedelta(minutes=wait_min)
    days = ClockDays(CALENDAR)
    day_s_end = days.close_of(days.day_of(begin))
    promised = deadlines(CASE, FIVE, CALENDAR, OPENED).promised_at
    at_the_day_s_end = light(max(begin, min(now, day_s_end)), OPENED, promised, CALENDAR)
    assert shown(now) in {shown(begin), at_the_day_s_end}
    assert (case.promised_at is not None) == (shown(now) == "RED")
