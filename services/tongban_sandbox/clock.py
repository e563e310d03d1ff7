"""The sandbox's clock: the machine's time plus an offset that only grows: weeks can pass in a second."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta

HOURS_MAX = 24 * 366


class SandboxClock:
    """Keeps the promises of ports.Clock. offset_s: how far ahead it starts, as left by the run before."""

    def __init__(self, offset_s: float = 0.0) -> None:
        self._offset_s = offset_s
        self._moved = asyncio.Event()

    @property
    def offset_s(self) -> float:
        """Seconds ahead of the machine's clock."""
        return self._offset_s

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self._offset_s)

    async def sleep(self, seconds: float) -> None:
        until = self._ticks() + seconds
        while (left := until - self._ticks()) > 0:
            await self._wait(left)

    def advance(self, hours: float) -> datetime:
        """Move ahead by 0 to 8784 hours, wake whoever slept long enough, return the time now.

        Raises ValueError: time does not go back, and a year at once is enough.
        """
        if not 0 <= hours <= HOURS_MAX:
            raise ValueError(f"a clock moves on by 0 to {HOURS_MAX} hours")
        self._offset_s += hours * 3_600
        self._moved.set()
        self._moved = asyncio.Event()
        return self.now()

    def _ticks(self) -> float:
        return time.monotonic() + self._offset_s

    async def _wait(self, seconds: float) -> None:
        """Return after `seconds`, or when the clock was moved."""
        try:
            async with asyncio.timeout(seconds):
                await self._moved.wait()
        except TimeoutError:
            return
