"""What a migration case remembers: how it begins, and the case after each event. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec.structs import replace

from tongban_shared.cases.common import BY_A_MOVE, PersonRef, new_household_no, remember, with_materials
from tongban_shared.cases.kind import NEW, Amend, Case, Event, Opening, Side, Verdict
from tongban_shared.cases.migration_data import MigrationData, PersonState, S
from tongban_shared.ids import Province
from tongban_shared.registration import Surroundings

# --- how a case begins -----------------------------------------------------------------------------------------


def open_application(event: Event, around: Surroundings) -> Case:
    """At the destination: an application from the door."""
    data: MigrationData = event.body.data
    return Case(
        id=event.case_id,
        kind="migration",
        side=Side.DESTINATION,
        state=NEW,
        version=0,
        item=event.body.item,
        origin=event.body.origin,
        destination=around.province,
        persons=tuple(ref.person for ref in data.persons),
        data=data,
        opened_at=event.at,
    )


def open_mirror(event: Event, around: Surroundings) -> Case:
    """At the origin: a precheck. Any other message of a case unknown here begins one only to void it."""
    named = getattr(event.body, "persons", ())
    refs = tuple(PersonRef(person=p.person, name_check=getattr(p, "name_check", "")) for p in named)
    data = MigrationData(
        migration_type=getattr(event.body, "migration_type", ""),
        restores=getattr(event.body, "restores", False),
        persons=refs,
    )
    return Case(
        id=event.case_id,
        kind="migration",
        side=Side.ORIGIN,
        state=NEW,
        version=0,
        item="",
        origin=around.province,
        destination=Province(event.sender or ""),
        persons=tuple(ref.person for ref in refs),
        data=data,
        opened_at=event.at,
    )


# --- the case after an event -----------------------------------------------------------------------------------


def after_located(case: Case, event: Event, _around: Surroundings, verdict: Verdict) -> Case:
    """The origin is known."""
    return replace(case, origin=next(iter(event.body.holders.values()))) if verdict.code is None else case


def after_facts(case: Case, event: Event, _around: Surroundings, verdict: Verdict) -> Case:
    """What the destination relies on from here; a person who moved on is followed to the new holder."""
    if verdict.name == "moved":
        case = remember(case, hops=case.data.hops + 1)
        return replace(case, origin=event.body.persons[0].moved_to)
    agreed = tuple(
        PersonState(person=fact.person, epoch=fact.epoch, record_version=fact.record_version)
        for fact in event.body.persons
    )
    return remember(case, agreed=agreed)


def after_permit(case: Case, event: Event, around: Surroundings, verdict: Verdict) -> Case:
    """The origin notes the permit and what it is about to offer."""
    if verdict.code is not None or verdict.name == "changed":
        return case
    agreed = tuple(
        PersonState(
            person=key,
            epoch=around.people[key].epoch,
            record_version=around.people[key].record_version,
            previous=around.people[key].proof_digest,
        )
        for key in case.persons
    )
    return remember(case, permit_no=event.body.permit_no, permit_until=event.body.valid_until, agreed=agreed)


def household_no(case: Case, event: Event) -> str:
    """The household to join, or the number of a new one."""
    return case.data.household_no or new_household_no(case.data.destination_org, BY_A_MOVE, event.stamp)


def after_offer(case: Case, event: Event, _around: Surroundings, verdict: Verdict) -> Case:
    """The digest committed to; an offer that differs is kept for the officer who decides on it.

    What was accepted stays accepted, whatever is offered after that: the certificate will name it.
    """
    if case.state == S.PREPARED:
        return case
    case = remember(case, new_household_no=household_no(case, event))
    if verdict.name == "differs":
        agreed = tuple(PersonState(person=p.person, epoch=p.epoch) for p in event.body.persons)
        return remember(case, digest=event.body.digest, agreed=agreed, offer_proof=event.proof)
    return remember(case, digest=event.body.digest)


def after_acceptance(case: Case, event: Event, _around: Surroundings, _verdict: Verdict) -> Case:
    """The destination's signed word goes into the certificate."""
    return remember(case, acceptance=event.proof)


def after_certificate(case: Case, event: Event, _around: Surroundings, _verdict: Verdict) -> Case:
    """Settled at this instant; both sides date their rows by it (M-8)."""
    settled_at: datetime | None = case.data.effective_at or event.at
    return remember(case, certificate_no=event.body.certificate_no, effective_at=settled_at)


def after_settled(case: Case, event: Event, _around: Surroundings, _verdict: Verdict) -> Case:
    """The instant at which the destination's row opened."""
    return remember(case, effective_at=event.body.effective_at)


def after_decision(case: Case, event: Event, _around: Surroundings, _verdict: Verdict) -> Case:
    """Who decided."""
    return remember(case, officer=event.officer, reason=event.body.reason_code or "")


def after_materials(case: Case, event: Event, _around: Surroundings, _verdict: Verdict) -> Case:
    """What was handed in."""
    return with_materials(case, event.body)


def after_withdraw(case: Case, _event: Event, _around: Surroundings, _verdict: Verdict) -> Case:
    """The applicant's own word."""
    return remember(case, reason="WITHDRAWN")


def after_limit(case: Case, _event: Event, _around: Surroundings, verdict: Verdict) -> Case:
    """Why a passed limit ended it; a limit that only calls a person changes nothing."""
    return case if verdict.code is None else remember(case, reason=verdict.code)


def after_end(case: Case, _event: Event, _around: Surroundings, verdict: Verdict) -> Case:
    """Why it ended."""
    return remember(case, reason=verdict.code or "WITHDRAWN")


OPENS: Mapping[str, Opening] = {
    "apply": open_application,
    "precheck": open_mirror,
    "permit": open_mirror,
    "acceptance": open_mirror,
    "withdrawal": open_mirror,
}

AMENDS: Mapping[str, Amend] = {
    "located": after_located,
    "facts": after_facts,
    "permit": after_permit,
    "offer": after_offer,
    "acceptance": after_acceptance,
    "certificate": after_certificate,
    "inquire": after_certificate,
    "settled": after_settled,
    "decision": after_decision,
    "materials": after_materials,
    "withdraw": after_withdraw,
    "cancel": after_end,
    "refusal": after_end,
    "limit": after_limit,
    "block": after_end,
}
