"""What a register holds of a person and a household: plain data; the registry's register.py changes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set as AbstractSet
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from tongban_shared.ids import CaseId
from tongban_shared.validity import age_on

if TYPE_CHECKING:
    from tongban_shared.provinces import WorkingCalendar

ADULT_AGE = 18


class Registration(StrEnum):
    """Custody states of one person at one province. Source: protocol.md §2; cancellations: domain.md §2.3."""

    PREPARED = "PREPARED"
    HELD = "HELD"
    FROZEN = "FROZEN"
    RELEASED = "RELEASED"
    CONFIRMED = "CONFIRMED"
    DROPPED = "DROPPED"
    CANCELLED_DEATH = "CANCELLED_DEATH"
    CANCELLED_MILITARY = "CANCELLED_MILITARY"
    CANCELLED_ABROAD = "CANCELLED_ABROAD"


NO_PROOF = "-"
"""In place of a certificate that went with a database that was put back (G1)."""
PROTECTED = "protected"
"""In the resident form: a protective block (domestic violence, a witness) hides where they live."""
CLAIMING = frozenset({Registration.HELD, Registration.FROZEN})
CANCELLED = frozenset(
    {Registration.CANCELLED_DEATH, Registration.CANCELLED_MILITARY, Registration.CANCELLED_ABROAD}
)
MOVED_ON = frozenset({Registration.RELEASED, Registration.CONFIRMED})


class Person(msgspec.Struct, frozen=True):
    """One row of the register: who, at which epoch, in which state, for which case.

    record: JSON text of the permanent resident form (常住人口登记表); personal data, never logged.
    proof: the certificate that made this province holder, or, once released, the one that names the next.
    Both are kept apart from the row: empty means not read, or not changed.
    """

    key: str
    epoch: int
    state: Registration
    record_version: int
    name_check: str
    birth_date: date
    household_id: str
    head: bool
    version: int = 0
    hold: bool = False
    case_id: CaseId | None = None
    moved_to: str | None = None
    proof: str = ""
    proof_digest: str = ""
    record: str = ""
    valid_from: datetime | None = None
    valid_to: datetime | None = None

    def __repr__(self) -> str:
        """Without anything personal."""
        return f"Person({self.state}, epoch {self.epoch})"

    @property
    def protected(self) -> bool:
        """Whether a protective block is on them; to be asked only where the resident form was read."""
        return f'"{PROTECTED}":true' in self.record

    def is_minor(self, on: date) -> bool:
        """Under 18 on that day."""
        return age_on(self.birth_date, on) < ADULT_AGE


class Household(msgspec.Struct, frozen=True):
    """One household (户): a family has exactly one head (户主), a collective one a keeper instead."""

    id: str
    kind: str
    station: str
    address: str
    open: bool = True

    def __repr__(self) -> str:
        """Without the address."""
        return f"Household({self.kind})"


class PaperOnFile(msgspec.Struct, frozen=True):
    """A document of a person that is current. kind: as issued. valid_until: aware UTC; None: without end."""

    licence_id: str
    kind: str
    case_id: str
    valid_until: datetime | None = None


class Surroundings(msgspec.Struct, frozen=True):
    """What a decision may know beside the case: read before, never fetched by the decision.

    papers: by person. under_way: by person and case type, of the types that count. match_percent: from which
    score on a face is the one on file. handing_over: persons about whom the ledger is being asked (M4).
    put_back: this database was; it may forget. calendars: working days by province, as their files say.
    """

    province: str
    org: str
    contact: str
    now: datetime
    permit_valid_days: int
    correction_days: int
    people: Mapping[str, Person]
    members: Mapping[str, Sequence[Person]]
    proofs: Mapping[str, str] = {}
    busy_until: Mapping[str, datetime] = {}
    papers: Mapping[str, Sequence[PaperOnFile]] = {}
    under_way: Mapping[tuple[str, str], str] = {}
    match_percent: int = 100
    handing_over: AbstractSet[str] = frozenset()
    put_back: bool = False
    calendars: Mapping[str, WorkingCalendar] = {}

    def other_case(self, person: str, kind: str, case_id: str) -> str | None:
        """Another case of that type which this register has open for the person, or whose paper they hold."""
        held = [p.case_id for p in self.papers.get(person, ()) if p.kind == kind and self.is_valid(p)]
        open_case = self.under_way.get((person, kind))
        return next((other for other in (open_case, *held) if other not in {None, case_id}), None)

    def is_valid(self, paper: PaperOnFile) -> bool:
        """Whether a current document has not expired yet."""
        return paper.valid_until is None or self.now < paper.valid_until
