"""The working set of one unit of work."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import cast

from msgspec.structs import replace

from tongban_registry.loaded import Loaded
from tongban_registry.office import Counters, Office
from tongban_registry.unit import Unit
from tongban_shared.ids import Province
from tongban_shared.provinces import load_provinces
from tongban_shared.registration import Person, Registration

KEY = "0" * 32
FORM = '{"name": "example"}'
NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


class Desk:
    """As much of an office as a unit looks at."""

    profile = load_provinces()[Province("33")]
    province = Province("33")
    org = profile.county_bureau
    calendars = {province: profile.calendar}  # noqa: RUF012  # read alone


def test_a_new_head_keeps_the_resident_form() -> None:
    """Who becomes head is a copy from the household's members, which has no form; a move may come next."""
    person = Person(KEY, 1, Registration.HELD, 1, "0" * 16, date(1990, 1, 1), "home", head=False, record=FORM)
    unit = Unit(cast("Office", Desk()), Counters(), Loaded(people={KEY: person}), NOW)
    unit.put_person(replace(person, head=True, record=""))
    assert unit.people[KEY].head
    assert unit.people[KEY].record == FORM
    assert unit.changes.records == {}
