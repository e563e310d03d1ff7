"""The pure rules of a migration: what the table's verdict column says, and what the case remembers after.

Every function gets the case before the event, the event, and the surroundings that were read with the batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta

import msgspec

from tongban_shared.cases.common import (
    HOPS_MAX,
    PersonRef,
    correction_limit,
    deferred_limit,
    free_again,
    is_trusted,
    judge_refusal,
    still_owed,
)
from tongban_shared.cases.kind import OK, Case, Event, Judge, Limit, Verdict
from tongban_shared.cases.migration_data import S
from tongban_shared.messages.migration import PersonFacts, PersonStatus
from tongban_shared.registration import CANCELLED, CLAIMING, MOVED_ON, Person, Registration, Surroundings

REFUSAL_BY_STATUS = {
    "UNKNOWN": "NOT_REGISTERED",
    "CANCELLED": "NOT_REGISTERED",
    "MOVED": "NOT_REGISTERED",
    "NAME_MISMATCH": "IDENTITY_NOT_VERIFIED",
    "HOLD": "HOLD",
    "IN_TRANSFER": "IN_TRANSFER",
}
REMINDER_DAYS = (7, 15, 25)
CANCELLED_CASES = frozenset({S.WITHDRAWN, S.EXPIRED, S.VOIDED})
# States whose limit is the permit's validity.
LAPSING = frozenset({S.OPEN, S.FROZEN, S.PERMITTED})


def person_facts(ref: PersonRef, case: Case, around: Surroundings) -> PersonFacts:
    """What this register says of one person asked for; a freeze by another case is IN_TRANSFER (M-3)."""
    person = around.people.get(ref.person)
    status = _status(person, ref, case)
    if person is None or status in {"UNKNOWN", "NAME_MISMATCH"}:
        return PersonFacts(person=ref.person, status=status)
    retry = free_again(ref.person, around)
    return PersonFacts(
        person=ref.person,
        status=status,
        epoch=person.epoch,
        record_version=person.record_version,
        head=person.head,
        moved_to=person.moved_to if status == "MOVED" else None,
        retry_at=retry if status == "IN_TRANSFER" else None,
    )


def _status(person: Person | None, ref: PersonRef, case: Case) -> PersonStatus:
    if person is None or person.state is Registration.DROPPED:
        return "UNKNOWN"
    if person.name_check != ref.name_check:
        return "NAME_MISMATCH"
    status: PersonStatus = "OK"
    if person.state in MOVED_ON:
        status = "MOVED"
    elif person.state in CANCELLED:
        restored = case.data.restores and person.state is Registration.CANCELLED_MILITARY
        status = "OK" if restored else "CANCELLED"
    elif person.hold:
        status = "HOLD"
    elif person.state is Registration.PREPARED or person.case_id not in (None, case.id):
        status = "IN_TRANSFER"
    return status


def staying_members(case: Case, around: Surroundings) -> list[Person]:
    """Members of the persons' family households who do not move with them."""
    moving = set(case.persons)
    homes = {around.people[key].household_id for key in moving if key in around.people}
    return [
        member
        for home in sorted(homes)
        for member in around.members.get(home, ())
        if member.key not in moving and member.state in CLAIMING
    ]


def minors_left_alone(case: Case, around: Surroundings) -> bool:
    """Whether only minors would stay behind in a household that somebody leaves (M-2)."""
    by_home: dict[str, list[Person]] = {}
    for member in staying_members(case, around):
        by_home.setdefault(member.household_id, []).append(member)
    today = around.now.date()
    return any(_only_minors_stay(members, today) for members in by_home.values())


def _only_minors_stay(members: Sequence[Person], today: date) -> bool:
    """A minor stays, and no adult who is not about to leave in another case."""
    adults = [m for m in members if m.state is Registration.HELD and not m.is_minor(today)]
    return not adults and any(m.is_minor(today) for m in members)


# --- judges: the verdict column --------------------------------------------------------------------------------


