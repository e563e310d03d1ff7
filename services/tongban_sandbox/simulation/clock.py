"""Time in the simulated country: it passes with the loop, it leaps by weeks, and each province shows its own.

National time is what passes. A province's clock shows it with a fault of its own, which may change.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tongban_sandbox.simulation.loop import SimLoop

MORNING = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
# A process is not woken on the second; whoever looks once a second looks a little less often.
LATE_SHARE_MAX = 4.0
# Two times this close are one: seconds since the beginning have no more digits than that.
INSTANT_S = 1e-6


class NationalTime:
    """Seconds since the beginning, as they pass for everybody."""

    def __init__(self, loop: SimLoop) -> None:
        self._loop = loop
        self._leapt_s = 0.0
        self._waiting: list[tuple[float, int, Callable[[], None]]] = []
        self._serial = 0
        self._timer: asyncio.TimerHandle | None = None

    def now_s(self) -> float:
        """Seconds since the beginning."""
        return self._loop.time() + self._leapt_s

    def leap(self, seconds: float) -> None:
        """Time passes, and nobody does anything meanwhile; then all that is due happens."""
        self._leapt_s += seconds
        self._run_due()

    def call_at(self, when_s: float, act: Callable[[], None]) -> None:
        """Do something at a national time."""
        self._serial += 1
        heapq.heappush(self._waiting, (when_s, self._serial, act))
        if self._waiting[0][1] == self._serial:
            self._set()

    async def sleep(self, seconds: float) -> None:
        """Wait by national time."""
        woken = self._loop.create_future()
        self.call_at(self.now_s() + seconds, lambda: None if woken.done() else woken.set_result(None))
        await woken

    def _set(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._waiting:
            outside = self._loop.outside
            left_s = max(0.0, self._waiting[0][0] - self.now_s())
            self._timer = self._loop.call_later(left_s, self._run_due, context=outside.context())

    def _run_due(self) -> None:
        while self._waiting and self._waiting[0][0] <= self.now_s() + INSTANT_S:
            heapq.heappop(self._waiting)[2]()
        self._set()


class ProvinceClock:
    """Keeps the promises of ports.Clock, with a fault. Source: protocol.md C4."""

    def __init__(self, time: NationalTime, random: Random) -> None:
        self.fault = timedelta()
        self._time = time
        self._random = random

    def now(self) -> datetime:
        return MORNING + timedelta(microseconds=round(self._time.now_s() * 1e6)) + self.fault

    async def sleep(self, seconds: float) -> None:
        await self._time.sleep(seconds * (1 + LATE_SHARE_MAX * self._random.random()))
