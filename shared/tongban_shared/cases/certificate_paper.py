"""What a household certificate says: facts of the register, nothing else (公通字〔2016〕21号). Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any

import msgspec

from tongban_shared.cases.certificate_data import Kind
from tongban_shared.cases.kind import Case, Event
from tongban_shared.documents.licence import LicenceId
from tongban_shared.documents.paper import Paper
from tongban_shared.ids import OrgCode, Province
from tongban_shared.registration import CANCELLED, MOVED_ON, Person, Surroundings

# Fields of the resident form that name a person, whatever the certificate is about.
NAMING = ("name", "id_number", "sex_code", "birth_date")
# And those that each kind tells beside.
TOLD: Mapping[str, tuple[str, ...]] = {
    Kind.REGISTRATION_STATUS: ("address", "household_no", "relation_code", "ethnicity_code"),
    Kind.KINSHIP: ("household_no", "relation_code"),
    Kind.MIGRATION_HISTORY: ("address", "moved_in"),
    Kind.CANCELLATION: (),
    Kind.CHANGE_CORRECTION: ("former_name",),
    Kind.ID_UNIQUENESS: ("former_name",),
}


def certificate_paper(case: Case, event: Event, around: Surroundings) -> Paper:
    """The certificate that this case has decided on, unsigned."""
    kind = Kind(case.data.certificate)
    fields: dict[str, str] = {"registration_state": _state(around.people[case.persons[0]])}
    for number, key in enumerate(case.persons, 1):
        person = around.people.get(key)
        if person is not None and person.record:
            fields |= _told(person, kind, f"person_{number}")
    return Paper(
        kind=f"certificate.{kind.lower()}",
        licence_id=LicenceId(case.data.licence_id),
        case_id=case.id,
        person=case.persons[0],
        province=Province(around.province),
        org_code=OrgCode(around.org),
        issued_at=event.at,
        valid_until=case.data.valid_until,
        fields=fields,
    )


def _state(person: Person) -> str:
    """Registered here, or how the registration ended. Source: domain.md §2.3."""
    if person.state in CANCELLED:
        return person.state.value
    return "MOVED_OUT" if person.state in MOVED_ON else "REGISTERED"


def _told(person: Person, kind: Kind, prefix: str) -> dict[str, str]:
    form: dict[str, Any] = msgspec.json.decode(person.record)
    told = {name: form[name] for name in (*NAMING, *TOLD[kind]) if form.get(name)}
    return {f"{prefix}.{name}": _text(value) for name, value in told.items()}


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        value = ", ".join(str(part) for part in value.values() if part)
    return unicodedata.normalize("NFC", str(value))
