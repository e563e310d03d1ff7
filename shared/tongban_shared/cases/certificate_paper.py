"""What a household certificate says: facts of the register, nothing else (公通字〔2016〕21号). Pure."""

from __future__ import annotations

from collections.abc import Mapping

from tongban_shared.cases.certificate_data import Kind
from tongban_shared.cases.home_paper import NAMING, home_paper, told_of
from tongban_shared.cases.kind import Case, Event
from tongban_shared.documents.paper import Paper
from tongban_shared.registration import CANCELLED, MOVED_ON, Person, Surroundings

# What each kind tells beside whom it is about.
TOLD: Mapping[str, tuple[str, ...]] = {
    Kind.REGISTRATION_STATUS: ("address", "household_no", "relation_code", "ethnicity_code"),
    Kind.KINSHIP: ("household_no", "relation_code"),
    Kind.MIGRATION_HISTORY: ("address", "moved_in"),
    Kind.CANCELLATION: (),
    Kind.CHANGE_CORRECTION: ("former_name",),
    Kind.ID_UNIQUENESS: ("former_name",),
}

# Of somebody under a protective block these go to nobody: a certificate is for third parties.
WHERE = frozenset({"address", "household_no", "moved_in"})


def certificate_paper(case: Case, event: Event, around: Surroundings) -> Paper:
    """The certificate that this case has decided on, unsigned."""
    kind = Kind(case.data.certificate)
    fields: dict[str, str] = {"registration_state": _state(around.people[case.persons[0]])}
    for number, key in enumerate(case.persons, 1):
        person = around.people.get(key)
        if person is not None and person.record:
            told = tuple(name for name in TOLD[kind] if not (person.protected and name in WHERE))
            fields |= told_of(person, (*NAMING, *told), f"person_{number}")
    return home_paper(case, event, around, (f"certificate.{kind.lower()}", fields))


def _state(person: Person) -> str:
    """Registered here, or how the registration ended. Source: domain.md §2.3."""
    if person.state in CANCELLED:
        return person.state.value
    return "MOVED_OUT" if person.state in MOVED_ON else "REGISTERED"
