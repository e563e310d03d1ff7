"""What a migration does after a database was put back: learned from the ledger, fetched from the other side.

The origin yields persons whom the ledger has elsewhere, and issues the hand-over again. The destination recalls
persons whom the ledger has here, stores them, and holds them once the ledger has confirmed it. Pure.
Source: protocol.md §6 (G1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import msgspec
from msgspec.structs import replace

from tongban_shared.cases import migration_memory as memory, migration_rules as rules
from tongban_shared.cases.common import PersonRef, judge_refusal, remember
from tongban_shared.cases.kind import (
    LIMIT,
    NEW,
    OK,
    Amend,
    Case,
    Compose,
    Draft,
    Event,
    Judge,
    Opening,
    Side,
    Verdict,
)
from tongban_shared.cases.migration_compose import (
    bundle_entry,
    certificate_digest,
    certificate_of,
    document_no,
)
from tongban_shared.cases.migration_data import MigrationData, PersonState, S
from tongban_shared.cases.migration_memory import household_no
from tongban_shared.messages import migration as m
from tongban_shared.registration import CLAIMING, Person, Registration, Surroundings

UNKNOWN_TYPE_OF_MOVE = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class Recovered:
    """A hand-over that the ledger has entered and this database does not know.

    persons: register rows here that it gives away, none for one that was taken. digests, epochs: its persons
    as the ledger knows them, and the epoch that each got. past: the ledger has them elsewhere since.
    """

    origin: str
    destination: str
    certificate_digest: str
    persons: tuple[str, ...]
    digests: tuple[str, ...]
    epochs: tuple[int, ...] = ()
    past: bool = False


# --- how a case begins


def open_recovered(event: Event, around: Surroundings) -> Case:
    """A case known to the ledger alone."""
    found: Recovered = event.body
    gives = found.origin == around.province
    return _case(event, Side.ORIGIN if gives else Side.DESTINATION, (found.origin, found.destination))


def open_bound(event: Event, around: Surroundings) -> Case:
    """At the destination: a certificate, a question that encloses it, or a reissue, of a forgotten case."""
    return _case(event, Side.DESTINATION, (event.sender or "", around.province))


def open_forgotten(event: Event, around: Surroundings) -> Case:
    """At the destination: the origin's word on a case that was forgotten; it begins only to end."""
    return _case(event, Side.DESTINATION, (event.sender or "", around.province))


def _case(event: Event, side: Side, way: tuple[str, str]) -> Case:
    origin, destination = way
    return Case(
        id=event.case_id,
        kind="migration",
        side=side,
        state=NEW,
        version=0,
        item="",
        origin=origin,
        destination=destination,
        persons=(),
        data=MigrationData(migration_type=UNKNOWN_TYPE_OF_MOVE),
        opened_at=event.at,
    )


# --- judges


def judge_reissue(case: Case, event: Event, _around: Surroundings) -> Verdict:
    """It must be the hand-over that was recalled, or the one prepared for, with the records that it names."""
    released = {entry.person: entry.epoch for entry in event.body.persons}
    bundled = {entry["person"]: entry["epoch"] for entry in _entries(event)}
    if case.state == S.RESTORING:
        if event.body.certificate_digest != case.data.certificate_digest or bundled != released:
            return Verdict("invalid")
        # One that was put back itself, to before they came, names nobody before its own records are back.
        return Verdict(OK if released else "nameless")
    if case.state == S.PREPARED:
        # An origin may have lost their records too, and say no more than that the ledger has them here.
        agreed = {state.person: state.epoch for state in case.data.agreed}
        return Verdict(OK if bundled == released and released.items() <= agreed.items() else "invalid")
    if case.state in {S.VERIFYING, S.COMPLETED}:
        return Verdict()
    # Both were put back: what was promised is forgotten here, what bound it is lost there. The ledger decides.
    return Verdict("unasked")


def judge_facts(case: Case, event: Event, around: Surroundings) -> Verdict:
    """Only of those asked for: a number that was given twice, by one that was put back, had others before."""
    asked = {fact.person for fact in event.body.persons} == set(case.persons) or not case.persons
    return rules.judge_facts(case, event, around) if asked else Verdict("invalid", "BAD_BODY")


