"""Where the stories play, and how old their people are."""

from __future__ import annotations

from tongban_sandbox.people import AS_OF, SyntheticPerson
from tongban_shared.ids import Province
from tongban_shared.validity import age_on

JIANGSU, ZHEJIANG, GUANGDONG = Province("32"), Province("33"), Province("44")
PROVINCES = (JIANGSU, ZHEJIANG, GUANGDONG)
"""All that the stories need: a country of these three will do."""


def age_of(person: SyntheticPerson) -> int:
    """Whole years on the day as of which people are made up."""
    return age_on(person.birth_date, AS_OF)
