"""What people ask for where they live and their home registry answers: certificates, cards. Drawn, seeded."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

from tongban_sandbox.applications import NOT_ALL_GRADE_A, ONLINE, PAIR_TRIES, PURPOSE, Drawn
from tongban_sandbox.volumes import (
    draw_certificate,
    draw_correction,
    draw_floating_pair,
    draw_outcome,
)

if TYPE_CHECKING:
    from tongban_sandbox.residents import Pool, Resident
    from tongban_shared.catalogue import Catalogue, Item
    from tongban_shared.ids import Province
    from tongban_shared.provinces import ProvinceProfile

# Ours: at what age a first card is asked for, how many faces do not look like the one on file.
FIRST_CARD_AGES = range(16, 36)
ALONE_FROM_AGE = 16
ALIKE, UNLIKE, UNLIKE_SHARE = 97, 50, 0.1


@dataclass(frozen=True, slots=True)
class _Visit:
    """Who asks for what, where. members: others whom it names."""

    applicant: Resident
    accepting: Province
    item: Item
    members: Sequence[Resident] = ()


class WindowDrawer:
    """Draws homes and accepting places by domain.md §5.4, among who is free."""

    def __init__(
        self, pool: Pool, profiles: Mapping[Province, ProvinceProfile], catalogue: Catalogue, random: Random
    ) -> None:
        self._pool = pool
        self._profiles = profiles
        self._random = random
        # Of cards the counts of 2023 have the first issue alone (§5.1).
        self._first = next(i for i in catalogue.items(case_type="id_card") if i.variant == "FIRST")
        self._temporary = catalogue.items(case_type="temporary_id")[0]
        self._certificates = {
            item.variant: item for item in catalogue.items(scope="cross_province", case_type="certificate")
        }

    def certificate(self, today: date) -> Drawn | None:
        """A certificate of any kind; of kinship with somebody of the same household."""
        item = self._certificates[draw_certificate(self._random)]
        visit = self._visit(item, partial(self._may_certify, item, today))
        return None if visit is None else self._drawn(visit)

    def card(self, today: date) -> Drawn | None:
        """A first identity card."""
        visit = self._visit(self._first, partial(_of_age, today))
        return None if visit is None else self._drawn(visit)

    def card_and_temporary(self, today: date) -> Drawn | None:
        """A temporary card needs an open case of an identity card: both are asked for (第78号令 Art. 2)."""
        visit = self._visit(self._first, partial(_of_age, today))
        if visit is None:
            return None
        match = UNLIKE if self._random.random() < UNLIKE_SHARE else ALIKE
        temporary = dataclasses.replace(visit, item=self._temporary)
        body = self._body(temporary, _all_of(self._temporary)) | {"details": {"match_percent": match}}
        return dataclasses.replace(self._drawn(visit), ending="COMPLETED", then=body)

    def _visit(self, item: Item, fits: Callable[[Resident], bool]) -> _Visit | None:
        """Take people from the pool; None when nobody who fits is free."""
        for _ in range(PAIR_TRIES):
            home, accepting = draw_floating_pair(self._random)
            offered = self._profiles[accepting].capabilities.supports(item)
            applicant = self._pool.draw(home, self._random, fits) if offered else None
            if applicant is not None:
                mates = self._pool.members(applicant)[:1] if item.admits_members else ()
                for mate in mates:
                    self._pool.take(mate)
                return _Visit(applicant, accepting, item, mates)
        return None

    def _may_certify(self, item: Item, today: date, person: Resident) -> bool:
        mates = not item.admits_members or bool(self._pool.members(person))
        return mates and person.age(today) >= ALONE_FROM_AGE

    def _drawn(self, visit: _Visit) -> Drawn:
        """With its end, its papers, and what goes wrong with them."""
        random, ending = self._random, draw_outcome(self._random)
        materials = _all_of(visit.item)
        left_out, sent_back = None, draw_correction(random)
        secondary = [m.kind for m in visit.item.materials if not m.main]
        if sent_back and secondary:
            # Missed at the window already; what has no such paper is sent back by the officer.
            left_out, sent_back = random.choice(secondary), False
            materials = [m for m in materials if m["kind"] != left_out]
        if sent_back or ending != "COMPLETED" or random.random() < NOT_ALL_GRADE_A:
            random.choice(materials)["grade"] = "B"
        return Drawn(
            visit.applicant,
            visit.members,
            visit.accepting,
            visit.item,
            self._body(visit, materials),
            # Nothing of this runs out while a session lasts.
            "WITHDRAWN" if ending == "EXPIRED" else ending,
            left_out,
            sent_back,
            moves=False,
        )

    def _body(self, visit: _Visit, materials: Sequence[Mapping[str, str]]) -> dict[str, Any]:
        station = self._random.choice(self._profiles[visit.accepting].stations)
        online = visit.item.online and self._random.random() < ONLINE
        return {
            "item": visit.item.code,
            "channel": "online" if online else "window",
            "accepting_org": station.code,
            "applicant": visit.applicant.as_person(),
            "members": [member.as_person() for member in visit.members],
            "materials": list(materials),
            "purpose": PURPOSE,
            # The purpose of a card is not asked for: by who took it in the traffic knows its own.
            "officer": PURPOSE,
        }


def _all_of(item: Item) -> list[dict[str, str]]:
    return [{"kind": material.kind, "grade": "A"} for material in item.materials]


def _of_age(today: date, resident: Resident) -> bool:
    return resident.age(today) in FIRST_CARD_AGES
