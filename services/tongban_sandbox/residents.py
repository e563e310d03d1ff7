"""Synthetic people and where they live now, as the registers hold them: for traffic and for guests."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec

from tongban_shared.ids import Province
from tongban_shared.validity import age_on

if TYPE_CHECKING:
    from tongban_sandbox.registers import Registers

# More than this a sandbox's traffic does not need, and a large country would fill the memory.
POOL_PER_PROVINCE_MAX = 1_000
TRIES = 60
FREE = (
    "SELECT person.key, person.household_id, record.record"
    " FROM person JOIN record ON record.person = person.key"
    " WHERE person.state = 'HELD' AND person.case_id IS NULL AND person.hold = 0 LIMIT ?"
)


class _Form(msgspec.Struct):
    """What is read of a resident form."""

    id_number: str
    name: str
    sex: str
    birth_date: date
    relation_code: str
    marital_code: str
    synthetic: bool


_read_form = msgspec.json.Decoder(_Form).decode


class Resident(msgspec.Struct, frozen=True):
    """A made-up person in one province. household_no: None where it is not known yet, after a move."""

    key: str
    id_number: str
    name: str
    sex: str
    birth_date: date
    relation_code: str
    marital_code: str
    household_no: str | None
    province: Province

    def __repr__(self) -> str:
        """Without name and number: this may stand in a traceback."""
        return f"Resident({self.province})"

    def age(self, today: date) -> int:
        """Whole years."""
        return age_on(self.birth_date, today)

    def public(self) -> dict[str, Any]:
        """As the sandbox shows people to its guests."""
        shown = msgspec.to_builtins(self)
        del shown["key"]
        return {**shown, "synthetic": True}

    def as_person(self) -> dict[str, str]:
        """As an application names a person."""
        return {"id_number": self.id_number, "name": self.name}


async def residents_of(registers: Registers, province: Province, limit: int) -> list[Resident]:
    """Up to `limit` people registered in a province, free to move: not in transfer, no hold."""
    return await asyncio.to_thread(_read, registers, province, limit)


def _read(registers: Registers, province: Province, limit: int) -> list[Resident]:
    with registers.reader(province) as reader:
        rows = reader.execute(FREE, (limit,)).fetchall()
    found = []
    for key, home, record in rows:
        form = _read_form(record)
        # Nobody real is ever handed out, whatever a database holds.
        if form.synthetic:
            found.append(
                Resident(
                    key=key,
                    id_number=form.id_number,
                    name=form.name,
                    sex=form.sex,
                    birth_date=form.birth_date,
                    relation_code=form.relation_code,
                    marital_code=form.marital_code,
                    household_no=home,
                    province=province,
                )
            )
    return found


class Pool:
    """Who is free where. Whoever is taken comes back with `put`."""

    def __init__(self, residents: Iterable[Resident]) -> None:
        self._lists: dict[Province, list[Resident]] = defaultdict(list)
        self._places: dict[str, int] = {}
        self._homes: dict[str, dict[str, Resident]] = defaultdict(dict)
        for resident in residents:
            self.put(resident)

    @classmethod
    async def of(cls, registers: Registers, provinces: Iterable[Province]) -> Pool:
        """Everybody free, up to a limit a province."""
        found: list[Resident] = []
        for province in provinces:
            found += await residents_of(registers, province, POOL_PER_PROVINCE_MAX)
        return cls(found)

    def draw(self, province: Province, random: Random, fits: Callable[[Resident], bool]) -> Resident | None:
        """Take a free person who fits; None when some tries find nobody."""
        free = self._lists[province]
        for _ in range(TRIES):
            if not free:
                return None
            resident = free[int(random.random() * len(free))]
            if fits(resident):
                self.take(resident)
                return resident
        return None

    def members(self, resident: Resident) -> Sequence[Resident]:
        """The other free members of the resident's household."""
        home = self._homes.get(resident.household_no or "", {})
        return [member for member in home.values() if member.key != resident.key]

    def take(self, resident: Resident) -> None:
        """Out of the pool: the last of the list fills the gap."""
        free, place = self._lists[resident.province], self._places.pop(resident.key)
        last = free.pop()
        if last.key != resident.key:
            free[place] = last
            self._places[last.key] = place
        self._homes.get(resident.household_no or "", {}).pop(resident.key, None)

    def put(self, resident: Resident) -> None:
        """Back into the pool, at the province that stands in `resident`."""
        free = self._lists[resident.province]
        self._places[resident.key] = len(free)
        free.append(resident)
        if resident.household_no is not None:
            self._homes[resident.household_no][resident.key] = resident
