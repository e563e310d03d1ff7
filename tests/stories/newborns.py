"""Births in the stories: parents of two provinces, their applications, and what became of the child."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import count
from typing import Any

import msgspec

from tests.stories.folk import TODAY, Resident
from tests.stories.windows import application
from tests.stories.world import Country
from tongban_shared.ids import PersonKey, Sex, check_id_number

NEWBORN = "0501"
BORN = TODAY - timedelta(days=20)
_numbers = count(100_000_001)


def certificate_no() -> str:
    """The number of a birth certificate that nobody has used yet."""
    return f"N{next(_numbers)}"


def sex_of(person: Resident) -> Sex:
    """By the number."""
    return check_id_number(person.id_number, TODAY).sex


def parent(country: Country, code: str, sex: Sex) -> Resident:
    """A man or a woman who lives alone there."""
    return next(person for person in country.sites[code].folk.singles() if sex_of(person) is sex)


def father(country: Country, code: str) -> Resident:
    """A man who lives alone there."""
    return parent(country, code, Sex.MALE)


def mother(country: Country, code: str) -> Resident:
    """A woman who lives alone there."""
    return parent(country, code, Sex.FEMALE)


def child(certificate: str | None = None, sex: str = "2", born: date = BORN) -> dict[str, str]:
    """A child as its birth certificate has it."""
    no = certificate or certificate_no()
    return {"birth_certificate_no": no, "name": "示例新", "sex": sex, "birth_date": born.isoformat()}


def birth(
    country: Country,
    parents: tuple[Resident, Resident | None],
    at: str,
    **more: Any,  # noqa: ANN401
) -> dict[str, Any]:
    """The application of the parent whom the child follows. more: children, married, details, grade, plus."""
    follows, other = parents
    details: dict[str, Any] = {
        "follows": "FATHER" if sex_of(follows) is Sex.MALE else "MOTHER",
        "married": more.get("married", True),
        "birthplace": at,
        "children": more.get("children") or [child()],
    }
    details |= {"absent": "UNKNOWN"} if other is None else {"other_parent": other.identity}
    details |= more.get("details", {})
    body = application(country, NEWBORN, follows, at, details=details, grade=more.get("grade", "A"))
    body["materials"] += [{"kind": kind, "grade": "A"} for kind in more.get("plus", ())]
    return body


async def apply(
    country: Country,
    parents: tuple[Resident, Resident | None],
    at: str,
    **more: Any,  # noqa: ANN401
) -> str:
    """Apply; the case's number."""
    answer = await country.ask(at, "/v1/cases", birth(country, parents, at, **more))
    assert answer.status_code == 202, answer.text
    return str(answer.json()["case_id"])


def newcomers(country: Country, code: str) -> Sequence[tuple[str, int, str, str]]:
    """Children of the stories in that register: key, epoch, state, household."""
    query = "SELECT key, epoch, state, household_id FROM person WHERE birth_date >= ?"
    return [
        tuple(row) for row in country.registers.rows(code, query, (TODAY - timedelta(days=390)).isoformat())
    ]


def record(country: Country, code: str, key: str) -> dict[str, Any]:
    """The resident form."""
    ((text,),) = country.registers.rows(code, "SELECT record FROM record WHERE person = ?", key)
    form: dict[str, Any] = msgspec.json.decode(text)
    return form


async def the_child(country: Country, code: str) -> str:
    """The key of the one child that there is in the country: there, at epoch 0, and in the ledger so."""
    found = {province: newcomers(country, province) for province in country.sites}
    assert {province for province, rows in found.items() if rows} == {code}, found
    ((key, epoch, state, _),) = found[code]
    assert (epoch, state) == (0, "HELD")
    assert country.registers.holder(key) == (code, 0)
    custody = (await country.ledger.locate([PersonKey(key)]))[PersonKey(key)]
    assert (custody.province, custody.epoch) == (code, 0)
    return key
