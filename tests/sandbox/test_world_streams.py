"""A page that watches a case of the running country, through its gateway."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.sandbox.test_world import DESTINATION, PLAN, an_adult, apply, complete
from tests.streams import Listener
from tongban_sandbox.state import StateFolder
from tongban_sandbox.world import World


@pytest.fixture
async def world(country: Path) -> AsyncIterator[World]:
    """A running country of 1 410 people."""
    async with World(StateFolder(country, PLAN)) as running:
        await running.start()
        yield running


async def test_a_move_is_watched_to_its_end(world: World) -> None:
    """Line by line, as the case's own timeline has them; then the stream ends."""
    case_id = await apply(world, await an_adult(world))
    async with Listener(world.gateway, f"/v1/cases/{case_id}/events") as page:
        view = await complete(world, case_id)
        states = []
        while (event := await page.event()) is not None and event["name"] == "change":
            states.append(event["state"])
        assert states == [line["state"] for line in view["timeline"]]
        assert event == {"id": str(len(states)), "name": "end", "public_state": "COMPLETED"}


async def test_a_crash_ends_the_streams_of_a_province(world: World) -> None:
    """The page comes back with the number that it heard last, and goes on from there."""
    case_id = await apply(world, await an_adult(world))
    path = f"/v1/cases/{case_id}/events"
    await complete(world, case_id)
    async with Listener(world.gateway, path) as page:
        first = await page.event()
        assert first is not None
    second = await apply(world, await an_adult(world))
    async with Listener(world.gateway, f"/v1/cases/{second}/events") as page:
        assert page.status == 200
        await world.hosts[DESTINATION].kill()
        while await page.block() is not None:
            pass
    async with Listener(world.gateway, path) as page:
        assert page.status == 503
    await world.hosts[DESTINATION].start()
    async with Listener(world.gateway, path, last=first["id"]) as page:
        assert (await page.event() or {})["id"] == "2"
