"""The whole country in one process: everybody has one home, whatever stops and starts."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tongban_sandbox.api import InProcess
from tongban_sandbox.hostile import Faults
from tongban_sandbox.residents import Resident, residents_of
from tongban_sandbox.state import Plan, StateFolder, StateInUseError
from tongban_sandbox.world import World
from tongban_shared.catalogue import load_catalogue
from tongban_shared.ids import Province

PLAN = Plan()
"""A folder that holds a country keeps its own plan."""
ORIGIN, DESTINATION = Province("41"), Province("44")
TALENT = "0108"
LIMIT_S, PAUSE_S = 30.0, 0.1


@pytest.fixture
async def world(country: Path) -> AsyncIterator[World]:
    """A running country of 1 410 people."""
    async with World(StateFolder(country, PLAN)) as running:
        await running.start()
        yield running


async def test_everybody_has_exactly_one_home_from_the_start(world: World) -> None:
    """31 registers and the ledger agree on every person that was seeded."""
    homes = await world.exactly_one_home()
    assert len(world.hosts) == 31
    assert homes.good
    assert homes.people == world.people > 1_400


async def test_a_person_moves_through_the_gateway(world: World) -> None:
    """One application to the gateway ends in a new home, and nobody is lost or doubled."""
    case = await complete(world, await apply(world, await an_adult(world)))
    assert case["state"] == "COMPLETED"
    assert (await world.exactly_one_home()).good


async def test_a_restart_goes_on_with_the_same_country(country: Path) -> None:
    """Who has moved lives at the new place after a stop and a new start; nobody is seeded twice."""
    async with World(StateFolder(country, PLAN)) as first:
        await first.start()
        person = await an_adult(first)
        await complete(first, await apply(first, person))
        before = await first.exactly_one_home()
    async with World(StateFolder(country, PLAN)) as second:
        assert await second.seed() == 0
        await second.start()
        assert await second.exactly_one_home() == before
        assert await lives_in(second, person) == DESTINATION


async def test_a_seeding_that_was_cut_off_is_done_again(country: Path) -> None:
    """A province not marked as complete is made anew, and the ledger takes its people again."""
    state = StateFolder(country, PLAN)
    del state.manifest.seeded[ORIGIN]
    async with World(state) as again:
        assert await again.seed() > 0
        await again.start()
        assert (await again.exactly_one_home()).good


async def test_a_crashed_province_finishes_what_it_began(world: World) -> None:
    """An origin that crashes in the middle of a move loses nobody; after its restart the case completes."""
    case_id = await apply(world, await an_adult(world))
    await world.hosts[ORIGIN].kill()
    assert (await world.exactly_one_home()).good
    await world.hosts[ORIGIN].start()
    assert (await complete(world, case_id))["state"] == "COMPLETED"


async def test_callers_of_a_crashed_province_are_told(world: World) -> None:
    """While a province is down the gateway answers 503 for it, and the others go on."""
    await world.hosts[DESTINATION].kill()
    person = await an_adult(world)
    refused = await InProcess(world.gateway).call("POST", "/v1/cases", application(person), key="k1")
    assert (refused.status, refused.code) == (503, "PROVINCE_UNAVAILABLE")
    elsewhere = await InProcess(world.gateway).call("POST", "/v1/cases", application(person, "32"), key="k2")
    assert elsewhere.status == 202


async def test_a_hostile_wire_costs_time_only(world: World) -> None:
    """With parcels lost, doubled and overtaken, every case still completes and everybody has one home."""
    world.wire.faults = Faults(drop=0.3, duplicate=0.3, reorder=0.3, delay_ms=50)
    people = await adults(world, 8)
    for case_id in [await apply(world, person) for person in people]:
        assert (await complete(world, case_id))["state"] == "COMPLETED"
        assert (await world.exactly_one_home()).good
    assert world.wire.lost > 0


async def test_a_second_sandbox_on_the_same_folder_is_refused(country: Path) -> None:
    """Two countries never write to the same registers."""
    state = StateFolder(country, PLAN)
    with pytest.raises(StateInUseError, match="tongban status"):
        StateFolder(country, PLAN)
    state.close()


async def adults(world: World, count: int) -> list[Resident]:
    """Grown people of the origin, each of another household, so that no child stays alone."""
    found: dict[str | None, Resident] = {}
    for person in await residents_of(world.registers, ORIGIN, 200):
        if person.relation_code == "99":
            found.setdefault(person.key, person)
        elif person.age(world.clock.now().date()) > 60:
            found.setdefault(person.household_no, person)
    return list(found.values())[:count]


async def an_adult(world: World) -> Resident:
    """One of them."""
    return (await adults(world, 1))[0]


def application(person: Resident, destination: str = DESTINATION) -> dict[str, Any]:
    """A complete application, all papers from the authorities' own data."""
    materials = [{"kind": m.kind, "grade": "A"} for m in load_catalogue().item(TALENT).materials]
    place = {"province": destination, "org_code": f"{destination}0100000100", "address": "示例路1号"}
    return {
        "item": TALENT,
        "applicant": person.as_person(),
        "destination": place,
        "materials": materials,
    }


async def apply(world: World, person: Resident) -> str:
    """Apply through the gateway."""
    reply = await InProcess(world.gateway).call(
        "POST", "/v1/cases", application(person), key=f"test-{person.key}"
    )
    assert reply.status == 202, reply
    return str(reply.body["case_id"])


async def complete(world: World, case_id: str) -> dict[str, Any]:
    """The case at its end. The country's clock moves on meanwhile: lost parcels are sent again soon."""
    until, reply = time.monotonic() + LIMIT_S, None
    while time.monotonic() < until:
        reply = await InProcess(world.gateway).call("GET", f"/v1/cases/{case_id}")
        if reply.status == 200 and reply.body["state"] in ("COMPLETED", "REFUSED"):
            return dict(reply.body)
        world.advance(0.005)
        await asyncio.sleep(PAUSE_S)
    raise AssertionError(f"case {case_id} has not ended: {reply}")


async def lives_in(world: World, person: Resident) -> str:
    """Where the gateway says that somebody is registered."""
    body = {**person.as_person(), "purpose": "TEST"}
    reply = await InProcess(world.gateway).call("POST", "/v1/registrations/lookup", body)
    return str(reply.body["province"])
