"""A thousand people on the move at once, over a wire that doubles and shuffles everything."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from random import Random

import pytest

from tests.stories.crowd import CHECKS_MIN, Watch, arrived, depart, plan
from tests.stories.processes import CODES
from tests.stories.world import Country

SEED = 20_260_302
Disaster = Callable[[Country, Watch], Coroutine[None, None, None]]


async def _run(folder: Path, number: int, disaster: Disaster) -> None:
    """Let a crowd move, watched all the time; `disaster` strikes while they move."""
    country = await Country.open(folder, provinces=5, people=number)
    try:
        country.wire.copies, country.wire.random = 2, Random(SEED)
        trips = plan(country, number, Random(SEED))
        watch = Watch(country)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(depart(country, trips))
            tasks.create_task(disaster(country, watch))
        await watch.until_all_ended(trips)
        await country.resend()
        watch.check()
        assert min(watch.checks, watch.in_transfer) >= CHECKS_MIN
        await arrived(country, trips)
    finally:
        await country.close()


async def no_disaster(country: Country, watch: Watch) -> None:
    """Only look."""
    for _ in range(CHECKS_MIN):
        await country.news()
        watch.check()


@pytest.mark.timeout(120)
async def test_a_thousand_people_move_and_each_has_one_home_all_the_time(tmp_path: Path) -> None:
    """A thousand mixed moves, every message twice and in any order: one home at every instant."""
    await _run(tmp_path, 1_000, no_disaster)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("seed", [1, 2])
async def test_the_power_fails_in_the_midst_and_the_broker_forgets(tmp_path: Path, seed: int) -> None:
    """All processes die at an arbitrary instant, the broker is new and empty: all arrive all the same."""

    async def power_cut(country: Country, watch: Watch) -> None:
        random = Random(seed)
        for _ in range(3):
            for _ in range(random.randint(4, 15)):
                await country.news()
            for _ in range(random.randint(0, 30)):
                await asyncio.sleep(0)
            await country.lights_out()
            watch.check()
            await country.lights_on()
        assert watch.in_transfer

    await _crowd_then(tmp_path, power_cut)


async def _crowd_then(folder: Path, disaster: Disaster) -> None:
    """As `_run`, but everybody has applied before the disaster, so that no citizen is left without answer."""
    country = await Country.open(folder, provinces=5, people=200)
    try:
        country.wire.hold("precheck")
        trips = plan(country, 200, Random(SEED))
        await depart(country, trips)
        country.wire.copies, country.wire.random = 2, Random(SEED)
        watch = Watch(country)
        await country.wire.let_go("precheck", times=2)
        await disaster(country, watch)
        await country.resend()
        await watch.until_all_ended(trips)
        await country.resend()
        assert set(country.sites) == set(CODES)
        await arrived(country, trips)
    finally:
        await country.close()
