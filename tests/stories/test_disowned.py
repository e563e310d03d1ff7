"""A registry that was put back still has a case that went on elsewhere: it is told, and ends it."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from tests.stories.windows import FIRST, ask_for, seen, standing
from tests.stories.world import Country

A, B, C = "32", "33", "44"


async def test_a_grant_of_who_is_not_asked_any_more_is_taken_back(country: Country) -> None:
    """A's answer reaches a window that was sent on to C before A was put back (simulator, seed 32)."""
    case = await ask_for(country, FIRST, country.person(A), B)
    await country.until(A, case, "CHECKING")
    await country.crash(B)
    with closing(sqlite3.connect(country.sites[B].database)) as there, there:
        there.execute("UPDATE cases SET origin = ? WHERE id = ?", (C, case))
    await country.start(B)
    await country.act(A, case, "decision", {"outcome": "approve"})
    await country.until(A, case, "WITHDRAWN")
    view = (await country.ask(A, f"/v1/cases/{case}")).json()
    assert await standing(country, A, view) == "REVOKED"
    assert (await seen(country, B, case, "REQUESTED"))["origin_province"] == C
    assert country.registers.quarantine(B) == []
