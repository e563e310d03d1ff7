"""Many small calls into few large ones."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from tongban_shared.coalesce import Coalescer


class Work:
    """Doubles numbers, when it is let; keeps the batches that it was given."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def __call__(self, items: Sequence[int]) -> Sequence[int]:
        self.batches.append(list(items))
        await self.gate.wait()
        if -1 in items:
            raise LookupError
        return [2 * item for item in items]


async def turn(times: int = 5) -> None:
    """Let other tasks run."""
    for _ in range(times):
        await asyncio.sleep(0)


async def test_calls_that_come_while_one_is_under_way_go_together() -> None:
    """One call goes at once; a hundred more need one further batch."""
    work = Work()
    work.gate.clear()
    coalescer = Coalescer(work, limit=1000)
    async with asyncio.TaskGroup() as group:
        first = group.create_task(coalescer.submit([0]))
        await turn()
        others = [group.create_task(coalescer.submit([number])) for number in range(1, 101)]
        await turn()
        work.gate.set()
    assert work.batches == [[0], list(range(1, 101))]
    assert [first.result(), *(other.result() for other in others)] == [[2 * n] for n in range(101)]


async def test_calls_of_the_same_moment_share_the_first_batch() -> None:
    """No call pays for having been a step earlier than its neighbours."""
    work = Work()
    coalescer = Coalescer(work, limit=1000)
    answers = list(await asyncio.gather(coalescer.submit([1]), coalescer.submit([2, 3])))
    assert answers == [[2], [4, 6]]
    assert work.batches == [[1, 2, 3]]


async def test_no_batch_is_heavier_than_the_limit() -> None:
    """A large call is cut, small ones are not put on top; an item above the limit goes alone."""
    work = Work()
    coalescer = Coalescer(work, limit=6, weigh=lambda item: item)
    answers = list(await asyncio.gather(coalescer.submit([1, 2, 3, 4, 9, 1]), coalescer.submit([5])))
    assert answers == [[2, 4, 6, 8, 18, 2], [10]]
    assert work.batches == [[1, 2, 3], [4], [9], [1, 5]]


async def test_no_items_are_answered_without_a_call() -> None:
    """Nothing asked, nothing sent."""
    work = Work()
    assert await Coalescer(work, limit=5).submit([]) == []
    assert work.batches == []


async def test_a_failure_reaches_its_own_batch_only() -> None:
    """Whoever shared the batch gets the error; those after it are served."""
    work = Work()
    coalescer = Coalescer(work, limit=3)
    bad, shared, after = await asyncio.gather(
        coalescer.submit([-1]), coalescer.submit([1, 2]), coalescer.submit([3]), return_exceptions=True
    )
    assert isinstance(bad, LookupError)
    assert isinstance(shared, LookupError)
    assert after == [6]


async def test_a_caller_who_gives_up_stops_nobody_elses_call() -> None:
    """The batch goes on for the others in it."""
    work = Work()
    work.gate.clear()
    coalescer = Coalescer(work, limit=1000)
    impatient = asyncio.create_task(coalescer.submit([1]))
    patient = asyncio.create_task(coalescer.submit([2]))
    await turn()
    impatient.cancel()
    await turn()
    work.gate.set()
    assert await patient == [4]
    with pytest.raises(asyncio.CancelledError):
        await impatient
