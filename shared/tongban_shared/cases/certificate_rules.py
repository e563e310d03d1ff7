"""Rules of a household certificate (户籍类证明): what the register shows, and what is for an officer. Pure.

Source: domain.md §3.2 (公通字〔2016〕21号), services.md S3, protocol.md §4.
"""

from __future__ import annotations

from datetime import timedelta

from tongban_shared.cases.certificate_data import CertificateData, Kind
from tongban_shared.cases.common import remember
from tongban_shared.cases.home_rules import HERE, REVIEW, Answering, standing, subject
from tongban_shared.cases.kind import Case, Event, Verdict
from tongban_shared.documents.licence import LICENCE_AUTHORITY, credit_code, make_licence_id
from tongban_shared.registration import CANCELLED, CLAIMING, MOVED_ON, Person, Registration, Surroundings

VALID_DAYS = 30
# The authority's number for each kind: assumptions, for none is published.
LICENCE_TYPES = {kind: f"{LICENCE_AUTHORITY}{901 + n}" for n, kind in enumerate(Kind)}


def answer(case: Case, around: Surroundings) -> Verdict:
    """What the home registry says: issued at once, for an officer, refused, or answered where they moved."""
    person = subject(case, around)
    said = standing(person, around)
    if person is not None and person.state is not Registration.PREPARED:
        if case.data.certificate == Kind.CANCELLATION:
            return _cancelled(person)
        if said is None:
            return _held(case, person, around)
    assert said is not None, "somebody unknown or on the way is not registered here"
    return said


def _held(case: Case, person: Person, around: Surroundings) -> Verdict:
    """Of somebody registered here: what the register shows, an officer for what it does not."""
    shown = _is_shown(case, person, around)
    if shown and case.data.booklet_at_hand:
        return Verdict("refused", "PROVABLE_BY_DOCUMENT")
    return HERE if shown and case.data.trusted and not _is_protected(case, around) else REVIEW


def _is_protected(case: Case, around: Surroundings) -> bool:
    """Whether somebody named is under a protective block: then an officer looks at it first."""
    named = (around.people.get(ref.person) for ref in case.data.persons)
    return any(person is not None and person.protected for person in named)


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


def grant(case: Case, event: Event, around: Surroundings) -> Case:
    """The certificate's number is its case's: issued again after a loss, it is the same one, never a second."""
    kind = Kind(case.data.certificate)
    number = make_licence_id(LICENCE_TYPES[kind], credit_code(around.province), case.id)
    until = (event.at + timedelta(days=VALID_DAYS)).replace(microsecond=0)
    return remember(case, licence_id=number, document=kind.value, valid_until=until)


ANSWERING = Answering(
    kind="certificate",
    grants="issued",
    record=CertificateData,
    answer=answer,
    grant=grant,
    asks=("certificate", "booklet_at_hand"),
    reason="NO_RECORD",
)
