"""Working days (工作日) of the country, holidays and make-up days (调休) seen to. Source: domain.md §4.1.

The State Council announces the days of a year in the November before. chinesecalendar carries its notices: a
newer release of it brings the next year, and nothing changes here. Until then a year is known only by the
holidays that the law names, without days in lieu and make-up days, and what is counted so is provisional.
"""

from __future__ import annotations

from datetime import date, timedelta

from chinese_calendar import Holiday, holidays, workdays

SATURDAY = 5
# The notices known here cover these years without a gap.
FIRST_YEAR, LAST_YEAR = min(holidays).year, max(holidays).year
HOLIDAYS = frozenset(holidays)
MAKE_UP_DAYS = frozenset(workdays)

SPRING_FESTIVAL = Holiday.spring_festival.value

# 全国年节及纪念日放假办法, as of 2025, Art. 2. Month and day of those that follow the sun.
FIXED = frozenset({(1, 1), (5, 1), (5, 2), (10, 1), (10, 2), (10, 3)})
# First day of the first month: the law frees its eve and the two days after it as well.
SPRING_FESTIVALS = (date(2027, 2, 6), date(2028, 1, 26), date(2029, 2, 13), date(2030, 2, 3))
# 清明, 端午, 中秋.
ONE_DAY_FESTIVALS = frozenset(
    {
        *(date(2027, 4, 5), date(2028, 4, 4), date(2029, 4, 4), date(2030, 4, 5)),
        *(date(2027, 6, 9), date(2028, 5, 28), date(2029, 6, 16), date(2030, 6, 5)),
        *(date(2027, 9, 15), date(2028, 10, 3), date(2029, 9, 22), date(2030, 9, 12)),
    }
)
LUNAR = ONE_DAY_FESTIVALS | {
    first + timedelta(days=offset) for first in SPRING_FESTIVALS for offset in range(-1, 3)
}


def is_announced(day: date) -> bool:
    """Whether the State Council's notice for the year of that day is known here."""
    return FIRST_YEAR <= day.year <= LAST_YEAR


def is_national_working_day(day: date) -> bool:
    """Whether offices open on that day where no province says otherwise; a guess unless `is_announced`."""
    if day in MAKE_UP_DAYS:
        return True
    if day.weekday() >= SATURDAY or day in HOLIDAYS:
        return False
    return is_announced(day) or ((day.month, day.day) not in FIXED and day not in LUNAR)


def is_national_holiday(day: date) -> bool:
    """Whether that day is off by law or notice, not as a usual weekend; a guess unless `is_announced`."""
    return day in HOLIDAYS or (day.weekday() < SATURDAY and not is_national_working_day(day))


def is_spring_festival(day: date) -> bool:
    """Whether that day is one of the days off of Spring Festival (春节); a guess unless `is_announced`."""
    if is_announced(day):
        return bool(holidays.get(day) == SPRING_FESTIVAL)
    return any(first + timedelta(days=offset) == day for first in SPRING_FESTIVALS for offset in range(-1, 3))
