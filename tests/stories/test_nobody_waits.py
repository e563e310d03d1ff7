"""Whoever waits knows for whom, for what and until when; and so does whoever is waited for (C3, S1)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from tests.stories.clock import MORNING
from tests.stories.crowd import Trip, depart, plan
from tests.stories.owed import forgotten, states_seen
from tests.stories.world import Country
from tongban_registry.views import ACTIONS, case_view, provinces
from tongban_shared.cases.consultation_data import ConsultationData
from tongban_shared.cases.home_data import Asked
from tongban_shared.cases.kind import Case, Step, Waits, check_table
from tongban_shared.cases.kinds import KINDS
from tongban_shared.cases.migration import STEPS, TERMINAL
from tongban_shared.cases.migration_data import MigrationData
from tongban_shared.cases.newborn_data import NewbornData
from tongban_shared.errors import CaseTableError
from tongban_shared.ids import CaseId, Province

A, B = "32", "33"
# A record of each case type; those that the home registry answers can be empty.
RECORDS: dict[str, Any] = {
    "migration": MigrationData(migration_type="SPOUSE"),
    **{name: kind.data() for name, kind in KINDS.items() if issubclass(kind.data, Asked)},
    "newborn": NewbornData(follows="MOTHER", asked=A),
    "consultation": ConsultationData(),
}
AT_DESTINATION = {
    "precheck": "CHECKING",
    "permit": "PERMITTED",
    "acceptance": "PREPARED",
    "withdrawal": "WITHDRAWING",
}
AT_ORIGIN = {"facts": "OPEN", "offer": "FROZEN", "certificate": "RELEASED"}


def told(view: dict[str, Any], case: Case) -> None:
    """The view names province, office, action and moment; the office is one of that province."""
    waiting = view["waiting_for"]
    assert waiting["province"] in {case.origin, case.destination}
    assert waiting["owner"] == case.waits.value.lower()
    assert waiting["organisation"] == provinces()[Province(waiting["province"])].county_bureau
    assert waiting["action"] == ACTIONS[case.waits]
    assert waiting["until"].endswith("+08:00")


def test_every_line_that_leaves_a_case_open_names_who_goes_on() -> None:
    """After each line of a table that does not end the case, people see whose move it is and until when."""
    lines = [(kind, step) for kind in KINDS.values() for step in kind.steps.values()]
    left_open = [(kind, step) for kind, step in lines if step.next not in kind.terminal]
    assert {kind.name for kind, _ in left_open} == RECORDS.keys()
    for kind, step in left_open:
        assert step.waits is not Waits.NOBODY, step
        assert isinstance(step.limit, timedelta) or step.limit in kind.limits, step
        case = after(kind.name, step)
        told(case_view(case, (), provinces()[Province(B)], MORNING), case)


def after(kind: str, step: Step) -> Case:
    """A case that this line was followed for."""
    return Case(
        id=CaseId("33012026030200000001X"),
        kind=kind,
        side=step.side,
        state=step.next,
        version=2,
        item="",
        origin=A,
        destination=B,
        persons=(),
        data=RECORDS[kind],
        opened_at=MORNING,
        due_at=MORNING,
        waits=step.waits,
    )


def test_a_table_that_leaves_nobody_to_go_on_is_refused() -> None:
    """An open state that waits for nobody does not start, nor does an ended one that waits for somebody."""
    first = next(step for step in STEPS if step.next not in TERMINAL)
    last = next(step for step in STEPS if step.next in TERMINAL)
    for step, waits in ((first, Waits.NOBODY), (last, Waits.OFFICER)):
        planted = [replace(step, waits=waits) if line is step else line for line in STEPS]
        with pytest.raises(CaseTableError, match="whose move"):
            check_table(planted, TERMINAL)


async def seen(country: Country, code: str, case_id: str, state: str) -> None:
    """The case stands in this state, and whoever asks is told what is missing to go on."""
    await country.until(code, case_id, state)
    case = await country.case(code, case_id)
    told((await country.ask(code, f"/v1/cases/{case_id}")).json(), case)
    rows = (await country.ask(code, f"/v1/ops/cases?state={state}")).json()["items"]
    (row,) = [row for row in rows if row["case_id"] == case_id]
    assert (row["due_at"] is not None, row["waits_for"]) == (True, case.waits.value.lower())
    assert forgotten(country) == []


@pytest.mark.parametrize(("held", "state"), AT_DESTINATION.items())
async def test_at_the_destination(country: Country, held: str, state: str) -> None:
    """Wherever a message keeps a case waiting at the destination, the case says so."""
    country.wire.hold(held)
    case_id = await country.apply(country.person(A), B)
    if held == "withdrawal":
        country.wire.hold("facts")
        await country.act(B, case_id, "withdrawal")
    await seen(country, B, case_id, state)


@pytest.mark.parametrize(("held", "state"), AT_ORIGIN.items())
async def test_at_the_origin(country: Country, held: str, state: str) -> None:
    """Wherever a message keeps a case waiting at the origin, the case says so."""
    country.wire.hold(held)
    await seen(country, A, await country.apply(country.person(A), B), state)


async def test_with_an_officer(country: Country) -> None:
    """A case in review waits for the county bureau."""
    await seen(country, B, await country.apply(country.person(A), B, grade="B"), "REVIEWING")


async def test_with_the_applicant(country: Country) -> None:
    """A case in correction waits for the applicant, at the office that accepted it."""
    case_id = await country.apply(country.person(A), B, without=("BOOKLET",))
    await seen(country, B, case_id, "CORRECTION")


async def test_with_the_ledger(country: Country) -> None:
    """A case that waits for the ledger has a deadline too, on either side."""
    country.ledger.down = True
    await seen(country, B, await country.apply(country.person(A), B), "LOCATING")
    country.ledger.down = False
    country.wire.hold("acceptance")
    case_id = await country.apply(country.person(A), B)
    await country.until(B, case_id, "PREPARED")
    country.ledger.down = True
    await country.wire.let_go("acceptance")
    await seen(country, A, case_id, "RELEASING")


async def test_at_every_commit_of_a_crowd(country: Country) -> None:
    """A mixed crowd on a bad wire, with time passing: after each commit nobody is forgotten."""
    country.wire.copies, country.wire.random = 2, Random(11)
    trips = plan(country, 60, Random(11))
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(depart(country, trips))
        tasks.create_task(_watch(country, trips))
    await country.pass_time(hours=12, step_hours=1)
    assert forgotten(country) == []
    assert country.registers.count("cases", "closed_at IS NULL") == 0
    assert {"CHECKING", "PERMITTED", "PREPARED", "OPEN", "FROZEN", "RELEASING", "RELEASED"} <= states_seen(
        country
    )


async def _watch(country: Country, trips: list[Trip]) -> None:
    while not all(trip.case_id for trip in trips) or country.registers.count("cases", "closed_at IS NULL"):
        await country.news()
        assert forgotten(country) == []


SLOW: dict[str, Callable[[Country], Awaitable[object]]] = {
    "a day": lambda country: country.pass_time(days=1, step_hours=8),
    "a hundred days": lambda country: country.pass_time(days=100, step_hours=200),
}


@pytest.mark.parametrize("long", SLOW)
@pytest.mark.parametrize(
    "held", ["precheck", "facts", "permit", "offer", "acceptance", "certificate", "settled"]
)
async def test_however_long_it_takes(country: Country, held: str, long: str) -> None:
    """Limits pass, one after another: the case has ended, or has a new limit and an owner."""
    country.wire.dropping |= {held, "inquire"}
    case_id = await country.apply(country.person(A), B)
    await country.calm()
    await SLOW[long](country)
    assert forgotten(country) == []
    assert country.registers.homeless_and_doubled() == []
    for code in (A, B):
        if country.registers.rows(code, "SELECT 1 FROM cases WHERE id = ? AND closed_at IS NULL", case_id):
            case = await country.case(code, case_id)
            told((await country.ask(code, f"/v1/cases/{case_id}")).json(), case)
            assert case.due_at is not None
            assert case.due_at > country.clock.now()
