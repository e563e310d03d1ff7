"""The loop under the simulator: virtual time, an order by chance, processes that die."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from random import Random
from typing import Any

import pytest

from tongban_sandbox.simulation.loop import ProcessDiedError, SimLoop, StalledError

HOURS_S = 5 * 3_600.0


def _run(loop: SimLoop, work: Coroutine[Any, Any, None]) -> None:
    try:
        loop.run_until_complete(loop.outside.spawn(work))
    finally:
        loop.bury()


def test_nobody_waits_for_real() -> None:
    """Hours pass as soon as nobody has anything else to do."""
    loop = SimLoop(Random(1))

    async def wait_for_hours() -> None:
        await asyncio.sleep(HOURS_S)

    _run(loop, wait_for_hours())
    assert loop.time() == HOURS_S


def _order(seed: int) -> list[int]:
    loop, order = SimLoop(Random(seed)), list[int]()

    async def one(number: int) -> None:
        order.append(number)

    async def all_at_once() -> None:
        await asyncio.gather(*(one(number) for number in range(10)))

    _run(loop, all_at_once())
    return order


def test_the_seed_chooses_the_order() -> None:
    """What is ready at one moment runs in an order of chance, the same for the same seed."""
    assert _order(1) == _order(1)
    assert _order(1) != _order(2)
    assert sorted(_order(2)) == list(range(10))


def test_a_process_that_dies_stays_where_it_stood() -> None:
    """Nothing of it runs on, not even what cleans up; its callers lose their connection."""
    loop, done = SimLoop(Random(1)), list[str]()
    province = loop.process("32")

    async def work() -> None:
        try:
            done.append("began")
            await asyncio.sleep(HOURS_S)
            done.append("ended")
        finally:
            done.append("cleaned up")

    async def story() -> None:
        loop.call_later(5, province.die, context=loop.outside.context())
        with pytest.raises(ProcessDiedError):
            await province.ask(work())
        await asyncio.sleep(2 * HOURS_S)
        assert done == ["began"]

    _run(loop, story())


def test_everybody_waiting_for_each_other_is_an_error() -> None:
    """A run never hangs: when nothing can happen any more, it says so."""
    loop = SimLoop(Random(1))

    async def wait_for_ever() -> None:
        await loop.create_future()

    with pytest.raises(StalledError):
        _run(loop, wait_for_ever())
