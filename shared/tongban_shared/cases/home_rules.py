"""Rules of every case that the home registry answers: who answers, at once or by an officer. Pure.

Source: services.md S1, S3 to S6; protocol.md §4 for whoever is in the middle of a move.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from tongban_shared.cases.common import (
    HOPS_MAX,
    PersonRef,
    correction_limit,
    deferred_limit,
    free_again,
    is_trusted,
    judge_refusal,
    remember,
    still_owed,
    with_materials,
)
from tongban_shared.cases.home_data import Asked, H
from tongban_shared.cases.kind import (
    LIMIT,
    NEW,
    OK,
    Case,
    Event,
    Judge,
    Limit,
    Side,
    Verdict,
    from_other_side,
)
from tongban_shared.registration import CLAIMING, MOVED_ON, Person, Registration, Surroundings

BEFORE_THE_GRANT = frozenset(H)
ANSWERED_ANEW = frozenset({NEW, H.REFUSED, H.RETURNED})
UNDONE = frozenset({H.WITHDRAWN, H.VOIDED})
HERE, REVIEW, MOVED = Verdict("here"), Verdict("review"), Verdict("moved")
NOT_REGISTERED = Verdict("refused", "NOT_REGISTERED")
LIMITS: Mapping[str, Limit] = {"correction": correction_limit, "deferred": deferred_limit}
STATION_DIGITS = 12


def subject(case: Case, around: Surroundings) -> Person | None:
    """The applicant's row, when number and name agree with it."""
    return row_of(case.data.persons[0], around) if case.data.persons else None


def row_of(ref: PersonRef, around: Surroundings) -> Person | None:
    """Somebody's row here, when number and name agree with it."""
    person = around.people.get(ref.person)
    if person is None or person.state is Registration.DROPPED or person.name_check != ref.name_check:
        return None
    return person


def standing(person: Person | None, around: Surroundings) -> Verdict | None:
    """Why this registry says nothing present of somebody; None: they are registered here.

    Who is about to be held here, or has just left, is answered where protocol.md §4 says.
    """
    if person is None:
        return NOT_REGISTERED
    if person.state is Registration.PREPARED:
        return Verdict("refused", "IN_TRANSFER", free_again(person.key, around))
    if person.state in MOVED_ON:
        return MOVED
    return None if person.state in CLAIMING else NOT_REGISTERED


def refs_of(event: Event) -> tuple[PersonRef, ...]:
    """The persons whom a message names."""
    named = getattr(event.body, "persons", ())
    return tuple(PersonRef(person=p.person, name_check=p.name_check) for p in named)


def as_supplied(case: Case, event: Event) -> Case:
    """The case with what was handed in late; of what an officer asked for, what is still owed."""
    asked_for = case.data.missing if case.state == H.RETURNED else ()
    case = with_materials(case, event.body)
    given = {material.kind for material in event.body.materials}
    owed = (*case.data.missing, *(kind for kind in asked_for if kind not in given))
    trusted = case.data.automatic and is_trusted(case.data.materials)
    return remember(case, trusted=trusted, missing=tuple(dict.fromkeys(owed)))


