"""A crowd on the move: many migrations at once, and what must hold for all of them at every instant."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from tests.stories.folk import Resident
from tests.stories.world import Country

ENDED = {"COMPLETED", "CONFIRMED", "REFUSED", "WITHDRAWN", "EXPIRED", "VOIDED"}
AT_ONCE = 100
CHECKS_MIN = 20
OPEN_CASES = "closed_at IS NULL"
HAPPY = (
    ["CHECKING", "PERMITTED", "PREPARED", "COMPLETED"],
    ["OPEN", "FROZEN", "RELEASING", "RELEASED", "CONFIRMED"],
)


@dataclass(slots=True)
class Trip:
    """One person's move, alone or with the family. `kind`: plain, family, withdrawn or held."""

    person: Resident
    to: str
    kind: str
    members: Sequence[Resident] = ()
    case_id: str = ""


def plan(country: Country, number: int, random: Random) -> list[Trip]:
    """A mixed crowd: nine of ten move, the others withdraw or are under a hold."""
    trips = []
    codes = list(country.sites)
    for index in range(number):
        origin = codes[index % len(codes)]
        to = random.choice([code for code in codes if code != origin])
        kind = random.choices(("plain", "family", "withdrawn", "held"), (80, 10, 6, 4))[0]
        family = country.sites[origin].folk.families.pop()
        head = family[0] if family[0].age >= 18 else max(family, key=lambda member: member.age)
        others = [member for member in family if member is not head]
        whole = kind == "family" or any(member.age < 18 for member in family)
        trips.append(Trip(head, to, kind, others if whole else ()))
    return trips


async def depart(country: Country, trips: Sequence[Trip]) -> None:
    """All apply; some take it back at once, some are under a hold before."""
    for start in range(0, len(trips), AT_ONCE):
        await asyncio.gather(*(_depart(country, trip) for trip in trips[start : start + AT_ONCE]))


async def _depart(country: Country, trip: Trip) -> None:
    if trip.kind == "held":
        assert (await country.hold(trip.person, "HOLD")).status_code == 200
    trip.case_id = await country.apply(trip.person, trip.to, members=trip.members, item="0107")
    if trip.kind == "withdrawn":
        answer = await country.act(trip.to, trip.case_id, "withdrawal")
        assert answer.status_code in {202, 409}, answer.text


class Watch:
    """Looks at all registers again and again while the crowd moves: never two homes, never none."""

    def __init__(self, country: Country) -> None:
        self.checks = 0
        self.in_transfer = 0
        self._country = country

    def check(self) -> None:
        """Look once, at one instant."""
        assert self._country.registers.homeless_and_doubled() == []
        moving = "state IN ('FROZEN', 'RELEASED', 'PREPARED')"
        self.in_transfer += self._country.registers.count("person", moving) > 0
        self.checks += 1

    async def until_all_ended(self, trips: Sequence[Trip]) -> None:
        """Look after every commit or so, until no case is open anywhere."""
        while True:
            self.check()
            if self._country.registers.count("cases", OPEN_CASES) == 0 and all(t.case_id for t in trips):
                return
            await self._country.news()


async def arrived(country: Country, trips: Sequence[Trip]) -> None:
    """Everybody's move has ended as it should, on both sides, and nothing is left over."""
    await country.calm()
    registers = country.registers
    everybody = registers.everybody()
    for trip in trips:
        here, there = country.state(trip.to, trip.case_id), country.state(trip.person.province, trip.case_id)
        moved = here == "COMPLETED"
        assert {here, there} <= {*ENDED, None}, (trip.kind, here, there)
        if moved:
            assert there == "CONFIRMED"
            assert country.timeline(trip.to, trip.case_id) == HAPPY[0]
            assert country.timeline(trip.person.province, trip.case_id) == HAPPY[1]
        assert moved or trip.kind in {"withdrawn", "held"}, (trip.kind, here)
        for person in (trip.person, *trip.members):
            rows = [row for row in everybody[person.key] if row[2] in {"HELD", "FROZEN"}]
            assert [row[:3] for row in rows] == [
                (trip.to, 1, "HELD") if moved else (trip.person.province, 0, "HELD")
            ]
    assert registers.count("outbox", "next_try_at IS NOT NULL") == 0
    assert (registers.count("parked"), registers.count("quarantine")) == (0, 0)