def judge_application(case: Case, _event: Event, _around: Surroundings) -> Verdict:
    """Incomplete materials first, then whether the ledger has named the origin."""
    if case.data.missing:
        return Verdict(still_owed(case))
    return Verdict(OK if case.origin else "unlocated")


def judge_located(_case: Case, event: Event, around: Surroundings) -> Verdict:
    """All persons in one other province, or refused."""
    holders = set(event.body.holders.values())
    if None in holders or len(holders) != 1:
        return Verdict("refused", "NOT_REGISTERED")
    if holders == {around.province}:
        return Verdict("refused", "SAME_PROVINCE")
    return Verdict()


def judge_precheck(case: Case, _event: Event, around: Surroundings) -> Verdict:
    """Open a mirror case only when every person can move from here."""
    facts = [person_facts(ref, case, around) for ref in case.data.persons]
    if all(fact.status == "OK" for fact in facts) and not minors_left_alone(case, around):
        return Verdict()
    return Verdict("closed", _refusal_of(facts) or "MINOR_LEFT_ALONE")


def judge_facts(case: Case, event: Event, around: Surroundings) -> Verdict:
    """Clean and grade-A decides at once; a block refuses; moved on is followed; an officer has the rest."""
    facts = event.body.persons
    targets = {fact.moved_to for fact in facts if fact.status == "MOVED"}
    if {fact.status for fact in facts} == {"MOVED"} and len(targets) == 1 and None not in targets:
        if targets == {around.province}:
            return Verdict("refused", "SAME_PROVINCE")
        followed = case.data.hops < HOPS_MAX
        return Verdict("moved") if followed else Verdict("refused", "NOT_REGISTERED")
    code = _refusal_of(facts)
    if code is not None:
        return Verdict("refused", code, max((f.retry_at for f in facts if f.retry_at), default=None))
    if event.body.minors_left_alone:
        return Verdict("refused", "MINOR_LEFT_ALONE")
    if case.state == S.PERMITTED and _says_again(case, facts):
        return Verdict("known")  # by an origin that was put back: the permit given is still good
    trusted = is_trusted(case.data.materials)
    return Verdict("clean" if trusted and case.data.automatic else "review")


def _says_again(case: Case, facts: Iterable[PersonFacts]) -> bool:
    """Whether these are the epochs and record versions that the permit relies on."""
    known = {(state.person, state.epoch, state.record_version) for state in case.data.agreed}
    return known == {(fact.person, fact.epoch, fact.record_version) for fact in facts}


def judge_permit(case: Case, event: Event, around: Surroundings) -> Verdict:
    """The origin validates again: known case, permit still valid (M-1), no block, same record version."""
    if case.state == "NEW":
        return Verdict("forgotten", "CASE_UNKNOWN")
    if event.body.valid_until <= around.now:
        return Verdict("lapsed", "PERMIT_EXPIRED")
    facts = [person_facts(ref, case, around) for ref in case.data.persons]
    code = _refusal_of(facts) or ("MINOR_LEFT_ALONE" if minors_left_alone(case, around) else None)
    if code is not None:
        return Verdict("blocked", code, max((f.retry_at for f in facts if f.retry_at), default=None))
    relied_on = {entry.person: entry.record_version for entry in event.body.persons}
    if relied_on != {fact.person: fact.record_version for fact in facts}:
        return Verdict("changed")
    return Verdict()


def judge_offer(case: Case, event: Event, _around: Surroundings) -> Verdict:
    """The bundle must be what was approved: same permit, same persons, their epochs as the facts said."""
    if case.data.certificate_digest:
        return Verdict()  # recovered: an offer of before comes too late, whatever it says
    if not case.data.agreed:
        return Verdict("early")  # put back to before the facts, which come again too
    agreed = {state.person: state.epoch for state in case.data.agreed}
    offered = {entry.person: entry.epoch for entry in event.body.persons}
    if offered.keys() != agreed.keys() or _bundled(event.bundle) != offered:
        return Verdict("invalid", "BAD_BODY")
    return Verdict(OK if event.body.permit_no == case.data.permit_no and offered == agreed else "differs")


