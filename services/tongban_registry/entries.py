"""How each case type's application is entered: the one table beside KINDS that a new type adds a line to."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import Field, StringConstraints, ValidationError

from tongban_registry.door import ApplicationIn, Checked, Closed, Door, Entered, Entry, PersonIn
from tongban_registry.entries_consultation import ConsultationDetailsIn, consultation_data
from tongban_registry.entries_newborn import NewbornDetailsIn, newborn_fields
from tongban_registry.materials import Handed
from tongban_shared.cases.certificate_data import CertificateData, Kind
from tongban_shared.cases.common import is_trusted
from tongban_shared.cases.id_card_data import Card, IdCardData
from tongban_shared.cases.migration_data import MigrationData
from tongban_shared.cases.newborn_data import NewbornData
from tongban_shared.cases.register_change_data import ChangeData
from tongban_shared.cases.temporary_id_data import TemporaryData
from tongban_shared.effects import FIELDS, MAY_BE_PLACED, NAME, PLACED, RELATION, Effect, is_value
from tongban_shared.errors import RefusedError
from tongban_shared.ids import PersonKey, check_id_number, province
from tongban_shared.messages.types import CODE
from tongban_shared.validity import age_on
from tongban_shared.web.problems import FieldRefusedError

if TYPE_CHECKING:
    from tongban_shared.catalogue import Item
    from tongban_shared.effects import Does

PURPOSE = re.compile(CODE)
ALONE_AT_AGE = 16
Details = TypeVar("Details", bound=Closed)


class CertificateDetailsIn(Closed):
    """`details` of a certificate. booklet_at_hand: a valid booklet shows the fact, perhaps.

    archive_province: where the fact was registered, if that is not where the applicant is registered now.
    """

    booklet_at_hand: bool = False
    archive_province: Annotated[str, StringConstraints(max_length=10)] | None = None


class IdCardDetailsIn(Closed):
    """`details` of an identity card. guardian: under 16, who applies for the child and stands beside it."""

    lost: bool = False
    bilingual: bool = False
    guardian: PersonIn | None = None


class TemporaryDetailsIn(Closed):
    """`details` of a temporary card. match_percent: how well the face at the window fits the one on file."""

    match_percent: Annotated[int, Field(ge=0, le=100)]
    lost: bool = False
    guardian: PersonIn | None = None


class ChangeDetailsIn(Closed):
    """`details` of a change of the register. changes: fields of the resident form and their new values.

    relations: of the members named, in their order, to the new head (GB/T 4761).
    """

    changes: dict[str, str] = Field(default_factory=dict, max_length=len(FIELDS), repr=False)
    relations: list[str] = Field(default_factory=list, max_length=20)


def details_in(shape: type[Details], given: dict[str, Any]) -> Details:
    """`details` as this case type has them. Raises FieldRefusedError; the values are not repeated."""
    try:
        return shape.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in ("details", *first["loc"]))
        raise FieldRefusedError(where, first["type"]) from None


async def _migration(door: Door, given: ApplicationIn, item: Item, checked: Checked) -> Entered:
    refs, handed = checked
    destination = door.destination(given)
    if destination.household_no and not await door.takes_members(destination.household_no):
        raise RefusedError("HOUSEHOLD_UNKNOWN")
    origin = await door.origin([PersonKey(ref.person) for ref in refs])
    if origin == door.office.province:
        raise RefusedError("SAME_PROVINCE", "already registered in the destination province")
    data = MigrationData(
        migration_type=item.variant or "",
        automatic=item.automatic and door.office.profile.capabilities.automatic_facts,
        restores=item.restores,
        channel=given.channel,
        accepting_org=given.accepting_org or destination.org_code,
        purpose=given.purpose,
        persons=refs,
        destination_org=destination.org_code,
        address=destination.address,
        household_no=destination.household_no,
        **_handed(handed),
    )
    return data, origin


def _common(door: Door, given: ApplicationIn, item: Item, checked: Checked) -> dict[str, Any]:
    """What every record of a case that the home registry answers begins with."""
    refs, handed = checked
    return {
        "channel": given.channel,
        "accepting_org": given.accepting_org or door.office.org,
        "persons": refs,
        **_handed(handed),
        "automatic": item.automatic,
        "trusted": item.automatic and is_trusted(handed.materials),
    }


def _handed(handed: Handed) -> dict[str, Any]:
    """What every record keeps of the materials."""
    return {
        "materials": handed.materials,
        "missing": handed.missing,
        "deferred_until": handed.deferred_until,
        "commitment": handed.commitment,
    }


def _purpose(given: ApplicationIn) -> str:
    if "purpose" not in given.model_fields_set or not PURPOSE.fullmatch(given.purpose):
        raise RefusedError("FIELD_INVALID", "purpose: what it is for, in capitals, as SCHOOL or BANK")
    return given.purpose


async def _certificate(door: Door, given: ApplicationIn, item: Item, checked: Checked) -> Entered:
    refs, _ = checked
    details = details_in(CertificateDetailsIn, given.details)
    use = _purpose(given)
    if item.variant == Kind.KINSHIP and len(refs) == 1:
        raise RefusedError("FIELD_INVALID", "members: name whose kinship is to be certified")
    data = CertificateData(
        certificate=item.variant or "",
        use=use,
        booklet_at_hand=details.booklet_at_hand,
        **_common(door, given, item, checked),
    )
    if details.archive_province is not None:
        return data, province(details.archive_province)
    return data, await door.origin([PersonKey(refs[0].person)])


async def _id_card(door: Door, given: ApplicationIn, item: Item, checked: Checked) -> Entered:
    details = details_in(IdCardDetailsIn, given.details)
    _with_guardian(door, given, details.guardian)
    if details.bilingual and not door.office.profile.capabilities.bilingual_cards:
        raise RefusedError("CAPABILITY_MISSING", "no bilingual cards are made in this province")
    if details.lost and item.variant != Card.REISSUE:
        raise RefusedError(
            "FIELD_INVALID", "details.lost: what is lost is reissued (补领), see the item list"
        )
    data = IdCardData(
        card=item.variant or "",
        use="IDENTITY",
        lost=details.lost,
        bilingual=details.bilingual,
        **_common(door, given, item, checked),
    )
    return data, await door.origin([PersonKey(checked[0][0].person)])


async def _temporary_id(door: Door, given: ApplicationIn, item: Item, checked: Checked) -> Entered:
    details = details_in(TemporaryDetailsIn, given.details)
    _with_guardian(door, given, details.guardian)
    data = TemporaryData(
        use=_purpose(given),
        match_percent=details.match_percent,
        lost=details.lost,
        **_common(door, given, item, checked),
    )
    return data, await door.origin([PersonKey(checked[0][0].person)])


async def _register_change(door: Door, given: ApplicationIn, item: Item, checked: Checked) -> Entered:
    does, refs = item.does, checked[0]
    assert does is not None, "the catalogue says what a change of the register does"
    details = _changes(given, does)
    common = _common(door, given, item, checked)
    cities = door.office.profile.serves(common["accepting_org"])
    origin = await door.origin([PersonKey(ref.person) for ref in refs])
    where = await _new_place(door, given, does)
    if where and origin not in {None, door.office.province}:
        raise RefusedError("WRONG_PROVINCE", "who moves within a province is registered in it")
    name = details.changes.get(NAME)
    renamed = door.key_of(PersonIn(id_number=given.applicant.id_number, name=name))[1] if name else ""
    data = ChangeData(
        use=item.variant or "CHANGE",
        effect=does.effect,
        ending=does.ending or "",
        lost=does.lost,
        ground=item.variant or "",
        changes=details.changes,
        new_name_check=renamed,
        relations=tuple(details.relations),
        cities=cities,
        **where,
        **common,
    )
    return data, origin


def _changes(given: ApplicationIn, does: Does) -> ChangeDetailsIn:
    """The new values that this item admits. Raises RefusedError, FieldRefusedError without any value."""
    details = details_in(ChangeDetailsIn, given.details)
    if not details.changes.keys() <= set(does.fields) or bool(does.fields) != bool(details.changes):
        settable = ", ".join(does.fields) or "nothing"
        raise RefusedError("FIELD_INVALID", f"details.changes: this item sets {settable}")
    for field, value in details.changes.items():
        if not is_value(field, value):
            raise FieldRefusedError(f"details.changes.{field}", "value_error")
    related = len(given.members) if does.effect is Effect.NEW_HEAD else 0
    if len(details.relations) != related or not all(map(RELATION.fullmatch, details.relations)):
        raise RefusedError("FIELD_INVALID", "details.relations: one code for each member, to the new head")
    return details


async def _new_place(door: Door, given: ApplicationIn, does: Does) -> dict[str, Any]:
    """Where to, for what has a place; nothing where they stay. Raises RefusedError."""
    if given.destination is None and does.effect not in PLACED:
        return {}
    if does.effect not in MAY_BE_PLACED:
        raise RefusedError("FIELD_INVALID", "destination: nobody moves by this item")
    to = door.destination(given)
    if to.household_no and does.effect is not Effect.MOVE_WITHIN:
        raise RefusedError("FIELD_INVALID", "destination.household_no: only who moves joins a household")
    if to.household_no and not await door.takes_members(to.household_no):
        raise RefusedError("HOUSEHOLD_UNKNOWN")
    return {"station": to.org_code, "address": to.address, "household_no": to.household_no or ""}


async def _newborn(door: Door, given: ApplicationIn, item: Item, checked: Checked) -> Entered:
    details = details_in(NewbornDetailsIn, given.details)
    own = newborn_fields(door, given, details, checked)
    data = NewbornData(use="REGISTRATION", **(_common(door, given, item, checked) | own))
    return data, await door.origin([PersonKey(data.persons[0].person)])


async def _consultation(door: Door, given: ApplicationIn, item: Item, checked: Checked) -> Entered:
    del item
    return await consultation_data(door, given, details_in(ConsultationDetailsIn, given.details), checked)


def _with_guardian(door: Door, given: ApplicationIn, guardian: PersonIn | None) -> None:
    """Under 16 the guardian applies (居民身份证法 Art. 7, 公安部令第78号 Art. 9). Raises RefusedError."""
    today = door.office.today()
    born = check_id_number(given.applicant.id_number, today).birth_date
    if age_on(born, today) >= ALONE_AT_AGE:
        return
    if (
        guardian is None
        or age_on(check_id_number(guardian.id_number, today).birth_date, today) < ALONE_AT_AGE
    ):
        raise RefusedError("GUARDIAN_ABSENT")


ENTRIES: Mapping[str, Entry] = {
    "migration": _migration,
    "certificate": _certificate,
    "id_card": _id_card,
    "temporary_id": _temporary_id,
    "register_change": _register_change,
    "newborn": _newborn,
    "consultation": _consultation,
}
