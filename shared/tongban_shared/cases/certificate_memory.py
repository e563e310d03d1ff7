"""What a certificate case remembers: how it begins, and the case after each event. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from msgspec.structs import replace

from tongban_shared.cases.certificate_data import C, CertificateData, Kind
from tongban_shared.cases.certificate_rules import HERE, MOVED, as_asked, as_supplied, refs_of, subject
from tongban_shared.cases.common import remember
from tongban_shared.cases.kind import NEW, OK, Amend, Case, Event, Opening, Side, Verdict
from tongban_shared.documents.licence import make_licence_id
from tongban_shared.registration import Surroundings

VALID_DAYS = 30
# The authority that defines these licences, and its number for each kind: assumptions, for none is published.
LICENCE_AUTHORITY = "11100000000013338W"
LICENCE_TYPES = {kind: f"{LICENCE_AUTHORITY}{901 + n}" for n, kind in enumerate(Kind)}


def credit_code(province: str) -> str:
    """Unified social credit code of a province's registry; synthetic: nothing but zeros follow."""
    return f"11{province}{0:014d}"


# --- how a case begins -----------------------------------------------------------------------------------------


def open_application(event: Event, around: Surroundings) -> Case:
    """At the accepting province: an application from the door."""
    data: CertificateData = event.body.data
    return _begin(event, around, Side.DESTINATION, data, origin=event.body.origin, item=event.body.item)


def open_mirror(event: Event, around: Surroundings) -> Case:
    """At the home registry: a request, read by as_asked, or the withdrawal of one not known any more."""
    data = CertificateData(certificate="", persons=refs_of(event))
    return _begin(event, around, Side.ORIGIN, data, origin=around.province)


def open_forgotten(event: Event, around: Surroundings) -> Case:
    """At an accepting province that was put back: the answer tells what had been asked (G1)."""
    data = CertificateData(certificate="", persons=refs_of(event))
    return _begin(event, around, Side.DESTINATION, data, origin=event.sender)


def _begin(  # the fields of a case
    event: Event,
    around: Surroundings,
    side: Side,
    data: CertificateData,
    *,
    origin: str | None,
    item: str = "",
) -> Case:
    here = side is Side.DESTINATION
    return Case(
        id=event.case_id,
        kind="certificate",
        side=side,
        state=NEW,
        version=0,
        item=item,
        origin=origin,
        destination=around.province if here else (event.sender or ""),
        persons=tuple(ref.person for ref in data.persons),
        data=data,
        opened_at=event.at,
    )


# --- the case after an event -----------------------------------------------------------------------------------


def after_door(case: Case, event: Event, around: Surroundings, verdict: Verdict) -> Case:
    """Who answers is known; what this registry issues itself is numbered."""
    if event.name == "materials":
        case = as_supplied(case, event)
    if event.name == "located":
        case = replace(case, origin=event.body.holders.get(case.data.persons[0].person))
    person = subject(case, around)
    if verdict.name == OK and case.origin == around.province and person is not None:
        case = replace(case, origin=person.moved_to)
    return _numbered(case, event, around) if verdict.name == HERE.name else case


def after_requested(case: Case, event: Event, around: Surroundings, verdict: Verdict) -> Case:
    """What is asked now counts, also where an earlier question was refused or forgotten."""
    asked = as_asked(case, event)
    return _numbered(asked, event, around) if verdict.name == HERE.name else asked


def after_decision(case: Case, event: Event, around: Surroundings, verdict: Verdict) -> Case:
    """Who decided; an approval is numbered, who moved on is followed."""
    decided = remember(case, officer=event.officer, reason=verdict.code or "")
    if verdict.name == MOVED.name and case.side is Side.DESTINATION:
        return replace(decided, origin=around.people[case.persons[0]].moved_to)
    return _numbered(decided, event, around) if verdict.name == "approve" else decided


def _numbered(case: Case, event: Event, around: Surroundings) -> Case:
    """The certificate's number is its case's: issued again after a loss, it is the same one, never a second."""
    kind = Kind(case.data.certificate)
    number = make_licence_id(LICENCE_TYPES[kind], credit_code(around.province), case.id)
    until = (event.at + timedelta(days=VALID_DAYS)).replace(microsecond=0)
    return remember(case, licence_id=number, document=kind.value, valid_until=until)


def after_issued(case: Case, event: Event, _around: Surroundings, _verdict: Verdict) -> Case:
    """What was issued, and until when it is valid; of what was withdrawn meanwhile nothing is shown."""
    if case.state == C.WITHDRAWING:
        return case
    paper = event.body.document
    return remember(case, licence_id=paper.licence_id, document=paper.kind, valid_until=paper.valid_until)


def after_referral(case: Case, event: Event, around: Surroundings, verdict: Verdict) -> Case:
    """The next holder is asked; whoever is pointed to this province itself is looked for anew."""
    case = remember(case, hops=case.data.hops + 1)
    if verdict.code is not None:
        return case
    return replace(case, origin=None if event.body.moved_to == around.province else event.body.moved_to)


def after_refusal(case: Case, event: Event, _around: Surroundings, _verdict: Verdict) -> Case:
    """Why."""
    return remember(case, reason=event.body.code)


def after_withdrawal(case: Case, _event: Event, _around: Surroundings, _verdict: Verdict) -> Case:
    """The applicant's own word."""
    return remember(case, reason="WITHDRAWN")


OPENS: Mapping[str, Opening] = {
    "apply": open_application,
    "requested": open_mirror,
    "withdrawal": open_mirror,
    "issued": open_forgotten,
    "refusal": open_forgotten,
}

AMENDS: Mapping[str, Amend] = {
    "apply": after_door,
    "materials": after_door,
    "located": after_door,
    "requested": after_requested,
    "decision": after_decision,
    "issued": after_issued,
    "referral": after_referral,
    "refusal": after_refusal,
    "withdraw": after_withdrawal,
    "withdrawal": after_withdrawal,
}
