"""What a measurement is fed with: cases drawn from the national volumes, each with people of its own.

Drawn once from one seed. Nobody moves twice, so every case is independent and its end is known beforehand.
Migrations that would wait for a person's decision are left out: no machine works while people think. Of the
other types the officers and windows are commands that follow at once (feeding.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from tongban_sandbox.bench.visits import CERTIFICATE, Visit, card_of, certificate_of, temporary_of
from tongban_sandbox.people import SyntheticHousehold, SyntheticPerson, households
from tongban_sandbox.plays import CARD, MIGRATION, TEMPORARY, Mix
from tongban_sandbox.volumes import (
    draw_floating_pair,
    draw_migration_pair,
    draw_migration_type,
    draw_outcome,
)
from tongban_shared.catalogue import Item, load_catalogue
from tongban_shared.ids import Province
from tongban_shared.provinces import ProvinceProfile, load_provinces

SEED = 1
ADULT_YEARS = 18
# Ours, as in the sandbox's traffic: how often a family moves as a whole where the item admits it.
WHOLE_HOUSEHOLD = 0.2
# Half of the refusals: the name is not the register's; the other half: a court's hold.
HOLD_SHARE = 0.5
COMPLETED, WRONG_NAME, HELD_UP, WITHDRAWN = "COMPLETED", "WRONG_NAME", "HELD_UP", "WITHDRAWN"
SOMEBODY_ELSE = "某某某"
PEOPLE_PER_CASE_GUESS = 8
# The mix has no shape here, so it is the same at any time.
AT_ANY_TIME = datetime(2023, 1, 1, tzinfo=UTC)
Pair = tuple[Province, Province]


class BenchCase(msgspec.Struct, frozen=True):
    """One application. n: its place in the national row; ending: COMPLETED, WRONG_NAME, HELD_UP or WITHDRAWN.

    persons: how many it names. kind: its case type. then: of a card, the application of a temporary one that
    is handed in when the card is approved; a case of its own.
    """

    n: int
    origin: Province
    destination: Province
    ending: str
    persons: int
    body: dict[str, Any]
    kind: str = MIGRATION
    then: dict[str, Any] | None = None


class Load(msgspec.Struct):
    """All cases of a run; people: how many to seed in each province; holds: id numbers under a hold.

    plain: so many of the cases are migrations, and come first; those after them are of all types.
    """

    cases: list[BenchCase]
    people: dict[Province, int]
    holds: dict[Province, list[str]]
    plain: int = 0

    def write(self, folder: Path) -> None:
        """One file for each province: what it accepts, whom it registers."""
        folder.mkdir(parents=True, exist_ok=True)
        mine: dict[Province, list[BenchCase]] = {code: [] for code in self.people}
        for case in self.cases:
            mine[case.destination].append(case)
        for code, people in self.people.items():
            share = Share(people, self.holds.get(code, []), mine[code])
            (folder / f"{code}.json").write_bytes(msgspec.json.encode(share))


class Share(msgspec.Struct):
    """One province's part of the load: people to seed, who of them is under a hold, cases it accepts."""

    people: int
    holds: list[str]
    cases: list[BenchCase]

    @classmethod
    def read(cls, folder: Path, province: Province) -> Share:
        """Read what `Load.write` wrote."""
        return msgspec.json.decode((folder / f"{province}.json").read_bytes(), type=cls)


@dataclass(slots=True)
class _Party:
    """Who moves in one case."""

    applicant: SyntheticPerson
    members: Sequence[SyntheticPerson] = ()


def draw_load(count: int, provinces: Sequence[Province], seed: int = SEED, *, mixed: int = 0) -> Load:
    """Draw `count` migrations and `mixed` cases of all types among `provinces` (at least 2).

    The same arguments give the same load.
    """
    random = Random(seed)
    source = _Source(provinces, random, count + mixed)
    cases = [source.case(n) for n in range(count)]
    cases += [source.mixed(n) for n in range(count, count + mixed)]
    return Load(cases, {code: max(1, source.people[code]) for code in provinces}, source.holds, count)


