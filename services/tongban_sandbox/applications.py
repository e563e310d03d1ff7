"""Applications as people would make them: who, where to, on which ground, with which papers. Drawn, seeded.

What the sandbox draws is marked with a purpose of its own, so that it can be told from guests' cases.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

from tongban_sandbox.people import MARRIED, SINGLE, UNRELATED
from tongban_sandbox.volumes import (
    draw_correction,
    draw_migration_pair,
    draw_migration_type,
    draw_outcome,
)
from tongban_shared.registration import ADULT_AGE

if TYPE_CHECKING:
    from tongban_sandbox.residents import Pool, Resident
    from tongban_shared.catalogue import Catalogue, Item
    from tongban_shared.ids import Province
    from tongban_shared.provinces import ProvinceProfile

PURPOSE = "SANDBOX_TRAFFIC"
# Ours: how many papers come from an authority's own data, and how often a whole family moves.
NOT_ALL_GRADE_A = 0.12
WHOLE_HOUSEHOLD = 0.2
ONLINE = 0.35
PAIR_TRIES = 20


@dataclass(frozen=True, slots=True)
class Ground:
    """Who has such a ground: years of age from and to, and marital status where it matters (GB/T 2261.2)."""

    age_min: int
    age_max: int
    marital: str | None = None


GROUNDS: Mapping[str, Ground] = {
    "STUDENT_ADMISSION": Ground(17, 20, SINGLE),
    "STUDENT_GRADUATION": Ground(21, 27),
    "SPOUSE": Ground(22, 60, MARRIED),
    "PARENT_TO_CHILD": Ground(55, 100),
    "CHILD_TO_PARENT": Ground(0, 17),
    "ADOPTION": Ground(0, 13),
    "TALENT": Ground(22, 45),
    "RETIREMENT": Ground(50, 100),
}
ANY_ADULT = Ground(18, 65)


@dataclass(frozen=True, slots=True)
class Drawn:
    """One application and how it goes on. ending: COMPLETED, REFUSED or WITHDRAWN, where people decide.

    destination: where it is accepted. sent_back: an officer asks for more. then: what the applicant asks for
    too, once this is granted. moves: whether its people live at the destination when it has completed.
    """

    applicant: Resident
    members: Sequence[Resident]
    destination: Province
    item: Item
    body: Mapping[str, Any]
    ending: str
    left_out: str | None = None
    sent_back: bool = False
    then: Mapping[str, Any] | None = None
    moves: bool = True

    @property
    def persons(self) -> tuple[Resident, ...]:
        """Everybody who moves, or is named."""
        return (self.applicant, *self.members)


class Drawer:
    """Draws from the national volumes and from who is free."""

    def __init__(
        self, pool: Pool, profiles: Mapping[Province, ProvinceProfile], catalogue: Catalogue, random: Random
    ) -> None:
        self._pool = pool
        self._profiles = profiles
        self._random = random
        # Whoever comes back from the forces has no registration: no such people are seeded.
        self._items = {
            item.variant: item
            for item in catalogue.items(case_type="migration")
            if item.variant is not None and not item.restores
        }

    def draw(self, today: date) -> Drawn | None:
        """Draw an application and take its people from the pool; None when nobody who fits is free."""
        for _ in range(PAIR_TRIES):
            origin, destination = draw_migration_pair(self._random)
            offered = self._profiles[destination].capabilities.migration_types & self._items.keys()
            item = self._items[draw_migration_type(self._random, offered)]
            ground = GROUNDS.get(item.variant or "", ANY_ADULT)
            applicant = self._pool.draw(origin, self._random, partial(_fits, ground, today))
            if applicant is not None:
                return self._application(applicant, (destination, item), today)
        return None

    def _application(self, applicant: Resident, move: tuple[Province, Item], today: date) -> Drawn:
        destination, item = move
        members = self._members(applicant, item, today)
        ending = draw_outcome(self._random)
        # An application that runs out takes its 30 days; within a session it is withdrawn instead.
        ending = "WITHDRAWN" if ending == "EXPIRED" else ending
        materials = [{"kind": m.kind, "grade": "A"} for m in item.materials]
        left_out = None
        secondary = [m.kind for m in item.materials if not m.main]
        if secondary and draw_correction(self._random):
            left_out = self._random.choice(secondary)
            materials = [m for m in materials if m["kind"] != left_out]
        if ending != "COMPLETED" or self._random.random() < NOT_ALL_GRADE_A:
            # Only a case that waits for an officer can be refused or withdrawn by people.
            self._random.choice(materials)["grade"] = "B"
        drawn = Drawn(applicant, members, destination, item, {}, ending, left_out)
        return replace(drawn, body=self._body(drawn, materials))

    def _members(self, applicant: Resident, item: Item, today: date) -> Sequence[Resident]:
        """Who moves too: sometimes everybody, and everybody where only minors would stay (M-2)."""
        if applicant.relation_code == UNRELATED or not item.admits_members:
            return ()
        members = self._pool.members(applicant)
        only_minors = all(member.age(today) < ADULT_AGE for member in members)
        if not only_minors and self._random.random() > WHOLE_HOUSEHOLD:
            return ()
        for member in members:
            self._pool.take(member)
        return members

    def _body(self, drawn: Drawn, materials: Sequence[Mapping[str, str]]) -> Mapping[str, Any]:
        profile = self._profiles[drawn.destination]
        station = self._random.choice(profile.stations)
        online = drawn.item.online and self._random.random() < ONLINE
        return {
            "item": drawn.item.code,
            "channel": "online" if online else "window",
            "accepting_org": station.code,
            "applicant": drawn.applicant.as_person(),
            "members": [member.as_person() for member in drawn.members],
            "destination": {
                "province": drawn.destination,
                "org_code": station.code,
                "address": f"{profile.name}示例市示例路{self._random.randint(1, 999)}号",
            },
            "materials": list(materials),
            "purpose": PURPOSE,
        }


def _fits(ground: Ground, today: date, resident: Resident) -> bool:
    right_age = ground.age_min <= resident.age(today) <= ground.age_max
    return right_age and ground.marital in (None, resident.marital_code)
