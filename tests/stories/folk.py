"""The people of the stories: synthetic families of one province, picked by who lives together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache

import msgspec

from tests.stories.clock import MORNING
from tongban_sandbox.people import HEAD, SyntheticHousehold, SyntheticPerson, households
from tongban_shared.ids import PersonKey, name_check, person_key
from tongban_shared.registration import ADULT_AGE, Household, Person, Registration

# Everybody of the stories was born before this day or after the next; ages are those of that morning.
TODAY = MORNING.date()


@cache
def census(province: str, people: int) -> tuple[SyntheticHousehold, ...]:
    """The same families each time."""
    return tuple(households(province, people, seed=7))


def age_of(born: date) -> int:
    """Full years on the day the stories begin."""
    return TODAY.year - born.year - ((TODAY.month, TODAY.day) < (born.month, born.day))


@dataclass(frozen=True, slots=True)
class Resident:
    """One person of a story."""

    key: PersonKey
    id_number: str
    name: str
    home: str
    province: str
    age: int
    head: bool
    check: str
    record: Mapping[str, object] = field(repr=False)

    @property
    def identity(self) -> dict[str, str]:
        """As the door wants it."""
        return {"id_number": self.id_number, "name": self.name}

    def row(self, born: date) -> Person:
        """As a first registration."""
        return Person(
            key=self.key,
            epoch=0,
            state=Registration.HELD,
            record_version=1,
            name_check=self.check,
            birth_date=born,
            household_id=self.home,
            head=self.head,
            version=1,
            record=msgspec.json.encode(self.record).decode(),
        )


class Folk:
    """One province's people: seeded once, then handed out family by family."""

    def __init__(self, province: str, people: int, secret: bytes) -> None:
        self.households: list[Household] = []
        self.persons: list[Person] = []
        self.families: list[list[Resident]] = []
        for home in census(province, people):
            self.households.append(Household(home.household_no, home.kind, home.station_code, home.address))
            members = [self._resident(member, home, (province, secret)) for member in home.members]
            if home.kind == "FAMILY":
                self.families.append(members)

    def _resident(
        self, member: SyntheticPerson, home: SyntheticHousehold, place: tuple[str, bytes]
    ) -> Resident:
        province, secret = place
        resident = Resident(
            key=person_key(secret, member.id_number),
            id_number=member.id_number,
            name=member.name,
            home=home.household_no,
            province=province,
            age=age_of(member.birth_date),
            head=home.kind == "FAMILY" and member.relation_code == HEAD,
            check=name_check(secret, member.id_number, member.name),
            record={**member.record, "name": member.name, "id_number": member.id_number},
        )
        self.persons.append(resident.row(member.birth_date))
        return resident

    def family(self, adults: int, minors: int = 0) -> list[Resident]:
        """A family of so many, nobody of whom was handed out before; the head comes first."""
        for family in self.families:
            grown = sum(member.age >= ADULT_AGE for member in family)
            if (grown, len(family) - grown) == (adults, minors):
                self.families.remove(family)
                return family
        raise AssertionError(f"no family of {adults} adults and {minors} minors left; seed more people")

    def singles(self) -> Iterator[Resident]:
        """Adults who live alone, one after another."""
        while True:
            yield self.family(1)[0]
