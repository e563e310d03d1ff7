"""What a newborn's case remembers of each event, and what it sends. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

import msgspec
from msgspec.structs import replace

from tongban_shared.cases import newborn_rules as rules
from tongban_shared.cases.common import PersonRef, ask_ledger, remember
from tongban_shared.cases.home_compose import Words, named, shows as shows_common
from tongban_shared.cases.home_memory import Memory, with_other_case
from tongban_shared.cases.home_paper import home_paper
from tongban_shared.cases.home_rules import MOVED
from tongban_shared.cases.kind import NEW, Amend, Case, Compose, Draft, Event, Opening, Side, Verdict
from tongban_shared.cases.newborn_data import N, NewbornData
from tongban_shared.documents.licence import LICENCE_AUTHORITY, credit_code, make_licence_id
from tongban_shared.documents.paper import Paper
from tongban_shared.ids import CaseId, Province, province_of_case
from tongban_shared.messages import newborn as m
from tongban_shared.messages.persons import PersonAsked
from tongban_shared.registration import Surroundings

GRANTS = rules.ANSWERING.grants
# The authority's number of the page: an assumption, for none is published.
LICENCE_TYPE = f"{LICENCE_AUTHORITY}931"
DOCUMENT = "NEWBORN_PAGE"
PAPER = "newborn.page"

MEMORY = Memory(rules.ANSWERING)

WORDS = Words.of(rules.ANSWERING, m.BODIES)


# --- how cases begin


def open_asked(event: Event, around: Surroundings) -> Case:
    """At the other parent's registry; the window's own that was put back knows its case by the number (G1)."""
    persons = tuple(PersonRef(person=p.person, name_check=p.name_check) for p in event.body.persons)
    window = province_of_case(CaseId(event.case_id)) == around.province
    return Case(
        id=event.case_id,
        kind=rules.KIND,
        side=Side.DESTINATION if window else Side.ORIGIN,
        state=NEW,
        version=0,
        item="",
        origin=event.sender if window else around.province,
        destination=around.province if window else (event.sender or ""),
        persons=tuple(ref.person for ref in persons),
        data=NewbornData(persons=persons),
        opened_at=event.at,
    )


# --- what they remember


def after_materials(case: Case, event: Event, around: Surroundings, verdict: Verdict) -> Case:
    """Proof of kinship may be among what is handed in."""
    case = MEMORY.after_door(case, event, around, verdict)
    proven = any(material.kind == rules.PROOF_OF_KINSHIP for material in case.data.materials)
    return remember(case, proven=proven)


def after_requested(case: Case, event: Event, around: Surroundings, verdict: Verdict) -> Case:
    """What is asked now counts."""
    asked = remember(rules.as_asked(case, event), unsure=verdict.name == rules.UNSURE.name)
    asked = replace(asked, destination=event.sender or "")
    return with_other_case(asked, verdict, around)


def after_claimed(case: Case, event: Event, _around: Surroundings, _verdict: Verdict) -> Case:
    """Who has the certificate, and where the other parent is registered."""
    return remember(_as_claimed(case, event.body), asked=event.body.parent_at or "")


def _as_claimed(case: Case, said: Any) -> Case:  # noqa: ANN401  # ClaimSaid
    """Another case: whose it is. This one: under which number the claim stands."""
    if not said.mine:
        return remember(case, held_by=said.held_by, other_case=said.case_id)
    return remember(case, claim_case=said.case_id if said.case_id != case.id else "")


def after_consent(case: Case, event: Event, _around: Surroundings, verdict: Verdict) -> Case:
    """Who is asked next."""
    if verdict.name != MOVED.name:
        return case
    return remember(case, asked=event.body.moved_to, hops=case.data.hops + 1)


def after_numbered(case: Case, event: Event, _around: Surroundings, verdict: Verdict) -> Case:
    """The numbers stand with the case before the ledger is asked to enter anybody."""
    case = _as_claimed(case, event.body.said)
    if verdict.name != "ok":
        return case
    return remember(case, children=event.body.children, digests=event.body.digests)


def after_entered(case: Case, _event: Event, around: Surroundings, verdict: Verdict) -> Case:
    """The page of the register has the case's number."""
    if verdict.name != "ok":
        return case
    number = make_licence_id(LICENCE_TYPE, credit_code(around.province), case.id)
    return replace(
        remember(case, licence_id=number, document=DOCUMENT, valid_until=None), refusal=None, retry_at=None
    )


def after_released(case: Case, _event: Event, around: Surroundings, verdict: Verdict) -> Case:
    """What had been forgotten is known now."""
    case = remember(case, unsure=False)
    if verdict.name == MOVED.name and case.side is Side.DESTINATION:
        return replace(case, origin=around.people[case.persons[0]].moved_to)
    return case


def after_registered(case: Case, event: Event, _around: Surroundings, _verdict: Verdict) -> Case:
    """At the window: also where it was withdrawn too late."""
    paper = event.body.document
    return remember(case, licence_id=paper.licence_id, document=paper.kind, valid_until=paper.valid_until)


def after_refusal(case: Case, event: Event, _around: Surroundings, _verdict: Verdict) -> Case:
    """Why, and which authority has the birth certificate."""
    said = event.body
    return remember(case, reason=said.code, other_case=said.other_case or "", held_by=said.held_by or "")


