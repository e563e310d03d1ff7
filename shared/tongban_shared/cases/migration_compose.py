"""What a migration sends: each outgoing message from the case, and the case that remembers it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from hashlib import sha256
from typing import Any

import msgspec

from tongban_shared.cases.common import ask_ledger, remember
from tongban_shared.cases.kind import Case, Compose, Draft, Event
from tongban_shared.cases.migration_rules import minors_left_alone, person_facts, staying_members
from tongban_shared.ids import SERIALS, DocumentKind, Province, make_document_no
from tongban_shared.messages import migration as m
from tongban_shared.messages.codec import encode_contract
from tongban_shared.messages.persons import PersonAsked
from tongban_shared.registration import CLAIMING, NO_PROOF, Surroundings


def compose_precheck(case: Case, _event: Event, _around: Surroundings) -> tuple[Case, Draft]:
    """P1."""
    asked = tuple(PersonAsked(person=ref.person, name_check=ref.name_check) for ref in case.data.persons)
    body = m.Precheck(migration_type=case.data.migration_type, restores=case.data.restores, persons=asked)
    return case, Draft(_other(case), body)


def compose_facts(case: Case, _event: Event, around: Surroundings) -> tuple[Case, Draft]:
    """P2."""
    body = m.Facts(
        persons=tuple(person_facts(ref, case, around) for ref in case.data.persons),
        staying=len(staying_members(case, around)),
        minors_left_alone=minors_left_alone(case, around),
        contact=around.contact,
    )
    return case, Draft(_other(case), body)


def compose_permit(case: Case, event: Event, around: Surroundings) -> tuple[Case, Draft]:
    """M1: numbered, valid for the days of the province's file."""
    until = around.now + timedelta(days=around.permit_valid_days)
    number = document_no("ZQ", around, event)
    relied_on = tuple(
        m.PermitPerson(person=s.person, record_version=s.record_version) for s in case.data.agreed
    )
    body = m.Permit(
        permit_no=number, persons=relied_on, issued_at=around.now, valid_until=until, approver=around.org
    )
    return remember(case, permit_no=number, permit_until=until), Draft(_other(case), body)


def compose_offer(case: Case, _event: Event, around: Surroundings) -> tuple[Case, Draft]:
    """M2: the complete records of all persons moving as one bundle; the shell seals it."""
    bundle = msgspec.json.encode([bundle_entry(key, around) for key in case.persons], order="sorted")
    digest = sha256(bundle).hexdigest()
    persons = tuple(m.PersonEpoch(person=s.person, epoch=s.epoch) for s in case.data.agreed)
    body = m.Offer(permit_no=case.data.permit_no, persons=persons, digest=digest, sealed="")
    return remember(case, digest=digest), Draft(_other(case), body, bundle)


def bundle_entry(key: str, around: Surroundings) -> dict[str, object]:
    """One person's part of a bundle."""
    person = around.people[key]
    return {
        "person": key,
        "epoch": person.epoch,
        "record_version": person.record_version,
        "name_check": person.name_check,
        "birth_date": person.birth_date,
        "record": msgspec.json.decode(person.record),
    }


def compose_acceptance(case: Case, _event: Event, _around: Surroundings) -> tuple[Case, Draft]:
    """M3: the commitment to hold at the next epoch."""
    persons = tuple(m.PersonEpoch(person=s.person, epoch=s.epoch + 1) for s in case.data.agreed)
    return case, Draft(_other(case), m.Acceptance(digest=case.data.digest, persons=persons))


def compose_append(case: Case, event: Event, around: Surroundings) -> tuple[Case, Draft]:
    """The ask of the ledger. Number and time of the certificate are fixed here once, so that asking again is the same."""
    if not case.data.certificate_no:
        number = document_no("QY", around, event)
        case = remember(case, certificate_no=number, released_at=around.now)
    return case, Draft("ledger", None)


def certificate_of(case: Case) -> m.Certificate:
    """The certificate of this case, the same bytes every time."""
    data = case.data
    persons = tuple(
        m.PersonReleased(person=s.person, epoch=s.epoch, previous=s.previous) for s in data.agreed
    )
    return m.Certificate(
        certificate_no=data.certificate_no,
        origin=case.origin or "",
        destination=case.destination,
        persons=persons,
        digest=data.digest,
        acceptance=data.acceptance,
        released_at=data.released_at,
    )


