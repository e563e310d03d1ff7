"""Until when papers are valid: by age, by month, through the last day."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from tongban_shared.validity import card_expires, end_of, months_after


@pytest.mark.parametrize(
    ("born", "until"),
    [
        (date(2010, 5, 7), date(2015 + 16, 5, 6)),
        (date(2010, 5, 6), date(2036, 5, 6)),
        (date(2000, 5, 7), date(2036, 5, 6)),
        (date(2000, 5, 6), date(2046, 5, 6)),
        (date(1980, 5, 7), date(2046, 5, 6)),
        (date(1980, 5, 6), None),
        (date(1930, 1, 1), None),
    ],
)
def test_a_card_is_valid_by_age(born: date, until: date | None) -> None:
    """On the day of issue: under 16 five years, 16 to 25 ten, 26 to 45 twenty, from 46 for life (Art. 5)."""
    assert card_expires(born, date(2026, 5, 6)) == until


@pytest.mark.parametrize(
    ("day", "months", "later"),
    [
        (date(2024, 3, 7), 3, date(2024, 6, 7)),
        (date(2023, 11, 30), 3, date(2024, 2, 29)),
        (date(2024, 12, 31), 2, date(2025, 2, 28)),
        (date(2024, 2, 29), 12, date(2025, 2, 28)),
    ],
)
def test_a_month_later_is_the_same_day_or_the_last_one(day: date, months: int, later: date) -> None:
    """As cards print it: 2010.05.06 to 2020.05.06."""
    assert months_after(day, months) == later


def test_a_paper_is_valid_through_its_last_day() -> None:
    """Until midnight in China."""
    assert end_of(date(2024, 6, 7)) == datetime(2024, 6, 7, 16, tzinfo=UTC)