class _BundleEntry(msgspec.Struct, frozen=True):
    """What the rules look at in one person's part of a bundle."""

    person: str
    epoch: int


_bundle = msgspec.json.Decoder(tuple[_BundleEntry, ...])


def _bundled(bundle: bytes | None) -> dict[str, int] | None:
    """Persons and epochs in a bundle; None if it is none."""
    try:
        return {entry.person: entry.epoch for entry in _bundle.decode(bundle or b"")}
    except msgspec.DecodeError:
        return None


def judge_acceptance(case: Case, event: Event, around: Surroundings) -> Verdict:
    """The acceptance must commit to the very bundle and the next epochs.

    One that was put back may have made another bundle before: nobody is released by it, nor is it a lie.
    """
    if case.state == "NEW":
        return Verdict("forgotten", "CASE_UNKNOWN")
    if case.state == S.REFUSED and not case.data.digest:
        # Refused since a database was put back to before the offer: the promise made on it is given back.
        return Verdict("forgotten", "CASE_UNKNOWN")
    if not case.data.digest:
        return Verdict("early")  # put back to before the permit, which comes again too
    wanted = {state.person: state.epoch + 1 for state in case.data.agreed}
    given = {entry.person: entry.epoch for entry in event.body.persons}
    if given == wanted and event.body.digest != case.data.digest and around.put_back:
        return Verdict("another")
    return Verdict(OK if event.body.digest == case.data.digest and given == wanted else "invalid")


def judge_certificate(case: Case, event: Event, around: Surroundings) -> Verdict:
    """The certificate must name this destination, the accepted bundle and the epoch prepared for; older is void.

    One that encloses this province's own acceptance binds it even where it has forgotten that (protocol.md §7).
    """
    body = event.body
    if event.bound:
        return Verdict("bound" if body.destination == around.province else "invalid")
    if case.state == "NEW":
        return Verdict("unbound")  # waits for its cause, as any message of an unknown case
    if case.data.certificate_digest:
        return Verdict()  # recovered by the ledger: the certificate itself comes too late
    released = {entry.person: entry.epoch for entry in body.persons}
    wanted = {state.person: state.epoch for state in case.data.agreed}
    if any(epoch < _known_epoch(person, wanted, around) for person, epoch in released.items()):
        return Verdict("stale", "STALE_EPOCH")
    fits = body.destination == around.province and body.digest == case.data.digest and released == wanted
    return Verdict(OK if fits else "invalid")


def judge_inquire(case: Case, event: Event, around: Surroundings) -> Verdict:
    """The question carries the certificate: who has not settled yet, settles on it."""
    if case.state == S.PREPARED or event.bound:
        return judge_certificate(case, event, around)
    return Verdict()


def _known_epoch(person: str, wanted: Mapping[str, int], around: Surroundings) -> int:
    """The epoch below which a release of this person is void here."""
    here = around.people.get(person)
    return wanted.get(person, here.epoch if here is not None else 0)


def judge_withdrawal(case: Case, event: Event, _around: Surroundings) -> Verdict:
    """The destination's reason: the applicant's or an officer's word, or the permit's lapse.

    One that was put back asks again what was cancelled already.
    """
    if case.state == "NEW":
        return Verdict("forgotten")
    if case.state in CANCELLED_CASES:
        return Verdict("again")
    lapsed = event.body.reason == "PERMIT_EXPIRED"
    return Verdict("lapsed", "PERMIT_EXPIRED") if lapsed else Verdict()


def judge_cancel(case: Case, event: Event, _around: Surroundings) -> Verdict:
    """By the origin's reason: as asked, lapsed, or void. An officer's own refusal stays one."""
    reason: str = event.body.reason
    if case.state == S.WITHDRAWING and reason == "REFUSED_BY_DESTINATION":
        return Verdict("refused", case.refusal)
    name = {"WITHDRAWN": OK, "REFUSED_BY_DESTINATION": OK, "PERMIT_EXPIRED": "lapsed"}.get(reason, "voided")
    return Verdict(name, None if name == OK else reason)


