"""Whom a story is about: provinces, and the first household that fits."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from tongban_sandbox.people import AS_OF, SyntheticHousehold, SyntheticPerson
from tongban_shared.ids import Province
from tongban_shared.validity import age_on

if TYPE_CHECKING:
    from tongban_sandbox.teller import Teller

JIANGSU, ZHEJIANG, GUANGDONG = Province("32"), Province("33"), Province("44")
PROVINCES = (JIANGSU, ZHEJIANG, GUANGDONG)
"""All that the stories need: a country of these three will do."""

Fits = Callable[[SyntheticHousehold], bool]


def first(teller: Teller, province: Province, fits: Fits) -> SyntheticHousehold:
    """The first household that fits and that no story before has used."""
    return teller.choose(province, fits)


def age_of(person: SyntheticPerson) -> int:
    """Whole years on the day as of which people are made up."""
    return age_on(person.birth_date, AS_OF)
