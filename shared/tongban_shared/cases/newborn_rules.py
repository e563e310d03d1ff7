"""Rules of a newborn's first registration (新生儿入户): who may, who is asked, when it is an officer's. Pure.

Source: domain.md §3.5, services.md S6 and the event "birth of a child" of S2, protocol.md §4.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta

import msgspec

from tongban_shared.cases.common import HOPS_MAX, PersonRef, free_again, remember
from tongban_shared.cases.home_data import H
from tongban_shared.cases.home_rules import (
    HERE,
    MOVED,
    NOT_REGISTERED,
    REVIEW,
    Answering,
    row_of,
    standing,
    subject,
)
from tongban_shared.cases.kind import NEW, OK, Case, Event, Judge, Side, Verdict
from tongban_shared.cases.newborn_data import Child, N, NewbornData
from tongban_shared.ids import CaseId, province_of_case
from tongban_shared.registration import CANCELLED, CLAIMING, Person, Registration, Surroundings
from tongban_shared.validity import YEAR_MONTHS, day_of, months_after

KIND = "newborn"
PROOF_OF_KINSHIP = "KINSHIP_PROOF"
AGREES, UNSURE, NO, ENTERED = Verdict("agrees"), Verdict("unsure"), "no", "entered"
# A claim whose holder is silent goes up a level each time, and is never taken away by a timer (S6).
CONSENT_DAYS, AGAIN_DAYS = 3, 1
LEVELS = ("station", "county", "province")
OVER = frozenset({H.REFUSED, H.WITHDRAWN, H.EXPIRED})
# This registry has answered as the home registry, so whoever asks it as the other parent's is not that any more.
DONE_HERE = frozenset({H.COMPLETED, H.WITHDRAWN})
BY_THE_OTHER = frozenset({N.ASKED, N.CONSENTING})
BEFORE_THE_CLAIM = frozenset({H.CHECKING, H.RETURNED, H.CORRECTION})
ASKED_BEFORE = frozenset({N.ASKED, N.ANSWERED})

_children = msgspec.json.Decoder(tuple[Child, ...])


def children_of(bundle: bytes | None) -> tuple[Child, ...] | None:
    """The children's details as they were sealed; None if it is none."""
    try:
        return _children.decode(bundle or b"")
    except msgspec.DecodeError:
        return None


# --- the home registry


def answer(case: Case, around: Surroundings) -> Verdict:
    """What the parent's registry says: the claim may be made, it is an officer's, or no."""
    parent = subject(case, around)
    said = _parent_here(parent, around)
    if said is not None or parent is None:
        return said or NOT_REGISTERED
    code = _obstacle(case, parent, around)
    if code is not None:
        return Verdict("refused", code)
    data: NewbornData = case.data
    plain = data.trusted and data.married and not parent.hold
    other = _other_here(case, around)
    held_up = other is not None and other.hold
    return HERE if plain and len(data.persons) > 1 and not held_up else REVIEW


def _parent_here(parent: Person | None, around: Surroundings) -> Verdict | None:
    """None: the parent is registered here and not on the way out.

    Whoever is about to move is told when to come again: the child follows them, here or there (S2).
    """
    said = standing(parent, around)
    if said is None and parent is not None and parent.state is Registration.FROZEN:
        return Verdict("refused", "IN_TRANSFER", free_again(parent.key, around))
    return said


def _obstacle(case: Case, parent: Person, around: Surroundings) -> str | None:
    """What no officer waives."""
    data: NewbornData = case.data
    if any(is_over_one_year(child.born, around.now) for child in data.children):
        return "OVER_ONE_YEAR"
    if parent.household_id not in around.members:
        return "PARENT_NOT_FAMILY_HOUSEHOLD"
    if data.follows == "FATHER" and not data.married and not data.proven:
        return "KINSHIP_PROOF_NEEDED"
    return "NOT_REGISTERED" if _is_misnamed(data, around) else None


def _is_misnamed(data: NewbornData, around: Surroundings) -> bool:
    """Whether the other parent is registered here too, under another name."""
    ref = data.persons[-1]
    other = around.people.get(ref.person)
    return other is not None and other.state in CLAIMING and other.name_check != ref.name_check


