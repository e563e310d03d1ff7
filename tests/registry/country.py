"""What the tests of a registry's pages add to the country of the stories: asking, and counting all tables."""

from __future__ import annotations

from typing import Any

import httpx

from tests.stories.folk import Resident
from tests.stories.world import Country
from tongban_shared.ids import CaseId

A, B = "32", "33"
OFFICER, OTHER = "officer-1", "officer-2"
# What is left behind although nothing is decided: who looked; a number that was taken is never given again.
ASIDE = frozenset({"access_log", "unit", "alembic_version"})


async def ok(country: Country, code: str, path: str, body: object = None) -> Any:  # noqa: ANN401
    """What a province answers, which must be 200."""
    answer = await country.ask(code, path, body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def waiting(country: Country, person: Resident, to: str = B) -> CaseId:
    """A case that waits for an officer at the destination: its materials are of grade B."""
    case_id = await country.apply(person, to, grade="B")
    await country.until(to, case_id, "REVIEWING")
    return case_id


async def claim(country: Country, case_id: str, officer: str, at: str = B) -> httpx.Response:
    """An officer of the county bureau claims a task."""
    body = {"officer": officer, "org": country.sites[at].live.office.org}
    return await country.ask(at, f"/v1/tasks/{case_id}/claim", body)


def counts(country: Country) -> dict[str, int]:
    """Rows of every table of every province, but for the traces of a question."""
    found = {}
    for code in country.sites:
        for (table,) in country.registers.rows(code, "SELECT name FROM sqlite_master WHERE type = 'table'"):
            if table not in ASIDE and not table.startswith("sqlite_"):
                query = f"SELECT count(*) FROM {table}"  # noqa: S608  # names from the database itself
                found[f"{code}.{table}"] = int(country.registers.rows(code, query)[0][0])
    return found


def code_of(answer: httpx.Response) -> tuple[int, str]:
    """Status and problem code."""
    return answer.status_code, str(answer.json()["code"])
