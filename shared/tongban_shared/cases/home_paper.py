"""What documents of the home registry say of a person: facts of the register, nothing else. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from tongban_shared.cases.kind import Case, Event
from tongban_shared.documents.licence import LicenceId
from tongban_shared.documents.paper import Paper
from tongban_shared.ids import OrgCode, Province
from tongban_shared.registration import Person, Surroundings

# Fields of the resident form that name a person, whatever the document is about.
NAMING = ("name", "id_number", "sex_code", "birth_date")


def told_of(person: Person, names: Iterable[str], prefix: str = "person_1") -> dict[str, str]:
    """Fields of the resident form that have a value, named `person_1.name` and so on."""
    form: dict[str, Any] = msgspec.json.decode(person.record)
    told = {name: form[name] for name in names if form.get(name)}
    return {f"{prefix}.{name}": _text(value) for name, value in told.items()}


def _text(value: object) -> str:
    if isinstance(value, Mapping):
        value = ", ".join(str(part) for part in value.values() if part)
    return unicodedata.normalize("NFC", str(value))


def home_paper(case: Case, event: Event, around: Surroundings, told: tuple[str, Mapping[str, str]]) -> Paper:
    """The document that this case has decided on, unsigned. told: its kind, and its fields."""
    kind, fields = told
    return Paper(
        kind=kind,
        licence_id=LicenceId(case.data.licence_id),
        case_id=case.id,
        person=case.persons[0],
        province=Province(around.province),
        org_code=OrgCode(around.org),
        issued_at=event.at,
        valid_until=case.data.valid_until,
        fields=fields,
    )