def is_over_one_year(born: date, now: datetime) -> bool:
    """Later than the first birthday, by the day in China."""
    return day_of(now) > months_after(born, YEAR_MONTHS)


def _other_here(case: Case, around: Surroundings) -> Person | None:
    persons = case.data.persons
    return row_of(persons[1], around) if len(persons) > 1 else None


def begin(case: Case, _event: Event, _around: Surroundings) -> Case:
    """Nothing is numbered yet: the claim comes first."""
    return case


ANSWERING = Answering(
    grants="registered",
    kind=KIND,
    record=NewbornData,
    answer=answer,
    grant=begin,
    asks=("follows", "married", "proven", "birthplace", "certificates", "absent"),
    reason="BIRTH_CERT_UNVERIFIED",
)


def as_asked(case: Case, event: Event) -> Case:
    """The case as the request that came now has it, with what was sealed in it."""
    asked = ANSWERING.as_asked(case, event)
    return remember(asked, children=children_of(event.bundle) or ())


def judge_requested(case: Case, event: Event, around: Surroundings) -> Verdict:
    """What this register says; a child for each certificate, or it is no request."""
    asked = as_asked(case, event)
    if not 0 < len(asked.data.children) == len(asked.data.certificates):
        return Verdict("invalid", "BAD_BODY")
    if around.put_back and case.state in {NEW, N.ANSWERED}:
        return UNSURE  # first of all whether a child was entered; only then what this register says (G1)
    return answer(asked, around)


def judge_claimed(case: Case, event: Event, around: Surroundings) -> Verdict:
    """Of two cases one has the certificate; then the other parent's registry is asked, if it is another one."""
    said = event.body
    if not said.mine:
        return Verdict("conflict", "ALREADY_REGISTERED")
    if said.entered:
        return Verdict(ENTERED)  # in a past that was put back: the child has its number
    return UNSURE if case.data.unsure else _other_parent_at(said.parent_at, case, around)


def _other_parent_at(place: str | None, case: Case, around: Surroundings) -> Verdict:
    """Nobody is asked; nobody can be; another registry is; or this one sees it itself."""
    if len(case.data.persons) == 1:
        return Verdict()
    if place is None:
        return Verdict(NO, "NOT_REGISTERED")
    return Verdict("ask") if place != around.province else _at_home(case, around)


def _at_home(case: Case, around: Surroundings) -> Verdict:
    """Both parents are registered here; what is an officer's was decided before the claim."""
    found = consent_of(case.data.persons[1], around)
    if found.name == MOVED.name:
        return Verdict(NO, "IN_TRANSFER", free_again(case.data.persons[1].person, around))
    return found if found.name == NO else Verdict()


def judge_consent(case: Case, event: Event, around: Surroundings) -> Verdict:
    """The other parent's registry: agreed, asked there next, or contradicted."""
    said = event.body
    if said.answer == "AGREES":
        return AGREES
    if said.answer == "NO" or said.moved_to is None or case.data.hops >= HOPS_MAX:
        return Verdict(NO, said.code or "NOT_REGISTERED", said.retry_at)
    if said.moved_to == around.province:
        found = _at_home(case, around)
        return AGREES if found.name == OK else found
    return MOVED


def judge_numbered(case: Case, event: Event, around: Surroundings) -> Verdict:
    """Just before the ledger is asked to enter the child, the parent must still be here."""
    if not event.body.said.mine or not event.body.children:
        return Verdict("conflict", "ALREADY_REGISTERED")
    if event.body.said.entered:
        return Verdict()
    gone = _parent_here(subject(case, around), around)
    if gone is None:
        return Verdict()
    return Verdict(NO, gone.code or "IN_TRANSFER", gone.retry_at)


def judge_entered(case: Case, event: Event, _around: Surroundings) -> Verdict:
    """The ledger has these very children here; or somebody has that number, and the next one is taken.

    An answer may be about numbers that were chosen before: then the ledger is asked which ones it entered.
    """
    mine = {child.key for child in case.data.children}
    entered = event.body.verdict == "APPENDED" and mine <= event.body.here
    return Verdict() if entered else Verdict("taken")


