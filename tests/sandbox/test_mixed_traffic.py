"""The sandbox's own traffic with all case types: through the gateway, to the end of each, nobody lost."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest

from tongban_sandbox.plays import PLAYS, Mix
from tongban_sandbox.state import Plan, StateFolder
from tongban_sandbox.traffic import ENDED, Traffic
from tongban_sandbox.world import World

pytestmark = pytest.mark.timeout(240)
CASES, PER_S, END_S, PAUSE_S = 100, 25.0, 150.0, 0.2


@pytest.fixture
async def world(country: Path) -> AsyncIterator[World]:
    """A running country of 1 410 people."""
    async with World(StateFolder(country, Plan())) as world:
        await world.start()
        yield world


async def wait_until(seen: Callable[[], bool]) -> None:
    """Traffic tells nobody: it is looked at."""
    async with asyncio.timeout(END_S):
        while not seen():  # noqa: ASYNC110
            await asyncio.sleep(PAUSE_S)


@asynccontextmanager
async def running(traffic: Traffic) -> AsyncIterator[None]:
    """While the block lasts."""
    task = asyncio.create_task(traffic.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_mixed_cases_of_all_types_end_and_everybody_has_one_home(world: World) -> None:
    """Windows make, print and hand over, officers of both sides decide; then nothing is open anywhere."""
    traffic = Traffic(world, PER_S)
    tally = traffic.tally
    async with running(traffic):
        await wait_until(lambda: tally.begun >= CASES)
        traffic.cases_per_s = 0
        await wait_until(lambda: tally.open == 0)
    assert set(tally.begun_by_type) == set(PLAYS)
    assert tally.begun_by_type == tally.ended_by_type
    assert set(tally.ended) <= ENDED
    assert tally.begun_by_type["id_card"] >= tally.begun_by_type["temporary_id"]
    assert tally.ended["COMPLETED"] > CASES // 2
    reading = await world.read()
    assert reading.homes.good
    assert not reading.homes.in_transfer


async def test_what_was_left_open_is_taken_up_again(world: World) -> None:
    """Of all types, also cards, which have no purpose to be known by."""
    first = Traffic(world, PER_S)
    async with running(first):
        await wait_until(lambda: first.tally.begun >= CASES // 3)
    # Some go on and end by themselves before anybody takes them up, so how many are left is not known.
    second = Traffic(world, 0)
    async with running(second):
        await wait_until(lambda: second.tally.ended_by_type["id_card"] > 0 and second.tally.open == 0)
    assert second.tally.ended_by_type.keys() <= set(PLAYS)


def test_the_mix_keeps_the_proportions_with_each_temporary_card_beside_its_case() -> None:
    """12.7 % temporary cards, each bringing an identity card: 21.2 % of those in all."""
    mix, random, now = Mix(), Random(1), datetime(2025, 7, 7, 2, tzinfo=UTC)
    drawn = Counter(mix.draw_type(random, now) for _ in range(20_000))
    cards, temporary = drawn["id_card"] + drawn["temporary_id"], drawn["temporary_id"]
    cases = drawn.total() - drawn[None] + temporary
    assert cards / cases == pytest.approx(0.212, abs=0.015)
    assert temporary / cases == pytest.approx(0.127, abs=0.015)
    assert drawn["migration"] / cases == pytest.approx(0.465, abs=0.015)


def test_a_shaped_mix_follows_the_clock() -> None:
    """More than twice the mean on a Monday morning in July, nothing in the night."""
    mix = Mix(shaped=True)
    assert mix.factor(datetime(2025, 7, 7, 2, 30, tzinfo=UTC)) > 2
    assert mix.factor(datetime(2025, 7, 6, 19, tzinfo=UTC)) == 0
    assert Mix().factor(datetime(2025, 7, 6, 19, tzinfo=UTC)) == pytest.approx(1)