def after_asked(case: Case, event: Event, around: Surroundings, verdict: Verdict) -> Case:
    """What the other parent's registry answers, and to whom."""
    asked = remember(case, asked_by=event.sender, follows=event.body.follows, married=event.body.married)
    return _replied(asked, around, verdict)


def after_decision(case: Case, event: Event, around: Surroundings, verdict: Verdict) -> Case:
    """An officer's word, for whom this registry was asked about, or on the case itself."""
    if case.state not in rules.BY_THE_OTHER:
        unsure = verdict.name == rules.UNSURE.name and verdict.code is None
        return remember(MEMORY.after_decision(case, event, around, verdict), unsure=unsure)
    return _replied(remember(case, officer=event.officer), around, verdict)


def _replied(case: Case, around: Surroundings, verdict: Verdict) -> Case:
    moved = verdict.name == MOVED.name
    other = around.people.get(rules.other_parent(case).person)
    reply = {"agrees": "AGREES", "approve": "AGREES", "moved": "MOVED"}.get(verdict.name, "NO")
    return remember(case, reply=reply, moved_to=other.moved_to if moved and other is not None else None)


def after_limit(case: Case, _event: Event, _around: Surroundings, _verdict: Verdict) -> Case:
    """Whoever was asked is silent: one level up."""
    if case.state != N.CONSENT_WAIT:
        return case
    return remember(case, level=min(case.data.level + 1, len(rules.LEVELS)))


# --- what they send


def compose_requested(case: Case, _event: Event, _around: Surroundings) -> tuple[Case, Draft]:
    """NB1, the children's details sealed for the home registry."""
    data: NewbornData = case.data
    bundle = msgspec.json.encode(data.children)
    own: dict[str, Any] = {name: getattr(data, name) for name in WORDS.rules.asks}
    body = m.BirthRequested(
        use=data.use,
        trusted=data.trusted,
        persons=named(case),
        digest=sha256(bundle).hexdigest(),
        sealed="",
        **own,
    )
    return case, Draft(case.origin or "", body, bundle)


def compose_refusal(case: Case, event: Event, around: Surroundings) -> tuple[Case, Draft]:
    """NB4."""
    case, draft = WORDS.compose_refusal(case, event, around)
    assert draft.body is not None, "a refusal has a body"
    return case, replace(draft, body=draft.body.model_copy(update={"held_by": case.data.held_by or None}))


def compose_consent_asked(case: Case, _event: Event, _around: Surroundings) -> tuple[Case, Draft]:
    """NB7."""
    data: NewbornData = case.data
    other = data.persons[1]
    told: dict[str, Any] = {"follows": data.follows, "married": data.married}
    persons = (PersonAsked(person=other.person, name_check=other.name_check),)
    return case, Draft(data.asked, m.ConsentAsked(persons=persons, **told))


def compose_consent(case: Case, _event: Event, around: Surroundings) -> tuple[Case, Draft]:
    """NB8."""
    data: NewbornData = case.data
    told: dict[str, Any] = {"answer": data.reply}
    if data.reply == "NO":
        told |= {"code": case.refusal, "retry_at": case.retry_at}
    if data.moved_to:
        told["moved_to"] = Province(data.moved_to)
    return case, Draft(data.asked_by, m.Consent(contact=around.contact, **told))


def newborn_paper(case: Case, event: Event, around: Surroundings) -> Paper:
    """The page of the household register (常住人口登记卡): the children, as they are registered."""
    parent = around.people[case.persons[0]]
    form: dict[str, Any] = msgspec.json.decode(parent.record)
    fields: dict[str, str] = {}
    for number, child in enumerate(case.data.children, 1):
        told = {
            "name": child.name,
            "id_number": child.id_number,
            "sex_code": child.sex,
            "birth_date": child.born.isoformat(),
            "household_no": parent.household_id,
            "address": str(form.get("address") or ""),
        }
        fields |= {f"person_{number}.{name}": value for name, value in told.items() if value}
    return home_paper(case, event, around, (PAPER, fields))


def shows(case: Case) -> Mapping[str, Any]:
    """Also which authority has the birth certificate, and how far up a silent registry was called."""
    data: NewbornData = case.data
    shown = dict(shows_common(case))
    if data.held_by:
        shown["held_by"] = data.held_by
    return shown | {"passed_up_to": rules.LEVELS[data.level - 1]} if data.level else shown


OPENS: Mapping[str, Opening] = MEMORY.opens() | {"consent_asked": open_asked}

AMENDS: Mapping[str, Amend] = MEMORY.amends() | {
    "materials": after_materials,
    "requested": after_requested,
    "claimed": after_claimed,
    "consent": after_consent,
    "numbered": after_numbered,
    "entered": after_entered,
    "released": after_released,
    GRANTS: after_registered,
    "refusal": after_refusal,
    "consent_asked": after_asked,
    "decision": after_decision,
    "limit": after_limit,
}

COMPOSES: Mapping[str, Compose] = WORDS.composes() | {
    "requested": compose_requested,
    "refusal": compose_refusal,
    "consent_asked": compose_consent_asked,
    "consent": compose_consent,
    "ledger.claim": ask_ledger,
    "ledger.number": ask_ledger,
    "ledger.enter": ask_ledger,
    "ledger.release": ask_ledger,
}
