"""Rules of a household certificate (户籍类证明): who answers, at once or by an officer. Pure.

Source: domain.md §3.2 (公通字〔2016〕21号), services.md S3, protocol.md §4.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from tongban_shared.cases.certificate_data import Kind
from tongban_shared.cases.common import (
    HOPS_MAX,
    PersonRef,
    correction_limit,
    free_again,
    is_trusted,
    judge_refusal,
    remember,
    with_materials,
)
from tongban_shared.cases.kind import OK, Case, Event, Judge, Limit, Verdict
from tongban_shared.registration import CANCELLED, CLAIMING, MOVED_ON, Person, Registration, Surroundings

HERE, REVIEW, MOVED = Verdict("here"), Verdict("review"), Verdict("moved")


def subject(case: Case, around: Surroundings) -> Person | None:
    """The applicant's row, when number and name agree with it."""
    if not case.data.persons:
        return None
    ref = case.data.persons[0]
    person = around.people.get(ref.person)
    if person is None or person.state is Registration.DROPPED or person.name_check != ref.name_check:
        return None
    return person


def answer(case: Case, around: Surroundings) -> Verdict:
    """What the home registry says: issued at once, for an officer, refused, or answered where they moved.

    Who is about to be held here, or has just left, is answered where protocol.md §4 says.
    """
    person, kind = subject(case, around), case.data.certificate
    if person is None:
        return Verdict("refused", "NOT_REGISTERED")
    if person.state is Registration.PREPARED:
        return Verdict("refused", "IN_TRANSFER", free_again(person.key, around))
    if kind == Kind.CANCELLATION:
        return _cancelled(person)
    if person.state in MOVED_ON:
        return MOVED
    return _held(case, person, around)


def _held(case: Case, person: Person, around: Surroundings) -> Verdict:
    """Of somebody registered here: what the register shows, an officer for what it does not."""
    if person.state not in CLAIMING:
        return Verdict("refused", "NOT_REGISTERED")
    shown = _is_shown(case, person, around)
    if shown and case.data.booklet_at_hand:
        return Verdict("refused", "PROVABLE_BY_DOCUMENT")
    return HERE if shown and case.data.trusted else REVIEW


def _cancelled(person: Person) -> Verdict:
    gone = person.state in CANCELLED or person.state in MOVED_ON
    return HERE if gone else Verdict("refused", "NO_RECORD")


def _is_shown(case: Case, person: Person, around: Surroundings) -> bool:
    """Whether the register alone shows the fact."""
    kind = case.data.certificate
    if kind == Kind.KINSHIP:
        others = [(around.people.get(ref.person), ref.name_check) for ref in case.data.persons[1:]]
        return bool(others) and all(_lives_with(person, other, check) for other, check in others)
    if kind == Kind.MIGRATION_HISTORY:
        return '"moved_in"' in person.record
    return bool(kind == Kind.REGISTRATION_STATUS)


def _lives_with(person: Person, other: Person | None, check: str) -> bool:
    """Whether the other is registered here, under that name, in the same household."""
    if other is None or other.name_check != check or other.state not in CLAIMING:
        return False
    return other.household_id == person.household_id


def refs_of(event: Event) -> tuple[PersonRef, ...]:
    """The persons whom a message names."""
    named = getattr(event.body, "persons", ())
    return tuple(PersonRef(person=p.person, name_check=p.name_check) for p in named)


def as_asked(case: Case, event: Event) -> Case:
    """The case as the request that came now has it."""
    persons = refs_of(event)
    case = replace(case, persons=tuple(ref.person for ref in persons))
    return remember(
        case,
        certificate=event.body.certificate,
        use=event.body.use,
        trusted=event.body.trusted,
        booklet_at_hand=event.body.booklet_at_hand,
        persons=persons,
    )


def as_supplied(case: Case, event: Event) -> Case:
    """The case with what was handed in late."""
    case = with_materials(case, event.body)
    return remember(case, trusted=case.data.automatic and is_trusted(case.data.materials))


def judge_door(case: Case, event: Event, around: Surroundings) -> Verdict:
    """Incomplete first; then who answers: nobody known yet, another registry, or this one."""
    if event.name == "materials":
        case = as_supplied(case, event)
    return Verdict("incomplete") if case.data.missing else _by(case.origin, case, around)


def judge_located(case: Case, event: Event, around: Surroundings) -> Verdict:
    """The applicant's holder answers; whoever is registered nowhere is refused."""
    holder = event.body.holders.get(case.data.persons[0].person)
    if holder is None:
        return Verdict("refused", "NOT_REGISTERED")
    return _by(holder, case, around)


def _by(holder: str | None, case: Case, around: Surroundings) -> Verdict:
    if holder is None:
        return Verdict("unlocated")
    if holder != around.province:
        return Verdict(OK)
    verdict = answer(case, around)
    return Verdict(OK) if verdict.name == MOVED.name else verdict


def judge_requested(case: Case, event: Event, around: Surroundings) -> Verdict:
    """What this register says of what is asked now, whatever an earlier question was."""
    return answer(as_asked(case, event), around)


def judge_decision(case: Case, event: Event, around: Surroundings) -> Verdict:
    """The officer's word, unless the person has moved on while the archive was searched."""
    if event.body.outcome == "refuse":
        return Verdict("refuse", event.body.reason_code or "NO_RECORD")
    person = subject(case, around)
    if person is not None and person.state in MOVED_ON and case.data.certificate != Kind.CANCELLATION:
        return MOVED
    if person is None or person.state is Registration.PREPARED:
        return Verdict("refuse", "NOT_REGISTERED")
    return Verdict(event.body.outcome)


def judge_referral(case: Case, event: Event, around: Surroundings) -> Verdict:
    """Followed, and not for ever: put-back registers may send each other the question."""
    if case.data.hops >= HOPS_MAX:
        return Verdict("refused", "NOT_REGISTERED")
    return Verdict("here") if event.body.moved_to == around.province else Verdict()


def judge_withdrawal(_case: Case, _event: Event, _around: Surroundings) -> Verdict:
    """Before it was issued: nothing stands in the way."""
    return Verdict(OK, "WITHDRAWN")


LIMITS: Mapping[str, Limit] = {"correction": correction_limit}

JUDGES: Mapping[str, Judge] = {
    "apply": judge_door,
    "materials": judge_door,
    "located": judge_located,
    "requested": judge_requested,
    "decision": judge_decision,
    "referral": judge_referral,
    "withdraw": judge_withdrawal,
    "withdrawal": judge_withdrawal,
    "refusal": judge_refusal,
}
