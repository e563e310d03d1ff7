"""Until when a paper is valid. Source: 居民身份证法 Art. 5, 临时居民身份证管理办法 Art. 7, GA 214.9; pure."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime, time, timedelta

from tongban_shared.clock import BEIJING

YEAR_MONTHS = 12
TEMPORARY_MONTHS = 3
# From which age a card is valid for how many years; None: without end (长期).
CARD_YEARS: tuple[tuple[int, int | None], ...] = ((0, 5), (16, 10), (26, 20), (46, None))


def months_after(day: date, months: int) -> date:
    """The same day of a later month, or that month's last one."""
    years, month = divmod(day.month - 1 + months, YEAR_MONTHS)
    year = day.year + years
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def age_on(birth_date: date, day: date) -> int:
    """Full years (周岁) on that day; a birthday counts."""
    return day.year - birth_date.year - ((day.month, day.day) < (birth_date.month, birth_date.day))


def card_expires(birth_date: date, issued_on: date) -> date | None:
    """The last day of an identity card, by the age on the day of issue; None: valid for life."""
    age = age_on(birth_date, issued_on)
    years = [years for start, years in CARD_YEARS if start <= age][-1]
    return None if years is None else months_after(issued_on, years * YEAR_MONTHS)


def end_of(day: date) -> datetime:
    """The instant at which a day is over in China, aware UTC: a paper is valid through its last day."""
    return datetime.combine(day + timedelta(days=1), time(), BEIJING).astimezone(UTC)


def day_of(moment: datetime) -> date:
    """The date in China at that instant."""
    return moment.astimezone(BEIJING).date()