def judge_released(case: Case, event: Event, around: Surroundings) -> Verdict:
    """The claim is free for others; unless a child was entered under it: then that child is registered (G1).

    What was claimed only to learn whether it had been is now judged as any request.
    """
    if event.body.entered:
        return Verdict(ENTERED)
    if case.refusal == "WITHDRAWN":
        return Verdict("withdrawn")
    return answer(case, around) if case.data.unsure else Verdict()


def judge_withdrawn(case: Case, _event: Event, around: Surroundings) -> Verdict:
    """The applicant's own word."""
    return Verdict(UNSURE.name if may_have_claimed(case, around) else OK, "WITHDRAWN")


def may_have_claimed(case: Case, around: Surroundings) -> bool:
    """Whether the home registry may have claimed the certificate in a past that it has lost (G1)."""
    home = case.side is Side.ORIGIN or case.origin == around.province
    return around.put_back and home and case.state in BEFORE_THE_CLAIM


# --- the other parent's registry


def consent_of(ref: PersonRef, around: Surroundings) -> Verdict:
    """What a registry says of the other parent by itself: agrees, moved, an officer's, or no."""
    other = row_of(ref, around)
    if other is not None and other.state in CANCELLED:
        return REVIEW
    said = standing(other, around)
    if said is not None:
        return said if said.name == MOVED.name else Verdict(NO, said.code, said.retry_at)
    return REVIEW if other is None or other.hold else AGREES


def judge_asked(case: Case, event: Event, around: Surroundings) -> Verdict:
    """At once where the register shows enough; unmarried parents are asked themselves.

    One whose case has ended, while the home registry was put back, says that it has (G1).
    """
    if case.state in (OVER if case.side is Side.DESTINATION else DONE_HERE):
        return Verdict("ended", case.refusal or "APPLICATION_LOST")
    (named, *_) = event.body.persons
    found = consent_of(PersonRef(person=named.person, name_check=named.name_check), around)
    return REVIEW if found.name == AGREES.name and not event.body.married else found


def judge_decision(case: Case, event: Event, around: Surroundings) -> Verdict:
    """The officer's word: for the other parent, or for the home registry."""
    if case.state not in BY_THE_OTHER:
        said = ANSWERING.judge_decision(case, event, around)
        ends = said.name in {"refuse", MOVED.name} and may_have_claimed(case, around)
        return Verdict(UNSURE.name, said.code, said.retry_at) if ends else said
    if event.body.outcome == "refuse":
        return Verdict("refuse", event.body.reason_code or "PARENTS_DISAGREE")
    found = consent_of(other_parent(case), around)
    if found.name == NO:
        return Verdict("refuse", found.code, found.retry_at)
    return MOVED if found.name == MOVED.name else Verdict(event.body.outcome)


def other_parent(case: Case) -> PersonRef:
    """Of whom this registry is asked: the only person of its own case, the second of a window's."""
    ref: PersonRef = case.data.persons[-1]
    return ref


def hears(case: Case, event: Event) -> bool | None:
    """A consent comes from whom it was asked, if it matters still; a question for one from any registry.

    Whoever was the other parent's registry may become the home registry: then the window asks, whose number the
    case has. The rest as everywhere.
    """
    data: NewbornData = case.data
    if event.name == "consent":
        return case.closed_at is not None or (event.sender == data.asked if data.asked else None)
    if event.name == "requested" and case.state in ASKED_BEFORE:
        return event.sender == province_of_case(CaseId(case.id))
    return True if event.name == "consent_asked" else ANSWERING.hears_entries(case, event)


def consent_limit(case: Case, event: Event, _around: Surroundings) -> datetime:
    """Three days; then the silent registry is called a level higher each day, and nothing is undone (S6)."""
    waited = case.state == N.CONSENT_WAIT and event.name == "limit"
    return event.at + timedelta(days=AGAIN_DAYS if waited else CONSENT_DAYS)


JUDGES: Mapping[str, Judge] = {
    **ANSWERING.judges(),
    "requested": judge_requested,
    "claimed": judge_claimed,
    "consent": judge_consent,
    "numbered": judge_numbered,
    "entered": judge_entered,
    "released": judge_released,
    "consent_asked": judge_asked,
    "decision": judge_decision,
    "withdraw": judge_withdrawn,
    "withdrawal": judge_withdrawn,
}