def judge_offer(case: Case, event: Event, around: Surroundings) -> Verdict:
    """One put back may get an offer of long ago; whom it has held since at a later epoch it does not touch.

    An origin put back to before its offer may make another one, of records that differ. This province is bound
    by what it accepted, so it asks that origin to cancel.
    """
    if case.state == S.PREPARED:
        return Verdict("again" if event.body.digest == case.data.digest else "another")
    rows = ((around.people.get(entry.person), entry.epoch) for entry in event.body.persons)
    if case.state == S.PERMITTED and any(_was_here_after(row, epoch) for row, epoch in rows):
        return Verdict("overtaken")
    return rules.judge_offer(case, event, around)


def _was_here_after(row: Person | None, epoch: int) -> bool:
    undecided = {Registration.PREPARED, Registration.DROPPED}
    return row is not None and row.epoch > epoch and row.state not in undecided


def judge_limit(case: Case, event: Event, around: Surroundings) -> Verdict:
    """Records of a past hand-over are waited for no longer; those stored before are pointed on."""
    if case.state != S.RESTORING or not case.data.past:
        return rules.judge_limit(case, event, around)
    return Verdict("stored" if any(_stored(case, key, around) for key in case.persons) else "past")


def _stored(case: Case, person: str, around: Surroundings) -> bool:
    row = around.people.get(person)
    return row is not None and row.case_id == case.id and row.state is Registration.PREPARED


def judge_recall(case: Case, _event: Event, _around: Surroundings) -> Verdict:
    """Of a hand-over that the ledger alone remembers, the persons have to be found first."""
    return Verdict(OK if case.data.agreed else "nameless")


def judge_settled(case: Case, event: Event, _around: Surroundings) -> Verdict:
    """The word that ends the case; or, after it, the certificate that an origin that was put back has lost."""
    return Verdict("proof" if case.state == S.CONFIRMED and event.body.certificate else OK)


def judge_where(case: Case, event: Event, around: Surroundings) -> Verdict:
    """The ledger's word: before the case goes on, who the origin is; after a recall, whether they are here."""
    if case.state != S.VERIFYING:
        return rules.judge_located(case, event, around)
    holders, epochs = event.body.holders, event.body.epochs
    for state in case.data.agreed:
        key, epoch = state.person, state.epoch + 1
        if epochs.get(key, -1) < epoch:
            return Verdict("unknown")
        here = (holders[key], epochs[key]) == (around.province, epoch)
        if here and not _stored(case, key, around) and not _holds(around.people.get(key), epoch):
            return Verdict("unknown")
    # Nobody asked for the records again: the origin will, if it has to be told that this is settled.
    return Verdict(OK if case.data.certificate_no else "past")


def _holds(row: Person | None, epoch: int) -> bool:
    return row is not None and row.state in CLAIMING and row.epoch == epoch


def judge_forgotten(judge: Judge) -> Judge:
    """The rule of a message that only a known case takes."""

    def judged(case: Case, event: Event, around: Surroundings) -> Verdict:
        if case.state == NEW:
            return Verdict("forgotten", "APPLICATION_LOST")
        return judge(case, event, around)

    return judged


# --- the case after an event


def after_recovered(case: Case, event: Event, around: Surroundings, _verdict: Verdict) -> Case:
    """What the ledger says; at the origin also whom it concerns here, as they stand."""
    found: Recovered = event.body
    digests, epochs = found.digests, found.epochs
    case = remember(
        case, certificate_digest=found.certificate_digest, digests=digests, epochs=epochs, past=found.past
    )
    if case.side is Side.DESTINATION:
        return replace(case, origin=found.origin)
    case = _with_persons(case, found.persons, around)
    case = remember(case, acceptance="", certificate_no="", released_at=event.at)
    return replace(case, destination=found.destination, refusal=None, closed_at=None)


def after_named(case: Case, event: Event, around: Surroundings, _verdict: Verdict) -> Case:
    """Whom a hand-over of the ledger concerned, as they stand here."""
    return _with_persons(case, event.body, around)


def _with_persons(case: Case, persons: tuple[str, ...], around: Surroundings) -> Case:
    rows = [around.people[key] for key in persons]
    agreed = tuple(
        PersonState(
            person=row.key, epoch=row.epoch, record_version=row.record_version, previous=row.proof_digest
        )
        for row in rows
    )
    refs = tuple(PersonRef(person=row.key, name_check=row.name_check) for row in rows)
    return replace(remember(case, agreed=agreed, persons=refs), persons=persons)


