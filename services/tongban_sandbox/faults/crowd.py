"""The people of the run: parties that move again and again, each with one case at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from tongban_sandbox.bench.load import application_of, as_person, automatic_items, choose
from tongban_sandbox.booklet import seeded_households
from tongban_sandbox.state import Plan
from tongban_shared.catalogue import Item
from tongban_shared.ids import PersonKey, Province, person_key
from tongban_shared.provinces import ProvinceProfile, load_provinces

TRIES = 50


@dataclass(slots=True)
class Party:
    """Who moves together. persons: numbers of ours; people: as the public interface takes them.

    home, epoch: as the ended cases have it. busy: a case of theirs is open.
    """

    persons: Sequence[int]
    people: Sequence[Mapping[str, str]]
    home: Province
    epoch: int = 0
    busy: bool = False


class Crowd:
    """All parties, drawn from the households with which the country begins; the same seed, the same moves."""

    def __init__(self, provinces: Sequence[Province], plan: Plan) -> None:
        self.parties: list[Party] = []
        self.first_homes: dict[int, str] = {}
        self._provinces = tuple(provinces)
        self._random = Random(plan.seed)
        self._items = automatic_items()
        self._profiles = load_provinces()
        for code in self._provinces:
            for home in seeded_households(code, plan):
                chosen = choose(home, self._random.random, admits_members=True)
                if chosen is not None:
                    self._add(code, [as_person(chosen[0]), *map(as_person, chosen[1])])
        self._random.shuffle(self.parties)

    def _add(self, code: Province, people: Sequence[Mapping[str, str]]) -> None:
        numbers = range(len(self.first_homes), len(self.first_homes) + len(people))
        self.parties.append(Party(numbers, people, code))
        self.first_homes |= dict.fromkeys(numbers, code)

    def keys(self, secret: bytes) -> dict[PersonKey, int]:
        """Whom a register's key means. secret: of the person keys."""
        return {
            person_key(secret, person["id_number"]): number
            for party in self.parties
            for number, person in zip(party.persons, party.people, strict=True)
        }

    def somebody(self, provinces: frozenset[str]) -> tuple[Party, int] | None:
        """A party and the place in it of one person, at one of these provinces if any are named."""
        party = self._draw(lambda party: not provinces or party.home in provinces)
        return None if party is None else (party, self._random.randrange(len(party.persons)))

    def movers(
        self,
        provinces: frozenset[str],
        closed: frozenset[str] = frozenset(),
        *,
        apart: frozenset[str] = frozenset(),
        origins: frozenset[str] = frozenset(),
    ) -> tuple[Party, Province] | None:
        """A party that is free, and where it moves: from or to `provinces` if any are named.

        closed: nobody moves there; apart: nor from there; origins: from one of these, if any are named. None
        where luck finds no party.
        """

        def fits(party: Party) -> bool:
            here = not origins or party.home in origins
            return here and not party.busy and party.home not in apart

        party = self._draw(fits)
        if party is None:
            return None
        shut = {party.home, *closed, *apart}
        others = [code for code in self._provinces if code not in shut]
        if not others:
            return None
        wanted = [code for code in others if code in provinces]
        return party, self._random.choice(others if party.home in provinces or not wanted else wanted)

    def _draw(self, fits: Callable[[Party], bool]) -> Party | None:
        tries = (self._random.choice(self.parties) for _ in range(TRIES))
        return next((party for party in tries if fits(party)), None)

    def application(self, party: Party, destination: Province) -> dict[str, Any]:
        """What the party hands in."""
        profile = self._profiles[destination]
        return application_of(party.people, profile, self._item(party, profile))

    def _item(self, party: Party, profile: ProvinceProfile) -> Item:
        fitting = [
            item
            for kind, item in sorted(self._items.items())
            if kind in profile.capabilities.migration_types
            and (len(party.people) == 1 or item.admits_members)
        ]
        return self._random.choice(fitting)