class _Source:
    """Draws cases, taking each province's households in turn."""

    def __init__(self, provinces: Sequence[Province], random: Random, count: int) -> None:
        self.people: Counter[Province] = Counter()
        self.holds: dict[Province, list[str]] = {}
        self._random = random
        self._profiles = load_provinces()
        self._items = automatic_items()
        self._mix = Mix()
        self._homes = {code: iter(households(code, self._enough(count), SEED)) for code in provinces}

    @staticmethod
    def _enough(count: int) -> int:
        """More people than a province can lose; only those that are reached are made."""
        return count * PEOPLE_PER_CASE_GUESS + 10_000

    def case(self, n: int) -> BenchCase:
        origin, destination = self._pair()
        profile = self._profiles[destination]
        offered = profile.capabilities.migration_types & self._items.keys()
        item = self._items[draw_migration_type(self._random, offered)]
        party = self._party(origin, item)
        ending = self._ending()
        if ending == HELD_UP:
            self.holds.setdefault(origin, []).append(party.applicant.id_number)
        persons = 1 + len(party.members)
        return BenchCase(n, origin, destination, ending, persons, _body(party, profile, item, ending))

    def mixed(self, n: int) -> BenchCase:
        """A case of any type, in the proportions of 2023."""
        case_type = None
        while case_type is None:
            case_type = self._mix.draw_type(self._random, AT_ANY_TIME)
        return self.case(n) if case_type == MIGRATION else self._at_window(n, case_type)

    def _at_window(self, n: int, case_type: str) -> BenchCase:
        """What is asked for where people live. With wrong names some are refused, and some are withdrawn."""
        home, accepting = self._pair(draw_floating_pair)
        visitor, *mates = self._visitors(home)
        pair = case_type == TEMPORARY
        ending = COMPLETED if pair else self._ending()
        ending = WRONG_NAME if ending == HELD_UP else ending
        who = Visit(as_person(visitor), [as_person(mate) for mate in mates], self._profiles[accepting])
        kind = CARD if pair else case_type
        body = certificate_of(who, self._random) if kind == CERTIFICATE else card_of(who)
        then = temporary_of(who) if pair else None
        if ending == WRONG_NAME:
            body["applicant"] = {**body["applicant"], "name": SOMEBODY_ELSE}
        return BenchCase(n, home, accepting, ending, 1 + len(body["members"]), body, kind, then)

    def _visitors(self, home: Province) -> Sequence[SyntheticPerson]:
        """An adult, and somebody of the same household if there is anybody."""
        for household in self._homes[home]:
            self.people[home] += len(household.members)
            adults = [member for member in household.members if _adult(member)]
            if household.kind == "FAMILY" and adults:
                others = [member for member in household.members if member is not adults[0]]
                return [adults[0], *others[:1]]
        raise AssertionError("a province has run out of households")

    def _pair(self, draw: Callable[[Random], Pair] = draw_migration_pair) -> Pair:
        while True:
            origin, destination = draw(self._random)
            if origin in self._homes and destination in self._homes:
                return origin, destination

    def _party(self, origin: Province, item: Item) -> _Party:
        for home in self._homes[origin]:
            self.people[origin] += len(home.members)
            party = choose(home, self._random.random, admits_members=item.admits_members)
            if party is not None:
                return _Party(*party)
        raise AssertionError("a province has run out of households")

    def _ending(self) -> str:
        drawn = draw_outcome(self._random)
        if drawn == "REFUSED":
            return HELD_UP if self._random.random() < HOLD_SHARE else WRONG_NAME
        return COMPLETED if drawn == "COMPLETED" else WITHDRAWN


def choose(
    home: SyntheticHousehold, chance: Callable[[], float], *, admits_members: bool
) -> tuple[SyntheticPerson, Sequence[SyntheticPerson]] | None:
    """Who of a household moves: one adult who leaves no minors alone, or all; None where nobody can."""
    if home.kind != "FAMILY":
        return None
    adults = [member for member in home.members if _adult(member)]
    alone = len(adults) == 1 and len(home.members) > 1
    whole = len(home.members) > 1 and admits_members and (alone or chance() < WHOLE_HOUSEHOLD)
    if whole:
        head, *others = home.members
        return head, others
    if alone:
        return None
    return adults[int(chance() * len(adults))], ()


def _adult(member: SyntheticPerson) -> bool:
    born = member.birth_date
    return born <= date(date.today().year - ADULT_YEARS - 1, 12, 31)  # noqa: DTZ011 (a year's margin)


def automatic_items() -> Mapping[str, Item]:
    """Items of migration that end without an officer, by type of migration."""
    items = load_catalogue().items(case_type="migration")
    return {i.variant: i for i in items if i.variant and i.automatic and not i.restores}


def _body(party: _Party, profile: ProvinceProfile, item: Item, ending: str) -> dict[str, Any]:
    applicant = as_person(party.applicant)
    if ending == WRONG_NAME:
        applicant["name"] = SOMEBODY_ELSE
    return application_of([applicant, *map(as_person, party.members)], profile, item)


def application_of(
    people: Sequence[Mapping[str, str]], profile: ProvinceProfile, item: Item
) -> dict[str, Any]:
    """POST /v1/cases, complete and of grade A, so that no officer is needed. people: applicant first."""
    applicant, *members = people
    return {
        "item": item.code,
        "channel": "window",
        "applicant": applicant,
        "members": members,
        "destination": {
            "province": profile.code,
            "org_code": profile.county_bureau,
            "address": f"{profile.name}示例市示例路1号",
        },
        "materials": [{"kind": material.kind, "grade": "A"} for material in item.materials],
    }


def as_person(person: SyntheticPerson) -> dict[str, str]:
    """A person as the public interface takes one."""
    return {"id_number": person.id_number, "name": person.name}


def spread(load: Load, workers: int) -> list[list[Province]]:
    """Share the provinces out so that each worker has about the same work; at most one list a worker."""
    work: Counter[Province] = Counter(dict.fromkeys(load.people, 1))
    for case in load.cases:
        work[case.origin] += 1
        work[case.destination] += 1
    lists: list[list[Province]] = [[] for _ in range(min(workers, len(work)))]
    sums = [0] * len(lists)
    for code, weight in work.most_common():
        least = sums.index(min(sums))
        lists[least].append(code)
        sums[least] += weight
    return lists


def windows(cases: Sequence[BenchCase], total: int) -> dict[Province, int]:
    """How many cases each destination may have open at once, in proportion, so that all end together."""
    counts = Counter(case.destination for case in cases)
    return {code: max(4, total * count // len(cases)) for code, count in counts.items()}
