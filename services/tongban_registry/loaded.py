"""What a unit of work has read, kept as its decisions leave it. No I/O in here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from tongban_shared.cases.kinds import KINDS
from tongban_shared.documents.verify import Status
from tongban_shared.registration import CLAIMING, PaperOnFile, Person

if TYPE_CHECKING:
    from tongban_registry.storage.rows import StoredReply
    from tongban_registry.writing import Writing
    from tongban_shared.cases.kind import Case


@dataclass(slots=True)
class Loaded:
    """What the unit's reads brought, by key. others: cases that are near by, and not decided here.

    documents: those that a message of this unit may enclose, as signed, current ones alone.
    """

    seen: dict[str, str] = field(default_factory=dict)
    cases: dict[str, Case] = field(default_factory=dict)
    others: dict[str, Case] = field(default_factory=dict)
    people: dict[str, Person] = field(default_factory=dict)
    members: dict[str, list[Person]] = field(default_factory=dict)
    under_way: dict[tuple[str, str], str] = field(default_factory=dict)
    papers: dict[str, list[PaperOnFile]] = field(default_factory=dict)
    proofs: dict[str, str] = field(default_factory=dict)
    notices: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    parked: Sequence[Any] = ()
    replies: dict[str, StoredReply] = field(default_factory=dict)
    rated: set[str] = field(default_factory=set)
    documents: dict[str, bytes] = field(default_factory=dict, repr=False)
    false_commitments: set[tuple[str, str]] = field(default_factory=set)

    def persons_of(self, case_ids: AbstractSet[str]) -> set[str]:
        """Persons of these cases."""
        found = (self.cases.get(case_id) for case_id in case_ids)
        return {person for case in found if case for person in case.persons}

    def near_by(self, asked_about: AbstractSet[str]) -> set[str]:
        """Cases that are not decided on: those that hold these persons up, and those that these ask about."""
        about = {KINDS[case.kind].about(case) for case in self.cases.values()} - {""}
        return (self.cases_of(self.people.keys()) | about | asked_about) - self.cases.keys()

    def known(self, case_id: str) -> Case | None:
        """A case as it stands within this unit, or as it was read where nothing is decided on it."""
        return self.cases.get(case_id) or self.others.get(case_id)

    def homes_of(self, persons: AbstractSet[str]) -> set[str]:
        """Households that these persons could leave."""
        found = (self.people.get(person) for person in persons)
        return {person.household_id for person in found if person and person.state in CLAIMING}

    def cases_of(self, persons: AbstractSet[str]) -> set[str]:
        """Cases that these persons are frozen for."""
        found = (self.people.get(person) for person in persons)
        return {person.case_id for person in found if person and person.case_id}

    def busy_until(self) -> dict[str, datetime]:
        """Until when the case that has a person in transfer may take at most: its limit (M-3)."""
        found = {}
        for person in self.people.values():
            case = self.cases.get(person.case_id or "") or self.others.get(person.case_id or "")
            if case is not None and case.due_at is not None:
                found[person.key] = case.due_at
        return found

    def handing_over(self) -> set[str]:
        """Persons about whom the ledger is being asked: nothing may pre-empt their move now (M4)."""
        asking = (case for case in (*self.cases.values(), *self.others.values()) if case.state == "RELEASING")
        return {person for case in asking for person in case.persons}

    def released(self, case_ids: AbstractSet[str]) -> set[str]:
        """Persons of those cases that wait for the destination to settle."""
        found = (self.cases.get(case_id) for case_id in case_ids)
        return {person for case in found if case and case.state == "RELEASED" for person in case.persons}

    def refile(self, person: str, writing: Writing) -> None:
        """Decisions later in the same unit see the person's documents as they stand now."""
        kept = [p for p in self.papers.get(person, ()) if p.licence_id not in writing.standings]
        kept += (PaperOnFile(p.licence_id, p.kind, p.case_id, p.valid_until) for p in writing.papers)
        self.papers[person] = kept

    def hold_no_more(self, standings: Mapping[str, Status]) -> None:
        """What is superseded or revoked within this unit is enclosed no more."""
        for number, to in standings.items():
            if to is not Status.CURRENT:
                self.documents.pop(number, None)

    def put_members(self, members: dict[str, list[Person]]) -> None:
        """Keep household members; they too are persons of this register."""
        self.members = members
        for household in members.values():
            for member in household:
                self.people.setdefault(member.key, member)

    def put_records(self, records: Mapping[str, str]) -> None:
        """Give persons their resident forms."""
        for key, record in records.items():
            if key in self.people:
                self.people[key] = replace(self.people[key], record=record)
