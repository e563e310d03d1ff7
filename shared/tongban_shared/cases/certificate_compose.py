"""What a certificate case sends, and what people see of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tongban_shared.cases.certificate_data import CertificateData
from tongban_shared.cases.common import ask_ledger
from tongban_shared.cases.kind import Case, Compose, Draft, Event
from tongban_shared.ids import Province
from tongban_shared.messages import certificate as m
from tongban_shared.messages.persons import PersonAsked
from tongban_shared.registration import Surroundings


def compose_requested(case: Case, _event: Event, _around: Surroundings) -> tuple[Case, Draft]:
    """CT1."""
    data: CertificateData = case.data
    body = m.Requested(
        certificate=data.certificate,
        use=data.use,
        trusted=data.trusted,
        booklet_at_hand=data.booklet_at_hand,
        persons=_named(case),
    )
    return case, Draft(_other(case), body)


def compose_issued(case: Case, _event: Event, _around: Surroundings) -> tuple[Case, Draft]:
    """CT2."""
    data: CertificateData = case.data
    assert data.valid_until is not None, "a numbered certificate has an end"
    paper = m.IssuedDocument(licence_id=data.licence_id, kind=data.document, valid_until=data.valid_until)
    return case, Draft(_other(case), m.Issued(persons=_named(case), document=paper))


def compose_referral(case: Case, _event: Event, around: Surroundings) -> tuple[Case, Draft]:
    """CT3."""
    moved_to = around.people[case.persons[0]].moved_to
    return case, Draft(_other(case), m.Referral(moved_to=Province(moved_to or "")))


def compose_refusal(case: Case, _event: Event, around: Surroundings) -> tuple[Case, Draft]:
    """CT4."""
    body = m.CertificateRefusal(
        persons=_named(case),
        code=case.refusal or case.data.reason,
        contact=around.contact,
        retry_at=case.retry_at,
    )
    return case, Draft(_other(case), body)


def compose_withdrawal(case: Case, _event: Event, _around: Surroundings) -> tuple[Case, Draft]:
    """CT5."""
    return case, Draft(_other(case), m.CertificateWithdrawal())


def _named(case: Case) -> tuple[PersonAsked, ...]:
    return tuple(PersonAsked(person=ref.person, name_check=ref.name_check) for ref in case.data.persons)


def _other(case: Case) -> str:
    other = case.other_side()
    assert other is not None, "a message has a receiver"
    return other


def shows(case: Case) -> Mapping[str, Any]:
    """The part of the case's view that is a certificate's own."""
    data: CertificateData = case.data
    issued = [{"kind": data.document, "licence_id": data.licence_id}] if data.licence_id else []
    return {"documents": issued}


COMPOSES: Mapping[str, Compose] = {
    "requested": compose_requested,
    "issued": compose_issued,
    "referral": compose_referral,
    "refusal": compose_refusal,
    "withdrawal": compose_withdrawal,
    "ledger.locate": ask_ledger,
}
