"""Deadlines in working days."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

from tongban_shared.ids import Province
from tongban_shared.provinces import load_provinces
from tongban_shared.working_days import deadline

CALENDAR = load_provinces()[Province("44")].calendar
FRIDAY_EVENING = datetime(2026, 11, 27, 12, 0, tzinfo=UTC)


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