def after_certificate(case: Case, event: Event, around: Surroundings, verdict: Verdict) -> Case:
    """As ever; or of a forgotten acceptance: what has to be recalled."""
    if verdict.name != "bound":
        return memory.after_certificate(case, event, around, verdict)
    case = replace(case, origin=event.sender, refusal=None, closed_at=None)
    return remember(case, certificate_digest=certificate_digest(event.body))


def after_reissue(case: Case, event: Event, _around: Surroundings, verdict: Verdict) -> Case:
    """Who came, at which epoch the origin gave them, by which certificate."""
    found = {"certificate_no": event.body.certificate_no, "certificate_digest": event.body.certificate_digest}
    if case.state == S.PREPARED:
        return remember(case, **found)
    if verdict.name == "unasked":
        case = replace(case, origin=event.sender, refusal=None, closed_at=None)
        return remember(case, certificate_digest=event.body.certificate_digest)
    if case.state != S.RESTORING or verdict.name != OK:
        return case
    agreed = tuple(PersonState(person=p.person, epoch=p.epoch) for p in event.body.persons)
    refs = tuple(PersonRef(person=e["person"], name_check=e["name_check"]) for e in _entries(event))
    case = replace(case, persons=tuple(p.person for p in event.body.persons))
    return remember(
        case,
        agreed=agreed,
        persons=refs,
        digest=event.body.digest,
        digests=(),
        **found,
        new_household_no=case.data.new_household_no or household_no(case, event),
    )


def after_located(case: Case, event: Event, around: Surroundings, verdict: Verdict) -> Case:
    """The origin is known; or, after a recall, confirmed: settled at this instant, unless it had been before."""
    if case.state != S.VERIFYING:
        return memory.after_located(case, event, around, verdict)
    return remember(case, effective_at=case.data.effective_at or event.at) if verdict.name == OK else case


# --- what is sent


def compose_recall(case: Case, _event: Event, _around: Surroundings) -> tuple[Case, Draft]:
    """Send them again."""
    return case, Draft(case.origin or "", m.Recall(certificate_digest=case.data.certificate_digest))


def compose_reissue(case: Case, event: Event, around: Surroundings) -> tuple[Case, Draft]:
    """The hand-over again, with the records as they stand here, sealed anew."""
    # A row may be a later case's by now; what it was given away at is this case's.
    entries = [bundle_entry(s.person, around) | {"epoch": s.epoch} for s in case.data.agreed]
    bundle = msgspec.json.encode(entries, order="sorted")
    case = remember(case, certificate_no=case.data.certificate_no or document_no("QY", around, event))
    persons = tuple(
        m.PersonReleased(person=s.person, epoch=s.epoch, previous=s.previous) for s in case.data.agreed
    )
    # Not the row's: they may have come back since, by another one.
    kept = case.data.certificate_digest or certificate_digest(certificate_of(case))
    body = m.Reissue(
        certificate_no=case.data.certificate_no,
        certificate_digest=kept,
        persons=persons,
        digest=sha256(bundle).hexdigest(),
        sealed="",
    )
    return case, Draft(case.destination, body, bundle)


def _entries(event: Event) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = msgspec.json.decode(event.bundle or b"[]")
    return entries


OPENS: Mapping[str, Opening] = {
    "recovered": open_recovered,
    "certificate": open_bound,
    "inquire": open_bound,
    "reissue": open_bound,
    "facts": open_forgotten,
    "offer": open_forgotten,
    "cancel": open_forgotten,
    "refusal": open_forgotten,
}
JUDGES: Mapping[str, Judge] = {
    LIMIT: judge_limit,
    "located": judge_where,
    "recall": judge_recall,
    "settled": judge_settled,
    "reissue": judge_reissue,
    "facts": judge_forgotten(judge_facts),
    "offer": judge_forgotten(judge_offer),
    "cancel": judge_forgotten(rules.judge_cancel),
    "refusal": judge_forgotten(judge_refusal),
}
AMENDS: Mapping[str, Amend] = {
    "recovered": after_recovered,
    "named": after_named,
    "reissue": after_reissue,
    "certificate": after_certificate,
    "inquire": after_certificate,
    "located": after_located,
}
COMPOSES: Mapping[str, Compose] = {
    "recall": compose_recall,
    "reissue": compose_reissue,
    "ledger.name": lambda case, _event, _around: (case, Draft("ledger", None)),
}
