"""What stories of a province's own items share: people by station, applications, the officer's yes."""

from __future__ import annotations

import json
from typing import Any

from tests.stories.folk import Resident
from tests.stories.windows import application, seen
from tests.stories.world import Country

A, B, C = "32", "33", "44"
BOOKLET, LOST, DEATH, MOVE, SPLIT, HEAD = "0601", "0602", "0608", "0614", "0617", "0618"
EDUCATION, MARITAL, MILITARY, VETERAN, ABROAD = "0619", "0620", "0622", "0623", "0624"
STATUS = "0204"
APPROVE = {"outcome": "approve"}
NANJING, ZHENJIANG = "320100000100", "321100000100"
MARRIED = {"changes": {"marital_code": "20"}}


def lives_at(country: Country, station: str, adults: int = 1, minors: int = 0) -> list[Resident]:
    """A family whose household a station keeps."""
    families = country.sites[A].folk.families
    for family in families:
        grown = sum(member.age >= 18 for member in family)
        if family[0].home.startswith(station) and (grown, len(family) - grown) == (adults, minors):
            families.remove(family)
            return family
    raise AssertionError(f"nobody left at {station}")


def form(country: Country, person: Resident, at: str = A) -> dict[str, Any]:
    """The resident form as the register has it."""
    ((text,),) = country.registers.rows(at, "SELECT record FROM record WHERE person = ?", person.key)
    found: dict[str, Any] = json.loads(text)
    return found


def row(country: Country, person: Resident, column: str, at: str = A) -> Any:  # noqa: ANN401
    """One column of the register's row."""
    found = country.registers.person(at, person.key)
    assert found is not None
    return found[column]


def asked(country: Country, item: str, person: Resident, org: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    """An application at a window of the person's province. more: destination and what `application` takes."""
    body = application(country, item, person, A, **more) | {"accepting_org": org}
    return body | ({"destination": more["destination"]} if "destination" in more else {})


async def put(country: Country, body: dict[str, Any], at: str = A) -> str:
    """Apply; the case's number."""
    answer = await country.ask(at, "/v1/cases", body)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["case_id"])


async def tasks(country: Country, org: str, at: str = A) -> list[str]:
    """Cases on an office's list."""
    answer = await country.ask(at, f"/v1/tasks?org={org}")
    return [task["case_id"] for task in answer.json()["items"]]


async def approved(country: Country, case: str, at: str = A) -> dict[str, Any]:
    """The officer says yes; the view."""
    await country.until(at, case, "CHECKING")
    answer = await country.act(at, case, "decision", APPROVE)
    assert answer.status_code == 202, answer.text
    return await seen(country, at, case, "COMPLETED")


def place(station: str, **more: str) -> dict[str, str]:
    """A destination in the province."""
    return {"province": A, "org_code": station, "address": "示例路9号", **more}
