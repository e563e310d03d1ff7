"""How the application for a newborn (新生儿入户) is entered: parents, children, birth certificates."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from tongban_registry.door import ApplicationIn, Checked, Closed, Door, PersonIn, Short
from tongban_shared.births import CHILDREN_MAX
from tongban_shared.cases.common import PersonRef
from tongban_shared.cases.newborn_data import Child
from tongban_shared.cases.newborn_rules import PROOF_OF_KINSHIP
from tongban_shared.errors import RefusedError
from tongban_shared.ids import Sex, birth_key, check_id_number, province
from tongban_shared.messages.types import CODE

SEX_OF = {"FATHER": Sex.MALE, "MOTHER": Sex.FEMALE}


class ChildIn(Closed):
    """One child, as its birth certificate (出生医学证明) has it."""

    birth_certificate_no: Annotated[str, StringConstraints(max_length=20)] = Field(repr=False)
    name: Short = Field(repr=False)
    sex: Literal["1", "2"]
    birth_date: date = Field(repr=False)


class NewbornDetailsIn(Closed):
    """`details` of a newborn. The applicant is the parent whose household the children join.

    follows: whether that is the father or the mother. other_parent: the other one; else absent says why none
    is named. birthplace: province in which they were born. children: one, or all of a multiple birth.
    """

    follows: Literal["FATHER", "MOTHER"]
    married: bool
    birthplace: Annotated[str, StringConstraints(max_length=10)]
    children: Annotated[list[ChildIn], Field(min_length=1, max_length=CHILDREN_MAX)]
    other_parent: PersonIn | None = None
    absent: Annotated[str, StringConstraints(pattern=CODE)] | None = None


def newborn_fields(
    door: Door, given: ApplicationIn, details: NewbornDetailsIn, checked: Checked
) -> dict[str, Any]:
    """The record's own fields, persons among them. Raises BadInputError; then nothing is stored."""
    if (details.other_parent is None) == (details.absent is None):
        raise RefusedError(
            "FIELD_INVALID", "details.other_parent: name the other parent, or say why none is named"
        )
    _check_sex("applicant", given.applicant, details.follows, door)
    persons = list(checked[0])
    if details.other_parent is not None:
        other = "MOTHER" if details.follows == "FATHER" else "FATHER"
        _check_sex("details.other_parent", details.other_parent, other, door)
        key, check = door.key_of(details.other_parent)
        persons.append(PersonRef(person=key, name_check=check))
    children, certificates = _children(door, details)
    return {
        "persons": tuple(persons),
        "follows": details.follows,
        "married": details.married,
        "absent": details.absent,
        "birthplace": province(details.birthplace),
        "children": children,
        "certificates": certificates,
        "proven": any(material.kind == PROOF_OF_KINSHIP for material in given.materials),
    }


def _check_sex(where: str, parent: PersonIn, role: str, door: Door) -> None:
    """A father's number is a man's, a mother's a woman's. Raises RefusedError."""
    if check_id_number(parent.id_number, door.office.today()).sex is not SEX_OF[role]:
        raise RefusedError("FIELD_INVALID", f"{where}: the number's sex is not the {role.lower()}'s")


def _children(door: Door, details: NewbornDetailsIn) -> tuple[tuple[Child, ...], tuple[str, ...]]:
    """Children and keys of their certificates, in one order. Raises BadInputError."""
    secret, today = door.office.secrets.person, door.office.today()
    if any(child.birth_date > today for child in details.children):
        raise RefusedError("FIELD_INVALID", "details.children: a birth date in the future")
    keys = tuple(birth_key(secret, child.birth_certificate_no) for child in details.children)
    if len(set(keys)) < len(keys):
        raise RefusedError("FIELD_INVALID", "details.children: a birth certificate is named twice")
    return tuple(Child(name=c.name, sex=c.sex, born=c.birth_date) for c in details.children), keys