@dataclass(frozen=True, slots=True)
class Answering:
    """What a case type adds. answer: what the home registry says of it: here, review, moved or refused.

    grants: the message that says yes. asks: the fields of its own record that a request carries. grant: the case
    with what was decided on it, numbered. record: its own record. reason: what an officer's refusal without a code
    means.
    """

    kind: str
    grants: str
    record: type[Asked]
    answer: Callable[[Case, Surroundings], Verdict]
    grant: Callable[[Case, Event, Surroundings], Case]
    asks: tuple[str, ...]
    reason: str = "NOT_ELIGIBLE"

    def station(self, case: Case, around: Surroundings) -> str:
        """The station that answers here: the one in the number of the applicant's household (domain.md §1.3)."""
        person = subject(case, around)
        return "" if person is None else person.household_id[:STATION_DIGITS]

    def hears(self, case: Case, event: Event) -> bool | None:
        """A window that was put back may hear the next home registry before it knows that it is that one."""
        heard = from_other_side(case, event)
        early = not heard and case.side is Side.DESTINATION and event.name == self.grants
        return None if early else heard

    def hears_entries(self, case: Case, event: Event) -> bool | None:
        """Where a grant is an entry that stands: also of a registry that was asked in another past."""
        over = case.closed_at is not None or event.sender in case.data.left
        window = case.side is Side.DESTINATION
        return (window and event.name == self.grants and over) or self.hears(case, event)

    def by(self, holder: str | None, case: Case, around: Surroundings) -> Verdict:
        """Who answers: nobody known yet, another registry, or this one."""
        if holder is None:
            return Verdict("unlocated")
        if holder != around.province:
            return Verdict(OK)
        verdict = self.answer(case, around)
        return Verdict(OK) if verdict.name == MOVED.name else verdict

    def judge_door(self, case: Case, event: Event, around: Surroundings) -> Verdict:
        """Incomplete first; then who answers. What was sent back goes to where it came from."""
        if event.name == "materials":
            case = as_supplied(case, event)
        if case.data.missing:
            return self._lacking(case, around)
        return Verdict(OK) if case.state == H.RETURNED else self.by(case.origin, case, around)

    def _lacking(self, case: Case, around: Surroundings) -> Verdict:
        """Asked for; or to follow, unless this registry refuses the case whatever may come (LA)."""
        verdict = Verdict(still_owed(case))
        if verdict.name != "deferred":
            return verdict
        found = self.by(case.origin, case, around)
        return found if found.name == "refused" else verdict

    def judge_located(self, case: Case, event: Event, around: Surroundings) -> Verdict:
        """The applicant's holder answers; whoever is registered nowhere is refused."""
        holder = event.body.holders.get(case.data.persons[0].person)
        return NOT_REGISTERED if holder is None else self.by(holder, case, around)

    def judge_requested(self, case: Case, event: Event, around: Surroundings) -> Verdict:
        """What this register says of what is asked now, but for what was granted or has ended already."""
        if case.state not in ANSWERED_ANEW:
            return Verdict("again", (case.refusal or "APPLICATION_LOST") if case.state in UNDONE else None)
        return self.answer(self.as_asked(case, event), around)

    def judge_decision(self, case: Case, event: Event, around: Surroundings) -> Verdict:
        """The officer's word, unless the register says by now that there is nothing to decide."""
        if event.body.outcome == "refuse":
            return Verdict("refuse", event.body.reason_code or self.reason)
        found = self.answer(case, around)
        if found.name == "refused":
            return Verdict("refuse", found.code, found.retry_at)
        return MOVED if found.name == MOVED.name else Verdict(event.body.outcome)

    def as_asked(self, case: Case, event: Event) -> Case:
        """The case as the request that came now has it, whatever an earlier one was."""
        persons = refs_of(event)
        case = replace(case, persons=tuple(ref.person for ref in persons))
        own: dict[str, Any] = {name: getattr(event.body, name) for name in self.asks}
        return remember(case, use=event.body.use, trusted=event.body.trusted, persons=persons, **own)

    def judges(self) -> dict[str, Judge]:
        """Message → verdict."""
        return {
            "apply": self.judge_door,
            "materials": self.judge_door,
            "located": self.judge_located,
            "requested": self.judge_requested,
            "decision": self.judge_decision,
            "referral": judge_referral,
            "correction": judge_correction,
            "withdraw": judge_withdrawal,
            "withdrawal": judge_withdrawal,
            "refusal": judge_refusal,
            LIMIT: judge_overdue,
        }


def judge_referral(case: Case, event: Event, around: Surroundings) -> Verdict:
    """Followed, and not for ever: put-back registers may send each other the question.

    A window that was put back and knows its case by the grant alone can ask nobody (G1).
    """
    if not case.data.use:
        return Verdict("refused", "APPLICATION_LOST")
    if case.data.hops >= HOPS_MAX:
        return NOT_REGISTERED
    return HERE if event.body.moved_to == around.province else Verdict()


def judge_correction(case: Case, _event: Event, _around: Surroundings) -> Verdict:
    """What is missing is handed in where it is known what was asked for."""
    return Verdict() if case.data.use or case.state == NEW else Verdict("lost", "APPLICATION_LOST")


def judge_withdrawal(case: Case, event: Event, around: Surroundings) -> Verdict:
    """Nothing stands in the way; after the grant the home registry has something to revoke."""
    return Verdict(judge_limit(case, event, around).name, "WITHDRAWN")


def judge_at_window(case: Case, _event: Event, around: Surroundings) -> Verdict:
    """Whether the accepting province tells the home registry, or is it."""
    window = case.side is Side.DESTINATION
    return HERE if window and case.origin == around.province else Verdict()


def judge_broken(case: Case, event: Event, around: Surroundings) -> Verdict:
    """An officer of the window found a commitment false."""
    return Verdict(judge_at_window(case, event, around).name, "COMMITMENT_FALSE")


def judge_used(case: Case, event: Event, around: Surroundings) -> Verdict:
    """The same; a card that its home registry knows nothing of any more is taken back at the window (G1)."""
    unknown = case.side is Side.ORIGIN and case.state in {H.REFUSED, H.VOIDED}
    return Verdict("void", "APPLICATION_LOST") if unknown else judge_at_window(case, event, around)


def judge_limit(case: Case, event: Event, around: Surroundings) -> Verdict:
    """The same, in the states that a type adds between the grant and the end."""
    before = case.state in BEFORE_THE_GRANT
    return judge_overdue(case, event, around) if before else judge_at_window(case, event, around)


def judge_overdue(case: Case, _event: Event, _around: Surroundings) -> Verdict:
    """Papers that did not come end the case where they were to be brought; other limits end nothing."""
    owed = case.side is Side.DESTINATION and case.state in {H.CORRECTION, H.DEFERRED, H.RETURNED}
    return Verdict(OK, "CORRECTION_OVERDUE" if owed else None)