def judge_limit(case: Case, _event: Event, _around: Surroundings) -> Verdict:
    """A passed limit; what was owed ends the case, and the origin is told if it knows."""
    if case.state in {S.CORRECTION, S.DEFERRED}:
        return Verdict(_origin_knows(case), "CORRECTION_OVERDUE")
    if case.state == S.RELEASED and case.data.certificate_digest:
        return Verdict("reissued")  # this one has no certificate to enclose in a question
    return Verdict(OK, "PERMIT_EXPIRED" if case.state in LAPSING else None)


def judge_withdraw(case: Case, _event: Event, _around: Surroundings) -> Verdict:
    """Withdrawing a correction needs the origin only if it knows of the case."""
    return Verdict(_origin_knows(case) if case.state == S.CORRECTION else OK)


def _origin_knows(case: Case) -> str:
    return "known" if case.data.agreed else OK


def judge_decision(_case: Case, event: Event, _around: Surroundings) -> Verdict:
    """The officer's word is the verdict."""
    refuse = event.body.outcome == "refuse"
    return Verdict(event.body.outcome, (event.body.reason_code or "NOT_ELIGIBLE") if refuse else None)


def judge_materials(case: Case, event: Event, _around: Surroundings) -> Verdict:
    """Complete now, or still incomplete."""
    if event.body.still_missing:
        return Verdict(still_owed(case))
    return Verdict(OK if case.origin else "unlocated")


def judge_appended(case: Case, event: Event, around: Surroundings) -> Verdict:
    """The ledger's verdict on the hand-over; a conflict never releases and calls a person (I1).

    Unless the persons' rows are another case's: that one moved them, and this one can only end.
    """
    if event.body == "APPENDED":
        return Verdict(OK)
    rows = (around.people.get(key) for key in case.persons)
    overtaken = all(row is None or row.case_id != case.id for row in rows)
    return Verdict("overtaken" if overtaken else "conflict", "STALE_EPOCH")


def judge_block(_case: Case, event: Event, _around: Surroundings) -> Verdict:
    """Death or a court's hold pre-empts."""
    return Verdict(OK, event.body)


def _refusal_of(facts: Iterable[PersonFacts]) -> str | None:
    """The first person's block as a refusal code, in the order asked."""
    return next((REFUSAL_BY_STATUS[fact.status] for fact in facts if fact.status != "OK"), None)


# --- limits that are rules


def permit_limit(case: Case, event: Event, around: Surroundings) -> datetime:
    """As long as the permit is valid; the days of the province's file until one is given."""
    return case.data.permit_until or event.at + timedelta(days=around.permit_valid_days)


def reminder_limit(case: Case, event: Event, _around: Surroundings) -> datetime:
    """A silent destination is asked at day 7, 15 and 25 after the release, then daily (M-7)."""
    released = case.data.released_at or event.at
    days = (event.at - released).days
    return released + timedelta(days=next((day for day in REMINDER_DAYS if day > days), days + 1))


LIMITS: Mapping[str, Limit] = {
    "permit": permit_limit,
    "correction": correction_limit,
    "deferred": deferred_limit,
    "reminder": reminder_limit,
}

JUDGES: Mapping[str, Judge] = {
    "apply": judge_application,
    "located": judge_located,
    "precheck": judge_precheck,
    "facts": judge_facts,
    "permit": judge_permit,
    "offer": judge_offer,
    "acceptance": judge_acceptance,
    "certificate": judge_certificate,
    "inquire": judge_inquire,
    "cancel": judge_cancel,
    "limit": judge_limit,
    "withdraw": judge_withdraw,
    "withdrawal": judge_withdrawal,
    "decision": judge_decision,
    "materials": judge_materials,
    "appended": judge_appended,
    "refusal": judge_refusal,
    "block": judge_block,
}