def certificate_digest(certificate: m.Certificate) -> str:
    """SHA-256 of the certificate's canonical bytes: what the ledger keeps, and the next certificate's `previous`."""
    return sha256(encode_contract(certificate)).hexdigest()


def compose_certificate(case: Case, _event: Event, _around: Surroundings) -> tuple[Case, Draft]:
    """M4."""
    return case, Draft(_other(case), certificate_of(case))


def compose_settled(case: Case, event: Event, around: Surroundings) -> tuple[Case, Draft]:
    """M5. An origin that issues again what is settled here was put back: it gets its own certificate (G1)."""
    persons = tuple(m.PersonEpoch(person=s.person, epoch=s.epoch + 1) for s in case.data.agreed)
    kept = _its_certificate(case, around) if event.name == "reissue" and case.data.agreed else ""
    # Of a hand-over that is past, and was forgotten, only the origin has the number (G1).
    body = m.Settled(
        certificate_no=case.data.certificate_no or event.body.certificate_no,
        persons=persons,
        effective_at=case.data.effective_at or event.at,
        certificate="" if kept == NO_PROOF else kept,
    )
    return case, Draft(_other(case), body)


def _its_certificate(case: Case, around: Surroundings) -> str:
    """What made this province holder by this case; who has moved on since is here with a later one."""
    first = case.data.agreed[0]
    row = around.people.get(first.person)
    if row is None or row.state not in CLAIMING or row.epoch != first.epoch + 1:
        return ""
    return around.proofs.get(first.person, "")


def compose_refusal(case: Case, _event: Event, around: Surroundings) -> tuple[Case, Draft]:
    """MR."""
    body = m.Refusal(code=case.refusal or "NOT_ELIGIBLE", contact=around.contact, retry_at=case.retry_at)
    return case, Draft(_other(case), body)


def compose_withdrawal(case: Case, _event: Event, _around: Surroundings) -> tuple[Case, Draft]:
    """MW."""
    own = case.data.reason in {"WITHDRAWN", "PERMIT_EXPIRED"}
    reason = case.data.reason if own else "REFUSED_BY_DESTINATION"
    return case, Draft(_other(case), m.Withdrawal(reason=reason))


def compose_cancel(case: Case, event: Event, _around: Surroundings) -> tuple[Case, Draft]:
    """MX: answers a withdrawal with its own reason."""
    reason = event.body.reason if event.name == "withdrawal" else case.refusal or "WITHDRAWN"
    return case, Draft(_other(case), m.Cancel(reason=reason))


def compose_inquire(case: Case, _event: Event, around: Surroundings) -> tuple[Case, Draft]:
    """M-7: with the certificate as it was sent."""
    return case, Draft(_other(case), m.Inquire(certificate=around.proofs[case.persons[0]]))


def document_no(kind: DocumentKind, around: Surroundings, event: Event) -> str:
    """A number of this province's for a document, never given before."""
    return make_document_no(kind, Province(around.province), around.now.year, event.stamp % SERIALS)


def _other(case: Case) -> str:
    return case.other_side() or ""


def shows(case: Case) -> Mapping[str, Any]:
    """The part of the case's view that is a migration's own."""
    numbers = (("MOVE_IN_PERMIT", case.data.permit_no), ("MIGRATION_CERTIFICATE", case.data.certificate_no))
    shown: dict[str, Any] = {"documents": [{"licence_id": no, "kind": kind} for kind, no in numbers if no]}
    if case.closed_at is not None:
        shown |= {"effective_at": case.data.effective_at, "household_no": case.data.new_household_no or None}
    return shown


COMPOSES: Mapping[str, Compose] = {
    "precheck": compose_precheck,
    "facts": compose_facts,
    "permit": compose_permit,
    "offer": compose_offer,
    "acceptance": compose_acceptance,
    "ledger.append": compose_append,
    "ledger.locate": ask_ledger,
    "certificate": compose_certificate,
    "settled": compose_settled,
    "refusal": compose_refusal,
    "withdrawal": compose_withdrawal,
    "cancel": compose_cancel,
    "inquire": compose_inquire,
}
