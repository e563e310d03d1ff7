"""What a newborn's case asks of the custody ledger: the claim, a free number, the first registration.

A number (公民身份号码) is chosen among those that the ledger has nobody under, and is allotted by the
ledger's compare-and-set alone: no table of this database has to remember which were given, so none is given
twice after it was put back. A child that the ledger has already gets the number that it has (decision 0012).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tongban_registry.commands import Command
from tongban_shared.cases.newborn_data import Child, ClaimSaid, EnteredSaid, Numbered, Released
from tongban_shared.ids import SEQUENCE_MAX, CaseId, PersonKey, Sex, make_id_number, name_check, person_key
from tongban_shared.ports import Birth

if TYPE_CHECKING:
    from datetime import date

    from tongban_registry.inbox import Hall
    from tongban_registry.unit import Ask
    from tongban_shared.cases.kind import Case
    from tongban_shared.ports import BirthHeld, Ledger


class BirthDesk:
    """One province's questions. Every method raises LedgerDownError, StoreDownError; then ask again."""

    def __init__(self, hall: Hall, ledger: Ledger) -> None:
        self._hall = hall
        self._office = hall.office
        self._ledger = ledger

    async def ask(self, asks: Sequence[Ask]) -> None:
        """All of a batch; the answers are put before the hall."""
        steps = {
            "ledger.claim": self._claim,
            "ledger.number": self._number,
            "ledger.enter": self._enter,
            "ledger.release": self._release,
        }
        for name, step in steps.items():
            if cases := [ask.case for ask in asks if ask.name == name]:
                await step(cases)

    def _post(self, case: Case, name: str, body: object, persons: Iterable[str] = ()) -> None:
        command = Command(name, body=body, case_id=case.id, kind=case.kind, persons=tuple(persons))
        self._hall.post(command)

    async def _claim(self, cases: Sequence[Case]) -> None:
        held = await self._ledger.claim_births([self._birth(case) for case in cases])
        others = [PersonKey(key) for case in cases for key in case.persons[1:]]
        found = await self._ledger.locate(others) if others else {}
        for case, has in zip(cases, held, strict=True):
            at = next((found[key].province for key in map(PersonKey, case.persons[1:]) if key in found), None)
            self._post(case, "claimed", await self._said(case, has, at))

    async def _said(self, case: Case, has: BirthHeld, parent_at: str | None = None) -> ClaimSaid:
        """What an answer means here.

        A case of this province that its database has lost is this one's: the same child is applied for again.
        """
        birth = self._birth(case)
        mine = (has.province, has.case_id) == (birth.province, birth.case_id)
        if not mine and has.province == birth.province:
            mine = await self._hall.store.case(has.case_id) is None
        return ClaimSaid(mine, has.province, has.case_id, bool(has.persons), parent_at)

    async def _number(self, cases: Sequence[Case]) -> None:
        held = await self._ledger.claim_births([self._birth(case) for case in cases])
        taken: set[PersonKey] = set()
        for case, has in zip(cases, held, strict=True):
            said = await self._said(case, has)
            children: tuple[Child, ...] = ()
            if said.entered:
                children = self._known(case, has)
            elif said.mine:
                children = await self._free(case, taken)
                if not children:
                    continue  # a day's numbers are used up: the case waits, overdue, for people
            digests = tuple(self._ledger.digest_of(PersonKey(child.key)) for child in children)
            self._post(case, "numbered", Numbered(said, children, digests))

    def _known(self, case: Case, has: BirthHeld) -> tuple[Child, ...]:
        """The numbers that the ledger has entered for these children; none: these are other children."""
        children: Sequence[Child] = case.data.children
        found = []
        for child, digest in zip(children, has.persons, strict=False):
            fits = (
                one for one in self._candidates(child) if self._ledger.digest_of(PersonKey(one.key)) == digest
            )
            found += [one for one in (next(fits, None),) if one is not None]
        return tuple(found) if len(found) == len(children) == len(has.persons) else ()

    async def _free(self, case: Case, taken: set[PersonKey]) -> tuple[Child, ...]:
        """For each child the lowest number that nobody has; none if there is none left."""
        children: Sequence[Child] = case.data.children
        found = []
        for child in children:
            candidates = list(self._candidates(child))
            used = await self._ledger.locate([PersonKey(one.key) for one in candidates])
            free = (one for one in candidates if PersonKey(one.key) not in used.keys() | taken)
            chosen = next(free, None)
            if chosen is None:
                return ()
            taken.add(PersonKey(chosen.key))
            found.append(chosen)
        return tuple(found)

    def _candidates(self, child: Child) -> Iterator[Child]:
        """The child under each number of its birth date and sex, in order. Source: GB 11643."""
        secret, division = self._office.secrets.person, self._office.org[:6]
        for number in id_numbers(division, child.born, child.sex):
            check = name_check(secret, number, child.name)
            yield replace(child, id_number=number, key=person_key(secret, number), check=check)

    async def _enter(self, cases: Sequence[Case]) -> None:
        verdicts = await self._ledger.enter_births([self._birth(case, entering=True) for case in cases])
        found = await self._ledger.locate([PersonKey(c.key) for case in cases for c in case.data.children])
        for case, verdict in zip(cases, verdicts, strict=True):
            keys = [PersonKey(child.key) for child in case.data.children]
            first = (self._office.province, 0)
            here = frozenset(k for k in keys if k in found and (found[k].province, found[k].epoch) == first)
            self._post(case, "entered", EnteredSaid(verdict.value, frozenset(here)), keys)

    async def _release(self, cases: Sequence[Case]) -> None:
        held = await self._ledger.release_births([self._birth(case) for case in cases])
        for case, has in zip(cases, held, strict=True):
            self._post(case, "released", Released(entered=bool(has.persons)))

    def _birth(self, case: Case, *, entering: bool = False) -> Birth:
        """The case's birth as the ledger has it, under the number that the claim stands under."""
        number = CaseId(case.data.claim_case or case.id)
        persons = tuple(child.key for child in case.data.children) if entering else ()
        return Birth(number, self._office.province, case.data.certificates, persons)


def id_numbers(division: str, born: date, sex: str) -> Iterator[str]:
    """All numbers of a birth date and sex in a division, lowest first: odd for boys, even for girls."""
    for sequence in range(1 if sex == Sex.MALE else 2, SEQUENCE_MAX + 1, 2):
        yield make_id_number(division, born, sequence)
