"""Many small calls into few large ones: the first goes at once, those that come meanwhile go as one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Iterator, Sequence
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def one(_: object) -> int:
    """Every item weighs the same."""
    return 1


class _Ticket(NamedTuple, Generic[Item, Result]):
    items: Sequence[Item]
    weight: int
    results: asyncio.Future[Sequence[Result]]


class Coalescer(Generic[Item, Result]):
    """Calls `work` with the items of all callers that wait; one call at a time, each of `limit` at most.

    work: gives one result for each item, in order. What it raises goes to each caller of that batch. A caller
    that is cancelled does not stop the work, since others may wait for it. Idle, it keeps no task alive.
    """

    def __init__(
        self,
        work: Callable[[Sequence[Item]], Coroutine[Any, Any, Sequence[Result]]],
        *,
        limit: int,
        weigh: Callable[[Item], int] = one,
    ) -> None:
        self._work = work
        self._limit = limit
        self._weigh = weigh
        self._waiting: deque[_Ticket[Item, Result]] = deque()
        self._running: asyncio.Task[None] | None = None

    async def submit(self, items: Sequence[Item]) -> list[Result]:
        """Return a result for each item, in order; more items than the limit go in several calls."""
        futures = [self._enqueue(chunk, weight) for chunk, weight in self._chunks(items)]
        return [result for results in await asyncio.gather(*futures) for result in results]

    def _chunks(self, items: Sequence[Item]) -> Iterator[tuple[Sequence[Item], int]]:
        begin, weight = 0, 0
        for end, item in enumerate(items):
            heavy = self._weigh(item)
            if weight + heavy > self._limit and end > begin:
                yield items[begin:end], weight
                begin, weight = end, 0
            weight += heavy
        if begin < len(items):
            yield items[begin:], weight

    def _enqueue(self, items: Sequence[Item], weight: int) -> asyncio.Future[Sequence[Result]]:
        ticket = _Ticket[Item, Result](items, weight, asyncio.get_running_loop().create_future())
        self._waiting.append(ticket)
        if self._running is None:
            self._start()
        return ticket.results

    def _start(self) -> None:
        # The batch is taken when the task begins to run, so calls of the same moment still join it.
        batch: list[_Ticket[Item, Result]] = []
        self._running = asyncio.create_task(self._run(batch))
        self._running.add_done_callback(partial(self._finish, batch))

    async def _run(self, batch: list[_Ticket[Item, Result]]) -> None:
        weight = 0
        while self._waiting and (not batch or weight + self._waiting[0].weight <= self._limit):
            batch.append(self._waiting.popleft())
            weight += batch[-1].weight
        results = await self._work([item for ticket in batch for item in ticket.items])
        begin = 0
        for ticket in batch:
            end = begin + len(ticket.items)
            if not ticket.results.done():
                ticket.results.set_result(results[begin:end])
            begin = end

    def _finish(self, batch: Sequence[_Ticket[Item, Result]], task: asyncio.Task[None]) -> None:
        self._running = None
        if self._waiting:
            self._start()
        error = None if task.cancelled() else task.exception()
        for ticket in batch:
            if ticket.results.done():
                continue
            if error is None:
                ticket.results.cancel()
            else:
                ticket.results.set_exception(error)
